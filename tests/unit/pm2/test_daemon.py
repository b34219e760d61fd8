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
        ("PM2 v6.0.14: God Daemon ({}/.pm2)", "", "/home/deploy/.pm2", ["{}/.pm2"]),
        ("PM2 v6.0.14: God Daemon ({}", "{}/.pm2", "/x", ["{}/.pm2"]),
        ("PM2 v6.0.14: God Daemon ({}", "", "/home/deploy/.pm2", ["{}…"]),
        ("PM2 v6.0.14: God Daemon ({}", "", "{}/.pm2", []),
        ("PM2 v6.0.14: God Daemon ({}/.pm2)", "", "{}/.pm2", []),
    ],
)
def test_a_daemon_is_found_by_its_title_although_it_is_cut(
    tmp_path: Path, title: str, environment: str, home: str, found: list[str]
) -> None:
    """A title is no longer than the command line that the process was started with."""
    ours = str(tmp_path)  # other tests' daemons come and go meanwhile
    title, environment, home = (text.format(ours) for text in (title, environment, home))
    with subprocess.Popen(
        [title, "60"], executable="/bin/sleep", env={"PM2_HOME": environment}
    ) as process:
        try:
            while not Path(f"/proc/{process.pid}/environ").read_bytes():  # set last by exec
                pass
            folders = [folder for folder, _user in other_daemons(home) if folder.startswith(ours)]
        finally:
            process.kill()
    assert folders == [text.format(ours) for text in found]
