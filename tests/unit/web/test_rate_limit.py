"""Which refusals are a rate limit's, and for how long to wait."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.rate_limit import (
    DEFAULT_PAUSE,
    pause_after,
)
from tests.support.web import answer

NGINX = "<html><center><h1>503</h1></center><hr><center>nginx</center></html>"


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, DEFAULT_PAUSE),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.25),
        ({"retry-after": "soon"}, DEFAULT_PAUSE),
        ({"retry-after": "-5"}, DEFAULT_PAUSE),
        ({"ratelimit-reset": "3"}, 3.0),
        ({"retry-after": formatdate(130.0), "date": formatdate(100.0)}, 30.0),
        ({"retry-after": formatdate(100.0)}, 0.25),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], pause: float) -> None:
    assert pause_after(answer(status=429, headers=headers), served_before=False) == pause


@pytest.mark.parametrize(
    ("given", "limited"),
    [
        (answer(NGINX, status=503), True),
        (answer(status=503, headers={"retry-after": "1"}), True),
        (answer("Too Many Requests", status=503), True),
        (answer('{"status": "unavailable"}', status=503), False),
        (answer(status=403, headers={"x-ratelimit-remaining": "0"}), True),
        (answer(status=403), False),
        (answer(status=502, headers={"retry-after": "1"}), False),
    ],
)
def test_what_is_a_limit_only_after_a_good_answer(given: object, limited: bool) -> None:
    assert (pause_after(given, served_before=True) is not None) == limited  # type: ignore[arg-type]
    assert pause_after(given, served_before=False) is None  # type: ignore[arg-type]
