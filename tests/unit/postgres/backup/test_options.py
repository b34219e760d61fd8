"""What is refused before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.options import (
    Options,
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backup_dir": ""}, "backup_dir: missing"),
        ({"backup_dir": "backups"}, "backup_dir: must be an absolute path"),
        ({"jobs": 99}, "jobs: 99"),
        ({"compression": "lzma"}, "compression: 'lzma' is not of the form"),
        ({"age_recipients": ("AGE-SECRET-KEY-1X",)}, "age_recipients: takes public keys"),
        ({"age_recipients": ("gpg",)}, "age_recipients: a public key starts with"),
        ({"lock_wait": 0}, "lock_wait: 0"),
        ({"time_limit": 0}, "time_limit: 0"),
    ],
)
def test_wrong_options_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        Options(**{"backup_dir": "/b", **given})
    assert "AGE-SECRET" not in str(refused.value)


def test_encryption_implies_one_file() -> None:
    assert not Options("/b").stream
    encrypted = Options("/b", age_recipients=("age1x",), jobs=4)
    assert encrypted.stream
    assert encrypted.processes == 1
    assert Options("/b", jobs=3).processes == 3
    assert Options("/b").processes >= 1


def test_patterns_choose_databases() -> None:
    options = Options("/b", databases=("app*", "shop"), exclude=("app_test",))
    chosen = [name for name in ("app", "app_test", "shop", "x") if options.selects(name)]
    assert chosen == ["app", "shop"]
