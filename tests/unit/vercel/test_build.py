"""Which lines of a build log are shown."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.vercel.build import telling_lines


def event(text: str, kind: str = "stdout") -> dict[str, Any]:
    return {"type": kind, "text": text}


def test_the_lines_that_look_like_the_cause() -> None:
    events = [event("Cloning"), event("\x1b[31mError:\x1b[0m no module"), event("Done", "stderr")]
    assert telling_lines(events) == ["Error: no module", "Done"]


def test_the_last_lines_if_none_does() -> None:
    assert telling_lines([event(f"page {number}") for number in range(50)])[-1] == "page 49"
    assert len(telling_lines([event("page")] * 50)) == 20
    assert telling_lines([]) == []


def test_older_shapes_and_secrets() -> None:
    old = {"type": "stderr", "payload": {"text": "API_KEY=abc123 and https://u:p@example.com"}}
    assert telling_lines([old, {"type": "stderr"}]) == ["API_KEY=*** and https://***@example.com"]
