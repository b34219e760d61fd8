"""What app_release refuses at once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options


def options(**params: Any) -> Options:
    return Options.from_params({"name": "app", "state": "listed", **params})


def test_defaults_stay_for_what_is_not_given() -> None:
    found = options(version=None, build=["make"], pm2_home=None, requires=[])
    assert (found.build, found.version, found.pm2_home) == (("make",), "", "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": ""}, "name: must be"),
        ({"state": "deployed"}, "version: is needed"),
        ({"state": "deployed", "version": "--upload-pack=x"}, "version: .* not the name"),
        ({"rollback_to": "v1; reboot"}, "rollback_to: .* not the name"),
        ({"confirm": "other"}, "confirm: it is 'other', but the app is app"),
        ({"root": "srv/app"}, "root: .* not an absolute path"),
        ({"shared": ["/etc/passwd"]}, "shared: .* not a path inside a release"),
        ({"shared": ["../.env"]}, "shared: .* not a path inside a release"),
        ({"env_example": "../.env"}, "env_example: .* not a path inside a release"),
        ({"health_urls": ["ftp://host/"]}, "health_urls: .* not a URL"),
        ({"version_url": "version"}, "version_url: .* not a URL"),
        ({"bake": -1.0}, "bake: must be a number"),
        ({"timeout": 0.0}, "timeout: 0 is not"),
        ({"healthy_share": 0.0}, "healthy_share: must be"),
        ({"keep": 0}, "keep: at least 1"),
    ],
)
def test_what_makes_no_sense(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        options(**params)


def test_the_wanted_version_depends_on_the_direction() -> None:
    both = {"version": "v2", "rollback_to": "v1"}
    assert options(state="deployed", **both).wanted == "v2"
    assert options(state="rolled_back", **both).wanted == "v1"
