"""Options that make no sense are named before anything is asked of Vercel."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from tests.support.vercel_samples import options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"project": ""}, "project: is not set: set vercel_project in the inventory"),
        ({"project": "a/b"}, "project: 'a/b' is neither an id nor a name"),
        ({"team": "a b"}, "team: 'a b' is neither an id nor a name"),
        ({"token": ""}, "token: is needed to use Vercel's API: set VERCEL_TOKEN"),
        ({"token": "a\nb"}, "token: it holds a space or a control character"),
        ({"state": "promoted"}, "version: is needed to promote"),
        ({"rollback_to": "a b"}, "rollback_to: 'a b' is not the name of a deployment"),
        ({"rollback_to": "--yes"}, "rollback_to: '--yes' is not the name of a deployment"),
        ({"api_url": "http://example.com"}, "api_url: http://example.com/ would send the token"),
        ({"health_urls": ["your-domain.com"]}, "health_urls: 'your-domain.com' must start with"),
        ({"version_url": "ftp://x"}, "version_url: 'ftp://x' must start with"),
        ({"bake": -1}, "bake: must be a number of seconds"),
        ({"time_limit": 0}, "time_limit: 0 is not a number of seconds"),
        ({"timeout": 3601}, "timeout: 3601 is not a number of seconds"),
        ({"healthy_share": 101}, "healthy_share: must be a percentage"),
    ],
)
def test_mistakes(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(**given)
    assert str(caught.value).startswith(message)


def test_how_requests_name_the_team() -> None:
    assert options().scope == {}
    assert options(team="team_8Yq").scope == {"teamId": "team_8Yq"}
    assert options(team="example").scope == {"slug": "example"}


def test_the_token_is_not_in_what_is_printed() -> None:
    assert "t0ken" not in repr(options())
