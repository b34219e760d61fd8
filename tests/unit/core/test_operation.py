"""The outcome of an operation."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Action
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.operation import (
    Outcome,
    file_diff,
)


@pytest.mark.parametrize(
    ("statuses", "changed"),
    [
        ([], False),
        (["skipped"], False),
        (["failed"], False),
        (["skipped", "done"], True),
        (["planned"], True),
    ],
)
def test_only_what_was_done_or_is_planned_changes(statuses: list[str], changed: bool) -> None:
    assert Outcome(actions=[Action("a.b", status) for status in statuses]).changed is changed


def test_the_diff_shows_what_was_needed_and_what_still_is() -> None:
    outcome = Outcome(
        actions=[
            Action("pg.vacuum", "done", "bloated", "a"),
            Action("pg.vacuum", "failed", "locked", "b"),
        ]
    )
    assert outcome.diff == {
        "before": "pg.vacuum a: bloated\npg.vacuum b: locked\n",
        "after": "pg.vacuum b: locked\n",
    }


def test_the_diff_of_a_file_has_its_path_and_both_texts() -> None:
    assert file_diff("/etc/it", "same\n", "same\n") == []
    (found,) = file_diff("/etc/it", "", "new\n")
    assert (found["before_header"], found["after_header"]) == ("/etc/it", "/etc/it")
    assert (found["before"], found["after"]) == ("", "new\n")
