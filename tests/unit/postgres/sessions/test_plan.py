"""Which sessions are ended: the plan, from plain data."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.plan import (
    app_key,
    make_plan,
    protection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.snapshot import (
    Slots,
)
from tests.support.session_rows import (
    FLAGS,
    OPTIONS,
    SESSIONS,
    options,
    pids,
    session,
    slots,
)

#: Of 90 sessions the oldest must end, so that the example's plan is not empty.
MANY = [session(pid, seconds=1000.0 - pid) for pid in range(90)]


@given(SESSIONS, OPTIONS, st.integers(1, 60), st.none() | st.integers(1, 20))
@example(MANY, options(), 97, None)
@example(MANY, options(max_ended=5, keep_per_application=3), 60, 20)
def test_every_plan_keeps_every_promise(
    sessions: list[Any], wish: Options, limit: int, of_role: int | None
) -> None:
    places = slots(limit) + (
        [Slots(of_role, "connections of role 'app'", user="app")] if of_role else []
    )
    plan = make_plan(sessions, places, wish)
    ended = plan.ended
    assert len(set(pids(ended))) == len(ended) <= wish.max_ended
    assert not {row["pid"] for row, _reason in plan.spared} & set(pids(ended))
    assert [row["seconds"] for row in ended] == sorted(
        (row["seconds"] for row in ended), reverse=True
    ), "the oldest first"
    for row in ended:
        assert row["state"] == "idle" or row["state"].startswith("idle in transaction")
        age = wish.idle_age if row["state"] == "idle" else wish.idle_in_transaction_age
        assert age
        assert row["seconds"] >= age
        assert not any(row[flag] for flag in FLAGS)
        assert protection(row, wish, wish.protected_networks()) == ""
    before, gone = Counter(map(app_key, sessions)), Counter(map(app_key, ended))
    assert all(
        before[app] - gone[app] >= min(wish.keep_per_application, before[app]) for app in gone
    )
    # Not one more than needed: without each of them, more slots than the target would be in use.
    for place, row in enumerate(ended):
        still = [each for each in sessions if each["pid"] not in pids(ended[:place])]
        assert any(
            slot.holds(row) and slot.used(still) > slot.allowed(wish.usage) for slot in places
        )
    left = [each for each in sessions if each["pid"] not in pids(ended)]
    assert plan.short == max(0, *(slot.used(left) - slot.allowed(wish.usage) for slot in places))
    assert make_plan(list(reversed(sessions)), places, wish).ended == ended, (
        "the order in which they are seen does not matter"
    )
    if not plan.short:
        assert make_plan(left, places, wish).ended == [], "a second run finds nothing to do"


def test_as_many_as_needed_and_the_oldest_of_them() -> None:
    assert pids(make_plan(MANY, slots(97), options()).ended) == list(range(90 - 67))
    assert make_plan(MANY[:67], slots(97), options()).ended == []
    assert pids(make_plan(MANY[:68], slots(97), options()).ended) == [0]


def test_a_limit_of_a_role_is_relieved_by_its_own_sessions() -> None:
    sessions = [
        session(pid, user="app" if pid < 5 else "rival", seconds=1000.0 - pid) for pid in range(15)
    ]
    plan = make_plan(
        sessions, [*slots(97), Slots(10, "connections of role 'rival'", user="rival")], options()
    )
    assert pids(plan.ended) == [5, 6, 7]
    assert [slot.user for slot in plan.over] == ["rival"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"superuser": True}, "of a superuser"),
        ({"replication": True}, "of a replication role"),
        ({"application": "gpt_agent.runbook/pg_health"}, "of this collection"),
        ({"application": "PGBouncer - main"}, "of a connection pooler"),
        ({"listens": True}, "listening for notifications"),
        ({"locks": True}, "holding an advisory lock"),
        ({"prepared": True}, "with a prepared transaction"),
        ({"application": "Nightly"}, "of a protected app, user or database"),
        ({"user": "dba"}, "of a protected app, user or database"),
        ({"database": "billing"}, "of a protected app, user or database"),
        ({"client": "10.1.2.3"}, "from a protected address"),
        ({"client": "fd00::7"}, "from a protected address"),
        ({"client": None}, "from a protected address"),
        ({"client": "10.2.0.1"}, ""),
        ({"application": None}, ""),
    ],
)
def test_what_protects_a_session(more: dict[str, Any], reason: str) -> None:
    wish = options(
        poolers=("pgbouncer*",),
        protect_applications=("nightly",),
        protect_users=("dba",),
        protect_databases=("billing",),
        protect_addresses=("10.1.0.0/16", "fd00::7", "local"),
    )
    assert protection(session(**more), wish, wish.protected_networks()) == reason
    plan = make_plan([session(**more)], slots(1), wish)
    assert (len(plan.ended), [why for _row, why in plan.spared]) == (
        not reason,
        [reason] if reason else [],
    )
