"""What the operator asked for, validated."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.options import (
    Options,
)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"backup_dir": "/b", "level": 7}, "level: 7 is not a number from 1 to 6"),
        ({"backup_dir": "/b", "jobs": 0}, "jobs: 0"),
        ({}, "backup_dir: missing"),
        ({"state": "restored"}, "backup_dir: missing"),
        ({"state": "restored", "backup_dir": "/b", "backup": "all"}, "backup: 'all' is for"),
        ({"backup_dir": "/b", "timeout": 0}, "timeout: 0"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Options(**given)


def test_a_path_needs_no_folder_of_backups() -> None:
    assert Options(backup="/b/x.dir").backup == "/b/x.dir"
    assert Options(state="reverted").backup_dir == ""


def test_patterns_choose_databases() -> None:
    assert Options(backup_dir="/b").selects("shop")
    options = Options(backup_dir="/b", databases=("shop*",))
    assert [options.selects(name) for name in ("shop", "shop_2", "blog")] == [True, True, False]
