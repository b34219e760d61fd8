# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits in force, the runbook's and what the operator overrides, and the one place where a value is judged by them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from .catalog import CATALOG, Limit
from .check import OK, UNKNOWN, Check


class Misuse(Exception):
    """The operator asked for something that makes no sense; the text says what and how to put it right."""


class Limits:
    """The limits in force: the catalog's, and what the operator overrides.

    An override is ``{check name: {warning: number, critical: number}}``; a level that is not named keeps its default, null
    switches it off. ``"host.disk_used /backup"`` overrides for one subject only.
    """

    def __init__(self, overrides: Mapping[str, Any] | None = None) -> None:
        self._overrides: dict[str, dict[str, float | None]] = {}
        for key, given in (overrides or {}).items():
            self._overrides[key] = _override(str(key), given)

    def limit(self, name: str, subject: str = "") -> Limit:
        """The limit in force for a check, or for one of its subjects."""
        base = CATALOG[name].limit
        values: dict[str, float | None] = {"warning": base.warning, "critical": base.critical}
        values.update(self._overrides.get(name, {}))
        values.update(self._overrides.get(f"{name} {subject}", {}))
        return Limit(values["warning"], values["critical"], base.below)

    def judged(
        self,
        name: str,
        value: float | None,
        summary: str,
        *,
        subject: str = "",
        limit: Limit | None = None,
        **more: Any,
    ) -> Check:
        """A check whose verdict is its value against its limits; without a value it is unknown.

        ``limit`` is for the rare check whose limits follow from the thing itself; ``more`` are further fields of the check.
        """
        if value is None:
            return self.verdict(name, UNKNOWN, summary, subject=subject, **more)
        limit = limit or self.limit(name, subject)
        more.update(value=value, warning=limit.warning, critical=limit.critical)
        return self.verdict(name, limit.judge(value), summary, subject=subject, **more)

    def verdict(self, name: str, status: str, summary: str, **more: Any) -> Check:
        """A check whose verdict does not come from a number alone; unit and remedy come from the catalog."""
        definition = CATALOG[name]
        remedy = more.pop("remedy", "") or definition.remedy
        return Check(
            name,
            status,
            summary,
            unit=definition.unit,
            remedy="" if status == OK else remedy,
            **more,
        )


def _override(key: str, given: Any) -> dict[str, float | None]:
    name = key.split(" ", 1)[0]
    if name not in CATALOG:
        raise Misuse(f"thresholds: there is no check {name!r}{_similar(name, CATALOG)}")
    if not CATALOG[name].source:
        raise Misuse(f"thresholds: {name} has no limits to change, it is either right or wrong")
    if not isinstance(given, Mapping) or not given:
        raise Misuse(
            f"thresholds: {key} takes a mapping with 'warning' and 'critical', not {given!r}"
        )
    result: dict[str, float | None] = {}
    for level, value in given.items():
        if level not in ("warning", "critical"):
            raise Misuse(
                f"thresholds: {key} has the levels 'warning' and 'critical', not {level!r}"
            )
        result[level] = (
            None if value is None or value == "" else _number(f"thresholds: {key} {level}", value)
        )
    return result


def _number(what: str, value: Any) -> float:
    try:
        number = float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise Misuse(f"{what}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise Misuse(f"{what}: {value!r} is not a finite number")
    return number


def _similar(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches  # only misuse pays for it

    found = get_close_matches(name, names, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
