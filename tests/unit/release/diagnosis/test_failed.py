"""Which release has failed last, by the records."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.failed import (
    failed_release,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    BAD,
    GOOD,
    Release,
    Switch,
)

OLD = Release("v1", "v1", "/v1", built=10.0, status=GOOD)
NEW = Release("v2", "v2", "/v2", built=20.0, status=BAD)
DEPLOYED = Switch(11.0, "deploy", "", "v1")


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ([], NEW),
        ([Switch(22.0, "revert", "v2", "v1")], NEW),
        ([Switch(22.0, "deploy", "v1", "v2"), Switch(30.0, "rollback", "v2", "v1")], NEW),
        ([Switch(22.0, "revert", "v2", "v1"), Switch(40.0, "deploy", "v1", "v3")], None),
        ([Switch(40.0, "deploy", "v1", "v3")], None),
    ],
    ids=["on trial", "reverted", "rolled back", "another has worked", "so on trial"],
)
def test_the_last_that_failed(since: list[Switch], found: Release | None) -> None:
    assert failed_release([OLD, NEW], [DEPLOYED, *since]) == found


def test_an_adopted_one_that_was_rolled_back() -> None:
    """No time is known at which it was built."""
    adopted = Release("v2", "v2", "/v2", status=BAD)
    assert failed_release([OLD, adopted], [DEPLOYED]) is None
    rolled_back = Switch(30.0, "rollback", "v2", "v1")
    assert failed_release([OLD, adopted], [DEPLOYED, rolled_back]) == adopted
    assert failed_release([OLD], []) is None
