# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer is what the operator expects of the endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..core.text import redact, shorten
from ..core.units import format_value
from .options import Endpoint
from .snapshot import Answer


def problem_with(endpoint: Endpoint, answer: Answer) -> str:
    """What is wrong with an answer; empty if it is as expected."""
    if answer.failure:
        return answer.failure
    if answer.status not in endpoint.statuses:
        return f"HTTP {answer.status} instead of {' or '.join(map(str, endpoint.statuses))}"
    if endpoint.json is not None:
        problem = _json_problem(endpoint.json, answer)
        if problem:
            return problem
    if endpoint.contains or endpoint.matches:
        return _text_problem(endpoint, answer)
    return ""


def _text_problem(endpoint: Endpoint, answer: Answer) -> str:
    text = text_of(answer)
    part = ""
    if answer.truncated_at:
        part = f" in its first {format_value(answer.truncated_at, 'bytes')}"
    if endpoint.contains and endpoint.contains not in text:
        return f"the answer does not contain {shorten(endpoint.contains, 60)!r}{part}"
    if endpoint.matches and not endpoint.matches.search(text):
        return f"nothing in the answer matches {shorten(endpoint.matches.pattern, 60)!r}{part}"
    return ""


def _json_problem(expected: Mapping[str, Any], answer: Answer) -> str:
    if answer.truncated_at:
        limit = format_value(answer.truncated_at, "bytes")
        return f"the answer is longer than max_body ({limit}), so its JSON cannot be read"
    text = text_of(answer).strip()
    if not text:
        return "the answer is empty, not JSON"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if "html" in answer.content_type or text.startswith("<"):
            return "the answer is HTML, not JSON"
        return f"the answer is not JSON ({answer.content_type or 'no content type'})"
    for path, wanted in expected.items():
        found, value = look_up(data, path)
        if not found:
            return f"JSON: {path!r} is missing"
        if value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
            return f"JSON: {path} is {_as_shown(value)}, expected {_as_shown(wanted)}"
    return ""


def look_up(data: Any, path: str) -> tuple[bool, Any]:
    """Whether there is a value at a dotted path, such as ``checks.0.state``, and the value."""
    for step in path.split(".") if path else []:
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return False, None
    return True, data


def _as_shown(value: Any) -> str:
    return shorten(redact(json.dumps(value, ensure_ascii=False, default=str)), 60)


def text_of(answer: Answer) -> str:
    """The body as text; what cannot be decoded is replaced."""
    try:
        return answer.body.decode(answer.charset, "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def excerpt_of(answer: Answer) -> str:
    """The beginning of an answer as plain text, without secrets."""
    text = answer.body[:2000].decode("utf-8", "replace")
    return shorten(redact(re.sub(r"<[^>]*>", " ", text)), 120)
