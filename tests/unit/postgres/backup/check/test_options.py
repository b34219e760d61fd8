"""Which databases must have a backup."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from tests.support.backups import Options

GIVEN: dict[str, Any] = {
    "backup_dir": "/backups/",
    "databases": [],
    "tools": ["runbook"],
    "server_name": None,
    "bin_dir": None,
    "exclude": [],
    "keep_free": "1G",
}


def test_the_database_in_the_url_must_have_one_or_all_that_have_a_folder() -> None:
    options = Options.from_params(GIVEN)
    assert options.backup_dir == "/backups"
    assert options.expected("shop", ["shop", "wiki"], ["old"]) == ["shop"]
    assert options.expected("", [], ["wiki", "shop"]) == ["shop", "wiki"]


@pytest.mark.parametrize(
    ("databases", "expected"),
    [
        (["*"], ["Shop", "shop", "wiki"]),
        (["s*", "gone"], ["shop", "gone"]),
        (["shop", "*"], ["shop", "Shop", "wiki"]),
    ],
)
def test_patterns_apply_to_the_server_and_names_to_themselves(
    databases: list[str], expected: list[str]
) -> None:
    options = Options.from_params({**GIVEN, "databases": databases})
    assert options.expected("shop", ["shop", "wiki", "Shop"], ["old"]) == expected


def test_some_need_no_backup() -> None:
    options = Options.from_params({**GIVEN, "databases": ["*"], "exclude": ["w*"]})
    assert options.expected("shop", ["shop", "wiki"], []) == ["shop"]
    assert options.keep_free == 1 << 30


def test_without_an_answer_patterns_apply_to_the_folders() -> None:
    options = Options.from_params({**GIVEN, "databases": ["*"]})
    assert options.expected("shop", [], ["old"]) == ["old"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tools": []}, "tools: is empty"),
        ({"backup_dir": "b"}, "backup_dir: 'b' must be"),
        ({"keep_free": "x"}, "keep_free"),
    ],
)
def test_misuse_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options.from_params({**GIVEN, **wrong})
