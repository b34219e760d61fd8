"""Which image a deployment or a rollback means, by records and by the registry."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    UsageError,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.collect import Snapshot
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.choose import choose
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.client import Docker
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    BAD,
    GOOD,
    Release,
)
from tests.support.release_samples import snapshot

APP = "registry.example.com/app"
SAME, MOVED = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
OLD = Release("v1-1111111", "v1", "sha256:a", status=GOOD, verified=1.0, image=f"{APP}:v1@{SAME}")
LIVE = Release("v2-3333333", "v2", "sha256:b", image=f"{APP}:v2@sha256:{'3' * 64}")


def known(*releases: Release) -> Snapshot:
    return snapshot(releases={each.id: each for each in releases}, current=LIVE)


KNOWN = known(OLD, LIVE)
DEPLOY = Options(name="app", state="deployed", version="v1")
BACK = Options(name="app", state="rolled_back", rollback_to="v1")


class Client(Docker):
    """A registry whose tags all mean one image, and an engine without images."""

    def __init__(self, digest: str) -> None:
        super().__init__(1.0)
        self._digest = digest

    def __call__(self, *arguments: str, **more: Any) -> str:
        if arguments[0] == "info":
            return "{}"
        if arguments[0] == "manifest" and self._digest:
            return json.dumps({"Descriptor": {"digest": self._digest}})
        raise NotCollected("no answer")


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.choose.brief",
        lambda docker: docker,
    )


def test_a_tag_that_is_deployed_again() -> None:
    found = choose(Client(SAME), DEPLOY, KNOWN)
    assert (found.release, found.recorded, found.moved) == (OLD, True, "")


def test_a_tag_that_has_moved() -> None:
    found = choose(Client(MOVED), DEPLOY, KNOWN)
    assert (found.release.id, found.recorded) == ("v1-2222222", False)
    assert "v1-1111111 was sha256:111111111111, and it is sha256:222222222222 now" in found.moved


def test_a_rollback_goes_by_the_record() -> None:
    found = choose(Client(MOVED), BACK, KNOWN)
    assert (found.release, "the tag means" in found.moved) == (OLD, True)


def test_a_rollback_needs_no_registry() -> None:
    found = choose(Client(""), BACK, KNOWN)
    assert (found.release, bool(found.silent)) == (OLD, True)
    with pytest.raises(NotCollected, match="the registry does not say which image"):
        choose(Client(""), DEPLOY, KNOWN)


def test_a_rollback_never_goes_to_a_bad_release() -> None:
    bad = replace(OLD, status=BAD, reason="rolled back")
    with pytest.raises(UsageError, match="v1-1111111 is marked as bad"):
        choose(Client(SAME), BACK, known(bad, LIVE))
