"""The options of deployment_watch."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import (
    PM2,
    VERCEL,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.options import Options

PARAMS: dict[str, Any] = {
    "name": "web",
    "backend": PM2,
    "confirm": "web",
    "watch_for": 60.0,
    "interval": 10.0,
    "failures": 3,
    "deployed_within": 24.0,
}


def test_the_rollback_that_may_follow_is_of_this_app() -> None:
    assert Options.from_params(PARAMS).release.name == "web"
    with pytest.raises(UsageError, match="confirm: it is 'wbe', but the app is web"):
        Options.from_params({**PARAMS, "confirm": "wbe"})
    vercel = {**PARAMS, "backend": VERCEL, "confirm": "the project"}
    assert Options.from_params(vercel).release.backend == VERCEL


@pytest.mark.parametrize("wrong", [{"watch_for": -1.0}, {"interval": 0.0}, {"failures": 0}])
def test_values_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))}: "):
        Options.from_params({**PARAMS, **wrong})
