"""PM2's folder and process."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.daemon import default_home


def test_the_home_is_the_one_that_pm2_itself_would_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/deploy")
    monkeypatch.delenv("PM2_HOME", raising=False)
    assert default_home() == "/home/deploy/.pm2"
    monkeypatch.setenv("PM2_HOME", "/srv/pm2")
    assert default_home() == "/srv/pm2"
