"""Apps that are missing, and daemons that cannot be reached."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2 import assess as pm2_assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.assess import (
    missing_app,
    unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.client import AccessDenied
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import Instance
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.snapshot import Snapshot
from tests.support.pm2_snapshots import NOW, THRESHOLDS


def test_an_app_that_pm2_does_not_know() -> None:
    seen = Snapshot(
        NOW,
        (
            Instance(0, "worker", "blue", "online"),
            Instance(1, "pm2-logrotate", "default", "online", module=True),
        ),
        "1:2",
    )
    check = missing_app("gpt-agent", seen, THRESHOLDS)
    assert (check.status, check.summary) == (
        "critical",
        "gpt-agent is not in PM2's list, which contains blue/worker",
    )
    assert "pm2 resurrect" in check.remedy
    assert (
        missing_app("", Snapshot(NOW, (), "1:2"), THRESHOLDS).summary
        == "PM2 is running, but its list contains no app"
    )


def test_a_daemon_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pm2_assess, "other_daemons", lambda home: [("/home/deploy/.pm2", "deploy")])
    check = unreachable(
        Unreachable("there is no socket /opt/pm2/rpc.sock"), "/opt/pm2", "gpt-agent", THRESHOLDS
    )
    assert (check.status, check.subject) == ("critical", "gpt-agent")
    assert check.summary.endswith(
        "there is no socket /opt/pm2/rpc.sock; PM2 is running in /home/deploy/.pm2 (user deploy)"
    )
    assert "app_user" in check.remedy
    check = unreachable(AccessDenied("user www may not connect"), "/x", "", THRESHOLDS)
    assert check.status == "unknown"
    assert "become_user" in check.remedy
