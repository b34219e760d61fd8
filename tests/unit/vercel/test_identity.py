"""Whether an answer of the app comes from a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.identity import (
    Comparison,
    compare,
)
from tests.support.vercel_samples import deployment

COMMIT = {"githubCommitSha": "2" * 40, "githubCommitRef": "main"}
TAGGED = {**COMMIT, "version": "v1.1.0"}
CANNOT_TELL = "it answers as version 1.1.0; Vercel knows no version of app-2"


@pytest.mark.parametrize(
    ("content", "meta"),
    [
        ({"commit": "2222222"}, COMMIT),
        ({"commit": "2" * 40, "version": "0.0.0"}, COMMIT),
        ({"version": "1.1.0"}, TAGGED),
        ({"version": "v1.1.0"}, TAGGED),
        ({"version": "dpl_2"}, {}),
    ],
)
def test_the_same(content: dict[str, Any], meta: dict[str, str]) -> None:
    assert compare(content, deployment(2, meta=meta)) == Comparison()


@pytest.mark.parametrize(
    ("content", "meta", "text", "differs"),
    [
        ({"commit": "3333333"}, COMMIT, "it answers as commit 3333333, not 2222222", True),
        ({"commit": "2"}, COMMIT, "it answers as commit 2, not 2222222", True),
        ({"version": "1.0.0"}, TAGGED, "it answers as version 1.0.0, not v1.1.0", True),
        ({"version": "1.1.0"}, COMMIT, CANNOT_TELL, False),
        ({"status": "ok"}, COMMIT, "the answer has neither version nor commit", False),
    ],
)
def test_not_the_same(
    content: dict[str, Any], meta: dict[str, str], text: str, differs: bool
) -> None:
    found = compare(content, deployment(2, meta=meta))
    assert found.text.startswith(text)
    assert found.differs is differs
