"""The configuration for logrotate, and the shell commands in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.config_file import (
    MARK,
    Group,
    cut_patterns,
    render,
    reopen_script,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.foreign import patterns_in
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.options import Options

PATHS = ("/var/log/gpt agent/*.log", "/var/log/b.log")


def test_the_whole_file() -> None:
    groups = [Group(PATHS, "deploy", "adm"), Group(("/srv/c.log",))]
    text = render(Options(PATHS, archive_dir="/backups/logs"), groups, "/usr/bin/gzip", "/bin/py")
    assert text.startswith(MARK)
    assert patterns_in(text) == [*PATHS, "/srv/c.log"]
    # Not by their number: there are more if logs are rotated on request.
    assert text.count("    rotate -1\n    maxage 120\n") == 2
    assert text.count("    su deploy adm\n") == 1
    assert text.count("    nocopytruncate\n") == text.count("    create\n") == 2
    assert "'/var/log/gpt agent/*.log' '/var/log/b.log' <<'END'" in text
    assert max(map(len, text.splitlines())) <= 100
    assert text == render(
        Options(PATHS, archive_dir="/backups/logs"), groups, "/usr/bin/gzip", "/bin/py"
    )


@pytest.mark.parametrize("told", [{}, {"pm2_home": "/home/d/.pm2", "nginx_pid_file": "/run/n.pid"}])
def test_the_scripts_are_valid_for_the_shell(told: dict[str, Any]) -> None:
    options = Options(PATHS, reopen_command="true", **told)
    text = render(options, [Group(PATHS)], "/usr/bin/gzip", sys.executable)
    assert f"    {sys.executable} -I - " in text, "takes no module from the current folder"
    for name in ("firstaction", "postrotate"):
        script = text.partition(f"    {name}\n")[2].partition("    endscript\n")[0]
        subprocess.run(["sh", "-n", "-c", script], check=True)
        assert subprocess.run(["sh", "-c", script], check=False, timeout=30).returncode == 0


def test_logs_of_pm2_that_stay_open() -> None:
    options = Options(PATHS, pm2_home="/home/d/.pm2", nginx_pid_file="/run/n.pid", keep_free=7)
    groups = [Group(PATHS, "root", "root", cut=True), Group(("/srv/c.log",), has_pm2=False)]
    text = render(options, groups, "/usr/bin/gzip", sys.executable)
    assert cut_patterns(text) == set(PATHS)
    assert patterns_in(text) == [*PATHS, "/srv/c.log"]
    assert (text.count("    copy\n"), text.count("    nocopy\n")) == (1, 1)
    assert "pm2.pid" not in text, "PM2 is not told to open its logs again for those of others"
    assert "/run/n.pid" in text
    script = text.partition("    firstaction\n")[2].partition("    endscript\n")[0]
    subprocess.run(["sh", "-c", script], check=True)
    script = text.partition("    postrotate\n")[2].partition("    endscript\n")[0]
    finish = ["sh", "-c", script, "logrotate", "/nonexistent/a.log", "/nonexistent/a.log-1"]
    done = subprocess.run(finish, capture_output=True, text=True, check=False)
    assert text.count(" 'root' 'root' ") == 3, "each script has the permissions of that user"
    assert (done.returncode, "/nonexistent: No such file" in done.stderr) == (1, True)
    told = render(options, [Group(PATHS)], "/usr/bin/gzip", sys.executable)
    assert (cut_patterns(told), "pm2.pid" in told) == (set(), True)


def test_a_process_that_is_not_the_writer_gets_no_signal(tmp_path: Path) -> None:
    """The number in the file was given to another process since."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            (tmp_path / "pm2.pid").write_text(str(process.pid))
            options = Options(pm2_home=str(tmp_path), nginx_pid_file=str(tmp_path / "pm2.pid"))
            done = subprocess.run(["sh", "-c", reopen_script(options)], check=False)
            assert (done.returncode, process.poll()) == (0, None)
        finally:
            process.kill()
