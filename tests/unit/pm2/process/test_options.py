"""The options of pm2_process."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.options import Options

PARAMS = {
    "name": "web",
    "confirm": "",
    "state": "restarted",
    "namespace": "",
    "instances": None,
    "pm2_home": "/srv/pm2",
    "stable_for": 5.0,
    "timeout": 30.0,
    "url": None,
    "trial_env": {},
    "trial_url": None,
    "save": False,
    "boot": False,
    "pm2_executable": None,
}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": ""}, "name: must be the name of an app in PM2's list"),
        ({"confirm": "wbe"}, "confirm: it is 'wbe', but the app is web"),
        ({"instances": 0}, "instances: 0 is not a number above 0"),
        ({"stable_for": -1.0}, "stable_for: -1 is not a number of seconds from 0 to 600"),
        ({"stable_for": 601.0}, "stable_for: 601 is not a number of seconds from 0 to 600"),
        ({"timeout": 0.0}, "timeout: 0 is not a number of seconds above 0 and up to 3600"),
        ({"instances": "many"}, "instances: many is neither a number nor max"),
        ({"url": "localhost:3000"}, "url: localhost:3000 is not an address with http"),
        ({"trial_env": {"PORT": 1}}, "trial_env: trial_env and trial_url need each other"),
        ({"script": "a.js"}, "state: restarted changes no settings"),
        ({"state": "present", "cwd": "a"}, "cwd: a is not an absolute path"),
        ({"state": "present", "config": "a.json"}, "config: a.json is not an absolute path"),
        ({"max_memory_restart": "many"}, "max_memory_restart: many is not a size"),
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


def test_instances_are_counted_as_pm2_does() -> None:
    def count(given: str) -> int | None:
        return Options.from_params({**PARAMS, "instances": given}).instances

    processors = os.cpu_count() or 1
    assert (count("2"), count("max"), count("")) == (2, processors, None)
    assert count("-1") == max(1, processors - 1)


def test_times_and_sizes_are_those_of_pm2() -> None:
    given = {"state": "present", "kill_timeout": 1.5, "max_memory_restart": "300M"}
    values = Options.from_params({**PARAMS, **given}).definition.values
    assert values == {"kill_timeout": 1500, "max_memory_restart": 300 << 20}
