"""The permanent fix that pg_sessions proposes."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.plan import (
    make_plan,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.sessions.remedy import (
    permanent_remedy,
)
from tests.support.session_rows import (
    options,
    session,
    slots,
)


def test_the_remedy_names_the_app_at_fault_its_role_and_what_fits() -> None:
    leaked = [
        session(pid, state="idle in transaction" if pid < 10 else "idle", role='"the app"')
        for pid in range(50)
    ]
    others = [session(pid, application="web", state="active") for pid in range(50, 67)]
    wish = options(instances=4, idle_age=299.5)
    text = permanent_remedy(
        make_plan([*leaked, *others], slots(60), wish), [*leaked, *others], slots(60)[0], wish
    )
    assert text.startswith(
        "Permanent fix for app 'worker': "
        "ALTER ROLE \"the app\" SET idle_in_transaction_session_timeout = '5min'; "
    )
    assert "ALTER ROLE \"the app\" SET idle_session_timeout = '5min';" in text
    assert (
        "limit its pool (DATABASE_POOL_MAX) to 25 over all its instances (6 each with 4), "
        "so that 42 of 60 slots are enough." in text
    )  # 42 - 17
    assert "also applies" not in text
    web = [
        session(pid, application="web", state="active", role='"the app"') for pid in range(50, 67)
    ]
    assert (
        "(not if a pooler connects as this role; it also applies to app 'web')"
        in permanent_remedy(
            make_plan([*leaked, *web], slots(60), wish), [*leaked, *web], slots(60)[0], wish
        )
    )
    assert permanent_remedy(make_plan(others, slots(10), wish), others, slots(10)[0], wish) == ""
