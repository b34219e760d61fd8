"""The options of host_health."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.options import (
    Options,
)

PARAMS: dict[str, Any] = {
    "timeout": 10.0,
    "cpu_interval": 0.2,
    "mounts": ["/"],
    "mounts_ignore": ["/snap/*"],
    "state_dir": "/state",
    "canary": True,
}


def test_options_are_the_parameters() -> None:
    assert Options.from_params(PARAMS) == Options(10, 0.2, ["/"], ["/snap/*"], "/state", True)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"timeout": 0}, "timeout: 0 is not a number of seconds above 0 and up to 3600"),
        ({"timeout": 3601}, "timeout: 3601 is not a number of seconds above 0 and up to 3600"),
        ({"cpu_interval": 0.05}, "cpu_interval: 0.05 is not between 0.1 and half of the timeout"),
        ({"cpu_interval": 5.1}, "half of the timeout of 10 seconds"),
    ],
)
def test_a_usage_error_names_the_option(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Options.from_params({**PARAMS, **params})
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{next(iter(params))}: ")


def test_the_limits_themselves_are_allowed() -> None:
    assert Options.from_params({**PARAMS, "cpu_interval": 5}).cpu_interval == 5
    assert Options.from_params({**PARAMS, "cpu_interval": 0.1}).cpu_interval == 0.1
