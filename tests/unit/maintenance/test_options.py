"""What an operator may ask of a maintenance run."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from tests.support.maintenance_runs import options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": ["night"]}, "window: 'night' is not a span such as 22:00-06:00"),
        ({"limits": {"disks": 5}}, "limits: there is no part 'disks', only dependencies"),
        (
            {"limits": {"databaze": 5}},
            "limits: there is no part 'databaze', only dependencies, database, logs, certificates; "
            "did you mean 'database'?",
        ),
        ({"limits": {"logs": "soon"}}, "limits: 'soon' for logs is not a number of seconds"),
        ({"limits": {"logs": 0}}, "limits: 0 is not a number of seconds above 0"),
        ({"resume_within": -1}, "resume_within: must be a number of hours"),
        ({"state": "part"}, "part: which part begins"),
        ({"parts": []}, "parts: is empty; name at least one of dependencies, database, logs"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(**given)
    assert str(caught.value).startswith(message)


def test_parts_have_one_order_and_limits_keep_their_defaults() -> None:
    found = options(parts=["logs", "dependencies"], limits={"logs": "60"})
    assert found.parts == ("dependencies", "logs")
    assert (found.limits["logs"], found.limits["database"]) == (60.0, 3600.0)


def test_only_what_the_host_has_is_done() -> None:
    found = options(parts=["logs", "database"], host_parts=["dependencies", "logs"])
    assert found.parts == ("logs",)


def test_what_the_controller_says_beyond_what_is_known_is_dropped() -> None:
    assert options(controller={"owner": "dora", "colour": "red"}).controller.owner == "dora"
