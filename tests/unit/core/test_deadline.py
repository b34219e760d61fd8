"""The time limit of a probe."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    Deadline,
    DeadlineExceeded,
)


def test_what_remains_is_never_more_than_asked_for() -> None:
    deadline = Deadline(60)
    assert 59 < deadline.remaining() <= 60
    assert deadline.remaining(5) == 5


def test_a_deadline_that_has_passed_is_raised_and_no_ordinary_exception() -> None:
    with pytest.raises(DeadlineExceeded):
        Deadline(0).remaining(5)
    assert not issubclass(DeadlineExceeded, Exception)
