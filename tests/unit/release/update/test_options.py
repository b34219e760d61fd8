"""What npm_update accepts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.options import (
    Options,
)


def options(**given: Any) -> Options:
    return Options.from_params({"path": "/srv/app/current", **given})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"path": "current"}, "path: current is not an absolute path"),
        ({"only": ["--force"]}, "only: '--force' is not the name of a package"),
        ({"exclude": ["a b"]}, "exclude: 'a b' is not the name of a package"),
        ({"vulnerable": True, "only": ["a"]}, "vulnerable: npm chooses"),
        ({"registry": "https://bob:geheim@host/"}, "registry: credentials belong in"),
        ({"version": "-x", "repository": "/srv/git"}, "version: '-x' is not the name"),
        ({"version": "main"}, "version: needs repository"),
        ({"offer": "branch"}, "repository: is needed for a branch"),
        ({"free_disk": -1.0}, "free_disk: must be 0 or more GiB"),
        ({"command_timeout": 0.0}, "command_timeout: 0 is not a number of seconds"),
        ({"search_time": 1e6}, "search_time: 1e+06 is not a number of seconds"),
    ],
)
def test_values_that_make_no_sense(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError) as error:
        options(**given)
    assert str(error.value).startswith(reason)


def test_names_of_packages() -> None:
    given = ["express", "@types/node", "JSONStream", "lodash.merge"]
    assert options(only=given).only == tuple(given)


def test_no_options_stand_for_the_defaults() -> None:
    found = Options.from_params({"path": None, "commands": [], "environment": None})
    assert (found.path, found.commands) == ("", Options.commands)


def test_commands_get_no_way_to_the_live_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://live/")
    monkeypatch.setenv("NODE_ENV", "production")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1/")
    monkeypatch.setenv("PATH", "/usr/bin")
    found = options(
        environment={"DATABASE_URL": "test", "PORT": 1}, npm="/opt/node/bin/npm"
    ).surroundings()
    assert (found["DATABASE_URL"], found["PORT"]) == ("test", "1")
    assert "NODE_ENV" not in found
    assert found["HTTPS_PROXY"] == "http://proxy:1/"
    assert found["PATH"] == "/opt/node/bin:/usr/bin"


def test_where_the_offers_are() -> None:
    assert options(state_dir="/var/state").place == "/var/state/npm_update/srv-app-current"
    assert options(state_dir="/var/state", dest="/srv/offers").place == "/srv/offers"


def test_what_is_masked() -> None:
    given = {"NODE_ENV": "test", "PORT": "3000", "DB_PASSWORD": "geheim", "OTHER": "long enough"}
    found = options(environment=given, snyk_token="abc")
    assert set(found.secrets) == {"geheim", "long enough", "abc"}
    assert "geheim" not in repr(found)
