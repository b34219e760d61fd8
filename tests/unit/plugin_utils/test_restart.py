"""A service is restarted only if its module calls for it, and then verified by the module."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.restart import (
    COMMAND,
    SYSTEMD,
    RestartAction,
)

JUDGED = {"restart": True, "cause": "Redis is down", "unit": "redis-server.service"}
VARIABLES = {"inventory_hostname": "db1", "ansible_play_hosts_all": ["db1", "db2"]}
Calls = list[tuple[str, dict[str, Any]]]


def run(
    monkeypatch: pytest.MonkeyPatch,
    judged: dict[str, Any],
    *,
    check_mode: bool = False,
    restarted: dict[str, Any] | None = None,
    **arguments: Any,
) -> tuple[dict[str, Any], Calls]:
    calls: Calls = []

    def execute(
        self: RestartAction,
        module_name: str = "",
        module_args: dict[str, Any] | None = None,
        task_vars: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        calls.append((module_name, module_args or {}))
        if module_name == SYSTEMD or (module_name == COMMAND and arguments):
            return restarted or {}
        return {"verified": True} if (module_args or {}).get("attempt") else dict(judged)

    monkeypatch.setattr(RestartAction, "_execute_module", execute)
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_given: {})
    action = RestartAction.__new__(RestartAction)
    action._task = SimpleNamespace(args=arguments, check_mode=check_mode)
    return action.run(task_vars=VARIABLES), calls


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_restarted(monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    judged = {**JUDGED, "restart": check_mode}
    result, calls = run(monkeypatch, judged, check_mode=check_mode)
    assert (result["cause"], calls) == ("Redis is down", [("", {})])


def test_a_unit_is_restarted_and_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = run(monkeypatch, JUDGED)
    assert result == {"verified": True}
    assert calls[1] == (COMMAND, {"argv": ["systemctl", "reset-failed", JUDGED["unit"]]})
    given = {"name": JUDGED["unit"], "state": "restarted", "no_block": True}
    assert calls[2] == (SYSTEMD, given)
    attempt = calls[3][1]["attempt"]
    assert (attempt["failed"], attempt["because"]) == (False, "Redis is down")


def test_a_command_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {
        "failed": True,
        "msg": "non-zero return code",
        "rc": 3,
        "stderr": "token=abc\nno such service",
    }
    _result, calls = run(
        monkeypatch, JUDGED, restarted=failed, restart_command=["docker", "restart", "cache"]
    )
    assert calls[1] == (COMMAND, {"argv": ["docker", "restart", "cache"]})
    attempt = calls[2][1]["attempt"]
    assert attempt["failed"] is True
    assert attempt["text"].startswith("docker ended with code 3: ")
    assert attempt["text"].endswith("no such service")
    assert "abc" not in attempt["text"]


def test_a_command_that_cannot_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"failed": True, "msg": "Error executing command.", "rc": 13, "stderr": ""}
    _result, calls = run(monkeypatch, JUDGED, restarted=failed, restart_command=["/opt/up"])
    assert calls[2][1]["attempt"]["text"] == "/opt/up cannot be run: Permission denied"


def test_a_name_that_no_host_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = run(monkeypatch, JUDGED, confirm="bd1")
    assert (result["failed"], calls) == (True, [])
    assert result["msg"] == "confirm: it is 'bd1', but the hosts are db1, db2; nothing was changed"


@pytest.mark.parametrize(("confirmed", "steps"), [("db2", 1), ("db1", 4)])
def test_only_the_host_that_is_confirmed_is_restarted(
    monkeypatch: pytest.MonkeyPatch, confirmed: str, steps: int
) -> None:
    result, calls = run(monkeypatch, JUDGED, confirm=confirmed)
    assert len(calls) == steps
    assert ("verified" in result) is (confirmed == "db1")


def test_the_outcome_is_not_for_playbooks(monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = run(monkeypatch, JUDGED, attempt={"failed": False})
    assert (result["failed"], calls) == (True, [])
