"""Other configurations that rotate the same logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.foreign import (
    Foreign,
    foreign_patterns,
    has_pm2_logrotate,
    patterns_in,
    rivals,
)

CONFIGURATION = """
# /var/log/commented.log {
weekly
create 0640 root adm
/var/log/a.log
"/var/log/b c.log" {
    daily
    postrotate
        # /var/log/in-a-script.log {
        if [ -f x ]; then { echo ${Y}; } fi
        awk '{ print }'
    endscript
}
compress
/var/log/d/*.log /var/log/e.log { monthly
}
"""


def test_the_logs_that_a_configuration_names() -> None:
    assert patterns_in(CONFIGURATION) == [
        "/var/log/a.log",
        "/var/log/b c.log",
        "/var/log/d/*.log",
        "/var/log/e.log",
    ]


def test_what_is_included_counts_except_our_own_file(tmp_path: Path) -> None:
    folder = tmp_path / "logrotate.d"
    folder.mkdir()
    (tmp_path / "logrotate.conf").write_text(f"weekly\ninclude {folder}\n")
    (folder / "app").write_text("/var/log/app.log {\n}\n")
    (folder / "app.dpkg-old").write_text("/var/log/old.log {\n}\n")
    (folder / "ours").write_text("/var/log/ours.log {\n}\n")
    found = foreign_patterns(str(tmp_path / "logrotate.conf"), str(folder / "ours"))
    assert found == [Foreign(str(folder / "app"), "/var/log/app.log")]
    assert foreign_patterns("/no/such/file", "/x") == []


@pytest.mark.parametrize(
    ("pattern", "logs", "other", "is_rival"),
    [
        ("/l/*.log", ["/l/a.log"], "/l/a.log", True),
        ("/l/*.log", [], "/l/a.log", True),
        ("/l/a.log", [], "/l/*.log", True),
        ("/l/*.log", ["/l/a.log"], "/l/a*", True),
        ("/l/*.log", ["/l/b.log"], "/l/a*", False),
        ("/l/*.log", [], "/l/*.log", True),
        ("/l/*.log", ["/l/b.log"], "/m/*.log", False),
        ("/l/m/*.log", ["/l/m/a.log"], "/l/*.log", False),  # not in folders below
        ("/l/m/a.log", [], "/l/*", False),
    ],
)
def test_who_rotates_the_same(pattern: str, logs: list[str], other: str, is_rival: bool) -> None:
    assert bool(rivals(pattern, logs, [Foreign("/etc/x", other)])) is is_rival


def test_pm2_logrotate(tmp_path: Path) -> None:
    assert not has_pm2_logrotate("")
    assert not has_pm2_logrotate(str(tmp_path))
    (tmp_path / "module_conf.json").write_text('{"module-db-v2": null}')
    assert not has_pm2_logrotate(str(tmp_path))
    (tmp_path / "module_conf.json").write_text('{"module-db-v2": {"pm2-logrotate": {}}}')
    assert has_pm2_logrotate(str(tmp_path))
    (tmp_path / "module_conf.json").unlink()
    (tmp_path / "modules" / "pm2-logrotate").mkdir(parents=True)
    assert has_pm2_logrotate(str(tmp_path))
