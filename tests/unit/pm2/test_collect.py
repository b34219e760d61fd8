"""What is counted while the apps are watched."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.collect import (
    count_crash_restarts,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import Instance
from tests.support.pm2_snapshots import instance


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        (instance(0, restarts=3, since=50), instance(0, restarts=5, since=50), {0: 2}),
        (instance(0, restarts=3, since=50), instance(0, "errored", restarts=15), {0: 12}),
        (
            instance(0, restarts=3, since=50),
            instance(0, restarts=4, since=1),
            {},
        ),  # by hand: started anew on purpose
        (instance(0, restarts=3), instance(1, restarts=9), {}),
        (instance(0, restarts=3), instance(0, restarts=0), {}),
    ],
)
def test_only_crashes_count_while_watching(
    before: Instance, after: Instance, counted: dict[int, int]
) -> None:
    assert count_crash_restarts([before], [after]) == counted
