"""Which sessions are ended: the plan, from plain data, and the module's own words for misuse."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.plan import (
    application,
    make_plan,
    protection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.remedy import (
    lasting_remedy,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.snapshot import (
    Slots,
    Snapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.verify import (
    ReliefVerdict,
)
from ansible_collections.gpt_agent.runbook.plugins.modules import pg_sessions

FLAGS = ("superuser", "replication", "listens", "locks", "prepared")
FACTS = {"max_connections": 100, "reserved": 3, "role": "operator", "sees_all": True}


def session(pid: int = 1, **more: Any) -> dict[str, Any]:
    row = {
        "pid": pid,
        "application": "worker",
        "user": "app",
        "role": "app",
        "database": "shop",
        "client": "10.0.0.7",
        "state": "idle",
        "seconds": 600.0,
    }
    return {
        **row,
        **dict.fromkeys(FLAGS, False),
        "started": f"started {pid}",
        "since": "since",
        "mine": True,
        **more,
    }


def options(**more: Any) -> Options:
    given = {
        "usage": 70,
        "idle_age": 300,
        "idle_in_transaction_age": 300,
        "keep_per_application": 0,
        "max_ended": 1000,
    }
    return Options(**{**given, **more})


def slots(limit: int) -> list[Slots]:
    return [Slots(limit, "usable connections")]


def pids(rows: list[Any]) -> list[int]:
    return [row["pid"] for row in rows]


SESSIONS = st.lists(
    st.builds(
        session,
        pid=st.integers(1, 10**6),
        application=st.sampled_from(
            ["worker", "web", "", None, "PgBouncer", "gpt_agent.runbook/pg_health"]
        ),
        user=st.sampled_from(["app", "rival"]),
        database=st.sampled_from(["shop", "other"]),
        client=st.sampled_from(["10.0.0.7", "192.168.1.1", "::1", None]),
        state=st.sampled_from(
            [
                "idle",
                "idle in transaction",
                "idle in transaction (aborted)",
                "active",
                "hidden",
                "starting",
                "fastpath function call",
            ]
        ),
        seconds=st.none() | st.floats(-5, 10_000),
        **dict.fromkeys(FLAGS, st.sampled_from([False, False, False, True])),
    ),
    unique_by=lambda row: row["pid"],
    max_size=60,
)
OPTIONS = st.builds(
    options,
    usage=st.floats(0.5, 100),
    idle_age=st.sampled_from([0, 10, 300]),
    idle_in_transaction_age=st.sampled_from([0, 10, 300]),
    keep_per_application=st.integers(0, 5),
    max_ended=st.integers(0, 20),
    poolers=st.just(("pgbouncer*",)),
    protect_users=st.sampled_from([(), ("rival",)]),
    protect_databases=st.sampled_from([(), ("other",)]),
    protect_addresses=st.sampled_from([(), ("10.0.0.0/8", "local"), ("::/0",)]),
)


@given(SESSIONS, OPTIONS, st.integers(1, 60), st.none() | st.integers(1, 20))
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
    before, gone = Counter(map(application, sessions)), Counter(map(application, ended))
    assert all(
        before[app] - gone[app] >= min(wish.keep_per_application, before[app]) for app in gone
    )
    # Not one more than needed: without the last one ended for it, some slots would be in use beyond what is wanted.
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


@given(SESSIONS, OPTIONS, st.integers(1, 60))
def test_the_words_for_every_plan_fit_the_report(
    sessions: list[Any], wish: Options, limit: int
) -> None:
    plan = make_plan(sessions, slots(limit), wish)
    facts = {**FACTS, "max_connections": limit, "reserved": 0}
    snapshot = Snapshot(facts, sessions, {}, {}, "operator")
    verdict = ReliefVerdict(snapshot, plan, wish, Thresholds(CHECKS))
    check = verdict.planned("shop") if plan.over else verdict.unnecessary()
    assert check.status == ("warning" if plan.over else "ok")
    assert check.remedy or check.status == "ok"


def test_as_many_as_needed_and_the_oldest_of_them() -> None:
    sessions = [session(pid, seconds=1000.0 - pid) for pid in range(90)]
    assert pids(make_plan(sessions, slots(97), options()).ended) == list(range(90 - 67))
    assert make_plan(sessions[:67], slots(97), options()).ended == []
    assert pids(make_plan(sessions[:68], slots(97), options()).ended) == [0]


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


def test_the_remedy_names_the_app_at_fault_its_role_and_what_fits() -> None:
    leaked = [
        session(pid, state="idle in transaction" if pid < 10 else "idle", role='"the app"')
        for pid in range(50)
    ]
    others = [session(pid, application="web", state="active") for pid in range(50, 67)]
    wish = options(instances=4, idle_age=299.5)
    text = lasting_remedy(
        make_plan([*leaked, *others], slots(60), wish), [*leaked, *others], slots(60)[0], wish
    )
    assert text.startswith(
        "Lasting fix for app 'worker': ALTER ROLE \"the app\" SET idle_in_transaction_session_timeout = '5min'; "
    )
    assert "ALTER ROLE \"the app\" SET idle_session_timeout = '5min';" in text
    assert (
        "limit its pool (DATABASE_POOL_MAX) to 25 over all its instances (6 each with 4), so that 42 of 60 slots suffice."
        in text
    )  # 42 - 17
    assert "also applies" not in text
    web = [
        session(pid, application="web", state="active", role='"the app"') for pid in range(50, 67)
    ]
    assert (
        "(not if a pooler connects as this role; it also applies to app 'web')"
        in lasting_remedy(
            make_plan([*leaked, *web], slots(60), wish), [*leaked, *web], slots(60)[0], wish
        )
    )
    assert lasting_remedy(make_plan(others, slots(10), wish), others, slots(10)[0], wish) == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"usage": 0}, "usage: 0 is not a percentage above 0 and up to 100"),
        ({"usage": 101}, "usage: 101 is not a percentage"),
        ({"usage": "nan"}, "usage: nan is not a percentage"),
        ({"idle_age": -1}, "idle_age: -1 is not a number of 0 or more"),
        ({"idle_age": "inf"}, "idle_age: inf is not a number of 0 or more"),
        ({"max_ended": -1}, "max_ended: -1 is not"),
        ({"wait": 61}, "wait: 61 is not a number of seconds from 0 to 60"),
        ({"timeout": 0}, "timeout: 0 is not a number of seconds above 0"),
        (
            {"protect_addresses": ["10.0.0.300"]},
            "protect_addresses: '10.0.0.300' is neither an address, nor a network, nor 'local'",
        ),
        (
            {"thresholds": {"postgres.relief": {"warning": 1}}},
            "postgres.relief has no thresholds to change",
        ),
        ({"database_url": ""}, "database_url: missing"),
        ({"database_url": "mysql://u:hunter2@h/d"}, "must start with 'postgresql://'"),
    ],
)
def test_misuse(
    options: dict[str, Any],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    given = {"database_url": "postgresql://u:hunter2@127.0.0.1:1/d", **options}
    with patch_module_args(given), pytest.raises(SystemExit):
        pg_sessions.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] is True
    assert words in answer["msg"]
    assert "hunter2" not in json.dumps(
        {key: value for key, value in answer.items() if key != "invocation"}
    )


@pytest.mark.parametrize("state", ["listed", "relieved"])
def test_a_server_that_is_not_there_fails_an_act_but_not_a_look(
    state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        patch_module_args({"database_url": "postgresql://u:hunter2@127.0.0.1:1/d", "state": state}),
        pytest.raises(SystemExit),
    ):
        pg_sessions.main()
    answer = json.loads(capsys.readouterr().out)
    assert [(check["name"], check["status"]) for check in answer["checks"]] == [
        ("postgres.reachable", "critical")
    ]
    assert answer.get("failed", False) == (state == "relieved")
    assert answer["changed"] is False


def test_an_unusable_rule_is_misuse() -> None:
    with pytest.raises(UsageError):
        options(usage=-5)
