"""What log_rotation accepts, and how it says what is wrong."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.options import (
    Options,
    is_safe,
)
from ansible_collections.gpt_agent.runbook.plugins.modules.log_rotation import ARGUMENT_SPEC


def options(**given: Any) -> Options:
    defaults = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    return Options.from_params({**defaults, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paths": ["app.log"]}, "paths: app.log is not an absolute path"),
        ({"paths": ["/var/log/a/*"]}, "paths: /var/log/a/* would also match"),
        ({"paths": ["/var/log/a/app*"]}, "would also match logs that are rotated already"),
        ({"paths": ["/var/log/a'b.log"]}, "must not contain quotes"),
        ({"paths": ["/var/log/${X}.log"]}, "must not contain quotes"),
        ({"paths": ["/var//log/x.log"]}, "paths: write /var//log/x.log as /var/log/x.log"),
        ({"keep": -1}, "keep: -1"),
        ({"archive_keep": 0}, "archive_keep: 0"),
        ({"keep_free": "much"}, "keep_free: 'much' is not a size"),
        ({"wait": 0}, "wait: 0"),
        ({"config_file": "x"}, "config_file: x is not an absolute path"),
        ({"reopen_command": "a\nendscript"}, "reopen_command: must be one line"),
        ({"keep": 0}, "keep: 0 without archive_dir would remove logs"),
        ({"nginx_pid_file": "nginx.pid"}, "nginx_pid_file: nginx.pid is not an absolute path"),
        (
            {"paths": ["/var/log/a/app.log"], "archive_dir": "/var/log/a"},
            "archive_dir: /var/log/a is the folder of /var/log/a/app.log",
        ),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        options(**given)


def test_patterns_that_are_fine() -> None:
    paths = ["/var/log/a/*.log", "/var/log/a/app", "/var/log/*/[ab]?.log", "/var/log/a b/x.log"]
    assert options(paths=[*paths, paths[0]]).paths == tuple(paths)


def test_logrotate_removes_nothing_before_it_would_have_expired_in_the_archive() -> None:
    assert options(keep=30).days == 30
    assert options(keep=30, archive_dir="/backups/logs", archive_keep=90).days == 120


def test_the_home_of_pm2() -> None:
    assert options().pm2_home == ""
    assert options(pm2_user="root").pm2_home == os.path.expanduser("~root/.pm2")
    assert options(pm2_user="no-such-user").pm2_home == "", "a host without this app"
    assert options(pm2_user="root", pm2_home="/srv/pm2").pm2_home == "/srv/pm2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a b.log", True), ('x" {\n}.log', False), ("a'b.log", False), ("a*.log", False)],
)
def test_names_of_logs_that_ours_may_write(name: str, expected: bool) -> None:
    assert is_safe(f"/l/{name}") is expected
