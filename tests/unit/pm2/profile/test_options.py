"""The options of app_profile."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.profile.options import Options

PARAMS: dict[str, Any] = {
    "pm2_home": "/pm2",
    "app": "web",
    "namespace": None,
    "instance": None,
    "cpu": True,
    "heap": False,
    "confirm": None,
    "seconds": 10.0,
    "dest": None,
    "timeout": 60.0,
}


def test_valid_options() -> None:
    options = Options.from_params(PARAMS)
    assert (options.dest, options.confirmed) == ("/pm2/profiles", False)
    assert Options.from_params({**PARAMS, "confirm": "web"}).confirmed


def test_a_heap_snapshot_of_another_app_is_no_plan() -> None:
    assert not Options.from_params({**PARAMS, "confirm": "wbe"}).confirmed, "it needs none"
    with pytest.raises(UsageError, match="confirm: it is 'wbe', but the app is web"):
        Options.from_params({**PARAMS, "heap": True, "confirm": "wbe"})


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.0}, {"seconds": 301.0}, {"timeout": 0.0}, {"app": ""}, {"dest": "x"}]
)
def test_values_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))}: "):
        Options.from_params({**PARAMS, **wrong})
