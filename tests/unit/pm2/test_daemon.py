"""PM2's folder and process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.daemon import (
    default_home,
    other_daemons,
)


def test_the_home_is_the_one_that_pm2_itself_would_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/deploy")
    monkeypatch.delenv("PM2_HOME", raising=False)
    assert default_home() == "/home/deploy/.pm2"
    monkeypatch.setenv("PM2_HOME", "/srv/pm2")
    assert default_home() == "/srv/pm2"


@pytest.mark.parametrize(
    ("title", "environment", "home", "found"),
    [
        ("PM2 v6.0.14: God Daemon (/srv/app/.pm2)", {}, "/home/deploy/.pm2", ["/srv/app/.pm2"]),
        ("PM2 v6.0.14: God Daemon (/srv/a", {"PM2_HOME": "/srv/app/.pm2"}, "/x", ["/srv/app/.pm2"]),
        ("PM2 v6.0.14: God Daemon (/srv/a", {}, "/home/deploy/.pm2", ["/srv/a…"]),
        ("PM2 v6.0.14: God Daemon (/srv/a", {}, "/srv/app/.pm2", []),
        ("PM2 v6.0.14: God Daemon (/srv/app/.pm2)", {}, "/srv/app/.pm2", []),
    ],
)
def test_a_daemon_is_found_by_its_title_although_it_is_cut(
    title: str, environment: dict[str, str], home: str, found: list[str]
) -> None:
    """A title is no longer than the command line that the process was started with."""
    before = set(other_daemons(home))  # of others on this machine
    with subprocess.Popen([title, "60"], executable="/bin/sleep", env=environment) as process:
        try:
            while not Path(f"/proc/{process.pid}/cmdline").read_bytes():  # not yet set after exec
                pass
            ours = [folder for folder, _user in set(other_daemons(home)) - before]
        finally:
            process.kill()
    assert ours == found
