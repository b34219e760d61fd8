"""Who can get in, by bind, password and protected mode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from tests.support.redis_samples import HEALTHY, verdicts, with_counters


@pytest.mark.parametrize(
    ("bind", "status"),
    [
        ("127.0.0.1 -::1", "ok"),
        ("", "warning"),
        ("* -::*", "warning"),
        ("10.0.0.5 127.0.0.1", "warning"),
        ("8.8.8.8", "critical"),
        ("127.0.0.1 2606:4700::1111", "critical"),
    ],
)
def test_without_a_password(bind: str, status: str) -> None:
    settings = {"bind": bind, "protected-mode": "no"}
    open_to_all = replace(HEALTHY, default_user=("on", "nopass"), settings=settings)
    assert verdicts(open_to_all)["redis.security"].status == status
    disabled = replace(open_to_all, default_user=("off", "nopass"))
    assert verdicts(disabled)["redis.security"].status == "ok"


def test_what_cannot_be_seen_is_unknown() -> None:
    why = NotCollected("renamed", "Correct it.")
    refused = replace(HEALTHY, default_user=None, refused={"ACL GETUSER": why})
    check = verdicts(refused)["redis.security"]
    assert (check.status, check.remedy) == ("unknown", "Correct it.")
    no_config = replace(HEALTHY, default_user=("on", "nopass"), settings={})
    assert verdicts(no_config)["redis.security"].status == "unknown"


def test_commands_that_open_the_server() -> None:
    risky = replace(HEALTHY, settings={**HEALTHY.settings, "enable-debug-command": "yes"})
    assert verdicts(risky)["redis.security"].status == "warning"


def test_refused_logins_are_named() -> None:
    check = verdicts(with_counters(acl_access_denied_auth=12))["redis.security"]
    assert "12 logins refused" in check.summary
