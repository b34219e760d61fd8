"""What ansible-core says of an option that it cannot use, in our words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.mistakes import in_our_words

ENDPOINT: dict[str, Any] = {
    "url": {"required": True},
    "samples": {"type": "int"},
    "kind": {"choices": ["page", "api"]},
}
SPEC: dict[str, Any] = {
    "timeout": {"type": "float"},
    "instances": {"type": "int"},
    "canary": {"type": "bool"},
    "thresholds": {"type": "dict"},
    "hosts": {"type": "list", "elements": "int"},
    "purpose": {"choices": ["cache", "queue"]},
    "formats": {"type": "list", "choices": ["junit", "prometheus"]},
    "endpoints": {"type": "list", "elements": "dict", "options": ENDPOINT},
}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeout": "fast"}, "timeout: must be a number"),
        ({"instances": "two"}, "instances: must be a whole number"),
        ({"canary": "maybe"}, "canary: must be true or false"),
        ({"thresholds": [1]}, "thresholds: must be a mapping"),
        ({"hosts": {"a": 1}}, "hosts: must be a list"),
        ({"hosts": ["a"]}, "hosts: must be a whole number"),
        ({"purpose": "cahce"}, "purpose: 'cahce' is not one of cache, queue"),
        ({"formats": ["pdf"]}, "formats: 'pdf' is not one of junit, prometheus"),
        (
            {"endpoints": [{"url": "/", "samples": "ten"}]},
            "endpoints: samples: must be a whole number",
        ),
        (
            {"endpoints": [{"url": "/", "kind": "pgae"}]},
            "endpoints: kind: 'pgae' is not one of page, api",
        ),
        ({"endpoints": [{"kind": "api"}]}, "endpoints: url is missing"),
        (
            {"endpoints": [{"url": "/", "expects": "x"}]},
            "endpoints: there is no option 'expects'; use kind, samples, url",
        ),
    ],
)
def test_a_mistake_starts_with_the_option(given: dict[str, Any], words: str) -> None:
    """The messages are those of the installed ansible-core, so that a new wording is noticed."""
    messages = ArgumentSpecValidator(SPEC).validate(given).error_messages
    assert [in_our_words(message) for message in messages] == [words]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "Finalization of task args for 'gpt_agent.runbook.redis_health' failed: "
            "Error while resolving value for 'redis_url': 'vault_word' is undefined",
            "redis_url: the variable 'vault_word' is undefined",
        ),
        (
            "Unsupported parameters for (gpt_agent.runbook.http_check) module: endpoints.expects. "
            "Supported parameters include: kind, url.",
            "endpoints: there is no option 'expects'; use kind, url",
        ),
        ("the database is locked", "the database is locked"),
    ],
)
def test_what_surrounds_a_mistake_is_left_out(message: str, words: str) -> None:
    assert in_our_words(message) == words
