# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer is what the operator expects of the endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.check import UNKNOWN, WARNING
from ..core.text import redact, shorten
from ..core.units import format_value
from .body import text_of
from .options import Endpoint
from .pages import foreign_page
from .remedies import status_remedy
from .snapshot import Answer, Problem

#: What a health URL says of itself when it is not well, in lower case.
_FAILING = {
    *("error", "fail", "failed", "failing", "failure", "down", "unhealthy", "critical", "crit"),
    *("unavailable", "offline", "dead", "out_of_service", "outage", "major_outage", "not_ok", "ko"),
}
_DEGRADED = {"degraded", "degraded_performance", "warn", "warning", "partial", "partial_outage"}
_OWN_WORDS = ("status", "state", "health")
_OWN_FLAGS = ("ok", "healthy", "success", "up")

#: Where health URLs tell of the parts of an app.
_OWN_PARTS = ("checks", "components", "dependencies", "services", "details", "info")

_PART_REMEDY = (
    "The app calls itself well, and a part of it not: check that part; if the app can do without"
    " it, expect its word with json."
)
_OWN_REMEDY = (
    "The URL answers and says itself that something is wrong: its answer in the evidence, and the"
    " app's error log, say what. If that word is right, name it in json."
)
_UNREADABLE_REMEDY = (
    "The server compresses although the request forbids it (Accept-Encoding: identity): correct"
    " that in nginx, the CDN or the app, or expect no content of this URL."
)
_CONTENT_REMEDY = (
    "Compare the answer ('curl -sL URL') with what the endpoint is to contain: another release or"
    " site may answer, or the app shows an error."
)


def problem_with(endpoint: Endpoint, answer: Answer) -> Problem | None:
    """What is wrong with an answer; none if it is as expected."""
    if answer.failure:
        return Problem(answer.failure, answer.remedy)
    if answer.status not in endpoint.statuses:
        wanted = " or ".join(map(str, endpoint.statuses))
        text = f"HTTP {answer.status} instead of {wanted}"
        return Problem(text, status_remedy(endpoint, answer))
    if answer.corrupt:
        text = f"the answer says that it is compressed ({answer.corrupt}) and is not"
        return Problem(text, _UNREADABLE_REMEDY)
    if answer.unreadable:
        return _unreadable(endpoint, answer)
    return _content_problem(endpoint, answer)


def _unreadable(endpoint: Endpoint, answer: Answer) -> Problem | None:
    if endpoint.json is None and not endpoint.contains and not endpoint.matches:
        return None
    text = (
        f"HTTP {answer.status}, but its content could not be read: it is compressed"
        f" ({answer.unreadable}), which the request forbids"
    )
    return Problem(text, _UNREADABLE_REMEDY, UNKNOWN)


def _content_problem(endpoint: Endpoint, answer: Answer) -> Problem | None:
    foreign = foreign_page(endpoint, answer)
    if foreign and endpoint.json is None:
        return foreign
    remedy, level = (foreign.remedy, foreign.level) if foreign else (_CONTENT_REMEDY, "")
    if endpoint.json is not None:
        problem = _json_problem(endpoint.json, answer)
        if isinstance(problem, Problem):
            return problem
        if problem:
            return Problem(problem, remedy, level)
    if endpoint.contains or endpoint.matches:
        problem = _text_problem(endpoint, answer)
        return Problem(problem, remedy) if problem else None
    return None


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


def _json_problem(expected: Mapping[str, Any], answer: Answer) -> str | Problem | None:
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
    return _own_verdict(expected, data) if 200 <= answer.status < 300 else None


def _own_verdict(expected: Mapping[str, Any], data: Any) -> Problem | None:
    """What the answer says of itself, unless the operator expects it by name."""
    if not isinstance(data, dict):
        return None
    own = {key: value for key, value in data.items() if key not in expected}
    for key in _OWN_WORDS:
        value = own.get(key)
        word = re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else ""
        if word in _FAILING or word in _DEGRADED:
            level = WARNING if word in _DEGRADED else ""
            text = f"the answer says of itself: {key} is {_as_shown(value)}"
            return Problem(text, _OWN_REMEDY, level)
    for key in _OWN_FLAGS:
        if own.get(key) is False:
            return Problem(f"the answer says of itself: {key} is false", _OWN_REMEDY)
    return _own_error(own) or _failing_part(expected, own)


def _own_error(own: Mapping[str, Any]) -> Problem | None:
    """An error in a field of its own; a warning where the answer says of itself that it is well."""
    for key in ("error", "errors"):
        value = own.get(key)
        if value and (isinstance(value, list) if key == "errors" else isinstance(value, str)):
            level = WARNING if any(own.get(word) for word in (*_OWN_WORDS, *_OWN_FLAGS)) else ""
            text = f"the answer says of itself: {key} is {_as_shown(value)}"
            return Problem(text, _OWN_REMEDY, level)
    return None


def _failing_part(expected: Mapping[str, Any], own: Mapping[str, Any]) -> Problem | None:
    """A part that fails, though the answer says of itself that the whole is well."""
    for group in _OWN_PARTS:
        parts = own.get(group)
        for name, part in parts.items() if isinstance(parts, dict) else ():
            path = f"{group}.{name}"
            if any(wanted == path or wanted.startswith(f"{path}.") for wanted in expected):
                continue
            for key, word in _words_of(part):
                if word.strip().lower() in _FAILING:
                    text = f"the answer says of itself: {path}{key} is {_as_shown(word)}"
                    return Problem(text, _PART_REMEDY, WARNING)
    return None


def _words_of(part: Any) -> Iterator[tuple[str, str]]:
    """What one part says of itself, and where: its word, or that in a field of it."""
    if isinstance(part, str):
        yield "", part
    for one in part if isinstance(part, list) else [part]:
        for key in _OWN_WORDS if isinstance(one, dict) else ():
            if isinstance(one.get(key), str):
                yield f".{key}", one[key]


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


def excerpt_of(answer: Answer) -> str:
    """The beginning of an answer as plain text, without secrets."""
    text = answer.body[:2000].decode("utf-8", "replace")
    return shorten(redact(re.sub(r"<[^>]*>", " ", text)), 120)
