# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks and actions from the results of modules, which may hold anything."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ...module_utils.core.check import Action, Check
from ...module_utils.core.text import shorten

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_CHECK_FIELDS = frozenset(field.name for field in fields(Check))
_ACTION_FIELDS = frozenset(field.name for field in fields(Action))


class Invalid(ValueError):
    """Not a check, an action or a report; the text says what is wrong with it."""


def parse_check(item: Any) -> Check:
    """A check from a module's result; raises `Invalid`."""
    values = _mapping(item, _CHECK_FIELDS, "check")
    evidence = values.get("evidence", [])
    if not isinstance(evidence, list) or not all(isinstance(row, dict) for row in evidence):
        raise Invalid(f"the evidence of {values['name']} is not a list of mappings")
    values["evidence"] = tuple(evidence)
    texts = ("summary", "subject", "unit", "direction", "remedy", "window", "not_judged")
    _require_texts(values, texts)
    _require_numbers(values, ("value", "warning", "critical"))
    if not values.get("summary"):
        raise Invalid(f"{values['name']} has no summary")
    try:
        return Check(**values)
    except ValueError as problem:
        raise Invalid(str(problem)) from None


def parse_action(item: Any) -> Action:
    """An action from a module's result; raises `Invalid`."""
    values = _mapping(item, _ACTION_FIELDS, "action")
    _require_texts(values, ("reason", "subject"))
    _require_numbers(values, ("seconds", "bytes", "estimate"))
    try:
        return Action(**values)
    except ValueError as problem:
        raise Invalid(str(problem)) from None


def plain(value: Any) -> Any:
    """The value as JSON can hold it: native types, valid Unicode, no NaN and no infinity."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(value)
    text = value if isinstance(value, str) else str(value)
    return str.__str__(text).encode("utf-8", "replace").decode()


def _mapping(item: Any, known: frozenset[str], kind: str) -> dict[str, Any]:
    values = plain(item)
    if not isinstance(values, dict):
        raise Invalid(f"{shorten(repr(values), 80)} is not a mapping")
    name = values.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Invalid(f"{shorten(repr(name), 80)} is not a name of a {kind}")
    unknown = sorted(set(values) - known)
    if unknown:
        raise Invalid(f"{name} has the unknown field {shorten(unknown[0], 40)!r}")
    if not isinstance(values.get("status"), str):
        raise Invalid(f"{name} has no status")
    return values


def _require_texts(values: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(values.get(name, ""), str):
            raise Invalid(f"the {name} of {values['name']} is not a text")


def _require_numbers(values: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        value = values.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise Invalid(f"the {name} of {values['name']} is not a finite number")
