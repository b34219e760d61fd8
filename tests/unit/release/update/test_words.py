"""How an update ended, in words."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.packages import (
    Change,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.trial import Failure
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.words import (
    failed,
    offered,
    proven,
)

CHANGES = (Change("router", "1.0.0", "1.0.1", direct=True), Change("parser", "1.0.0", "1.1.0"))
BOTH = "2 packages: router 1.0.0 → 1.0.1, parser 1.0.0 → 1.1.0"
FAILURE = Failure("npm test", "'npm test' failed with exit code 1", "")


def test_a_failure_is_told_apart() -> None:
    begin = "Nothing was offered: 'npm test' fails"
    text, _remedy = failed(FAILURE, CHANGES)
    assert text == f"{begin} with the update of {BOTH}"
    text, _remedy = failed(replace(FAILURE, output='npm error Missing script: "test"'), CHANGES)
    assert text.startswith(f"{begin} (package.json has no script 'test') with")
    text, remedy = failed(replace(FAILURE, also_without=True), CHANGES)
    assert text == f"{begin} without the update as well"
    assert "app_update_environment" in remedy
    text, _remedy = failed(replace(FAILURE, surroundings=True), CHANGES)
    assert text == f"{begin} because of the host or the registry, not the update"
    text, remedy = failed(replace(FAILURE, also_without=False, suspects=("parser",)), CHANGES)
    assert text.endswith("; it works without; parser 1.0.0 → 1.1.0 breaks it")
    assert "app_update_exclude" in remedy


def test_an_offer() -> None:
    text = offered(CHANGES, "/x.patch", tested=True, again=False)
    assert text == f"The app works with the update of {BOTH}; it is offered as /x.patch"
    assert "was offered before as" in offered(CHANGES, "/x.patch", tested=True, again=True)
    assert "nothing has tested it" in offered(CHANGES, "/x.patch", tested=False, again=False)
    assert proven(tested=True) == "the app works with them"
    assert proven(tested=False) == "installed in a copy; nothing has tested it"
