"""What is kept of PM2's answer, and what it says about an instance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import (
    App,
    Instance,
    group_apps,
    instance_from,
)
from tests.support.pm2_snapshots import SECRET, row


def test_nothing_but_the_known_fields_is_kept() -> None:
    kept = instance_from(
        row(
            restart_time=4,
            pm_uptime=1_700_000_000_500,
            max_memory_restart=104857600,
            exit_code=1,
            namespace="blue",
        )
    )
    assert SECRET not in repr(kept)
    assert kept == Instance(
        3,
        "gpt-agent",
        "blue",
        "online",
        pid=42,
        restarts=4,
        started=1_700_000_000.5,
        exit_code=1,
        memory=1000,
        memory_limit=104857600,
    )


JSON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "7", "online", [], [1], {}, {"isModule": 1}, {"memory": "x"}]),
)
FIELDS = st.sampled_from(
    [
        "pm_id",
        "name",
        "namespace",
        "status",
        "restart_time",
        "pm_uptime",
        "created_at",
        "exit_code",
        "max_memory_restart",
        "kill_timeout",
        "axm_options",
    ]
)


@given(
    st.dictionaries(FIELDS, JSON), st.dictionaries(st.sampled_from(["pid", "name", "monit"]), JSON)
)
def test_a_field_of_any_kind_does_no_harm(env: dict[str, Any], outside: dict[str, Any]) -> None:
    """Variables of the environment replace PM2's own fields, so any field may hold anything."""
    kept = instance_from({**row(**env), **outside})
    assert isinstance(kept.restarts, int)
    assert isinstance(kept.status, str)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"restarts": 0}, False),
        ({"restarts": 9}, False),
        ({"restarts": 9, "started": 105.0}, True),
        ({"restarts": 9, "started": 102.0}, False),
        ({"restarts": 9, "started": 105.0, "kill_timeout": 30.0}, False),
        ({"restarts": 9, "unstable_restarts": 1}, False),
        ({"restarts": 9, "unstable_restarts": 2}, True),
        ({"restarts": 9, "created": None}, False),
        ({"restarts": 0, "started": 999999.0}, False),
    ],
    ids=str,
)
def test_a_restart_after_a_crash_keeps_the_time_of_creation(
    more: dict[str, Any], expected: bool
) -> None:
    one = Instance(
        **{
            "pm_id": 0,
            "name": "a",
            "namespace": "default",
            "status": "online",
            "started": 100.5,
            "created": 100.0,
            **more,
        }
    )
    assert one.restarted_by_pm2 is expected


def test_apps_are_known_by_namespace_and_name_and_modules_are_none() -> None:
    def one(pm_id: int, name: str, namespace: str = "default", **more: Any) -> Instance:
        return Instance(pm_id, name, namespace, "online", **more)

    rows = [
        one(4, "web"),
        one(1, "worker", "blue"),
        one(0, "web"),
        one(2, "worker"),
        one(3, "pm2-logrotate", module=True),
    ]
    assert group_apps(rows) == [
        App("worker", "blue", (rows[1],)),
        App("web", "default", (rows[2], rows[0])),
        App("worker", "default", (rows[3],)),
    ]
    assert [app.label for app in group_apps(rows)] == ["blue/worker", "web", "worker"]
    assert [app.label for app in group_apps(rows, "blue")] == ["blue/worker"]


def test_modules_are_recognised_by_both_of_pm2s_marks() -> None:
    assert instance_from(row(pmx_module=True)).module
    assert instance_from(row(axm_options={"isModule": True})).module
    assert not instance_from(row(axm_options={"isModule": "", "error": True})).module
