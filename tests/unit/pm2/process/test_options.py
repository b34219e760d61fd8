"""The options of pm2_process."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.options import Options

PARAMS = {
    "name": "web",
    "state": "restarted",
    "namespace": "",
    "instances": None,
    "pm2_home": "/srv/pm2",
    "stable_for": 5.0,
    "timeout": 30.0,
}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": ""}, "name: must be the name of an app in PM2's list"),
        ({"instances": 0}, "instances: 0 is not a number above 0"),
        ({"stable_for": -1.0}, "stable_for: -1 is not a number of seconds from 0 to 600"),
        ({"stable_for": 601.0}, "stable_for: 601 is not a number of seconds from 0 to 600"),
        ({"timeout": 0.0}, "timeout: 0 is not a number of seconds above 0 and up to 3600"),
        ({"timeout": float("nan")}, "timeout: nan is not a number of seconds"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_sentence(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=f"^{sentence}"):
        Options.from_params({**PARAMS, **given})


def test_options_that_make_sense() -> None:
    assert Options.from_params(PARAMS) == Options("/srv/pm2", "web")
