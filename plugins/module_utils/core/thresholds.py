# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thresholds in force, the runbook's and what the operator overrides, and the one place where a value is judged by them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from .check import OK, UNKNOWN, Check
from .definition import COMPONENTS, Definition, Threshold
from .errors import UsageError


class Thresholds:
    """The thresholds in force: those of a technology's checks, and what the operator overrides.

    An override is ``{check name: {warning: number, critical: number}}``; a level that is not named keeps its default,
    null switches it off. ``"host.disk_used /backup"`` overrides for one subject only. Overrides of other technologies'
    checks are theirs to validate, so that one setting serves a whole playbook.
    """

    def __init__(
        self, checks: Mapping[str, Definition], overrides: Mapping[str, Any] | None = None
    ) -> None:
        self._checks = checks
        self._overrides: dict[str, dict[str, float | None]] = {}
        components = {_component(name) for name in checks}
        for key, given in (overrides or {}).items():
            component = _component(str(key))
            if component in components or component not in COMPONENTS:
                self._overrides[str(key)] = _override(str(key), given, checks)

    def of(self, name: str, subject: str = "") -> Threshold:
        """The threshold in force for a check, or for one of its subjects."""
        base = self._checks[name].threshold
        levels: dict[str, float | None] = {"warning": base.warning, "critical": base.critical}
        levels.update(self._overrides.get(name, {}))
        levels.update(self._overrides.get(f"{name} {subject}", {}))
        return Threshold(levels["warning"], levels["critical"], base.below)

    def evaluate(
        self,
        name: str,
        value: float | None,
        summary: str,
        *,
        subject: str = "",
        threshold: Threshold | None = None,
        **more: Any,
    ) -> Check:
        """A check whose verdict is its value against its threshold; without a value it is unknown.

        ``threshold`` is for the rare check whose levels follow from the thing itself; ``more`` are further fields of
        the check.
        """
        if value is None:
            return self.verdict(name, UNKNOWN, summary, subject=subject, **more)
        threshold = threshold or self.of(name, subject)
        more.update(value=value, warning=threshold.warning, critical=threshold.critical)
        return self.verdict(name, threshold.status_of(value), summary, subject=subject, **more)

    def verdict(self, name: str, status: str, summary: str, **more: Any) -> Check:
        """A check whose verdict does not come from a number alone; unit and remedy come from its definition."""
        definition = self._checks[name]
        remedy = more.pop("remedy", "") or definition.remedy
        return Check(
            name,
            status,
            summary,
            unit=definition.unit,
            remedy="" if status == OK else remedy,
            **more,
        )


def _component(key: str) -> str:
    return key.split(".", 1)[0]


def _override(key: str, given: Any, checks: Mapping[str, Definition]) -> dict[str, float | None]:
    name = key.split(" ", 1)[0]
    if name not in checks:
        raise UsageError(f"thresholds: there is no check {name!r}{_similar(name, checks)}")
    if not checks[name].source:
        raise UsageError(
            f"thresholds: {name} has no thresholds to change, it is either right or wrong"
        )
    if not isinstance(given, Mapping) or not given:
        raise UsageError(
            f"thresholds: {key} takes a mapping with 'warning' and 'critical', not {given!r}"
        )
    result: dict[str, float | None] = {}
    for level, value in given.items():
        if level not in ("warning", "critical"):
            raise UsageError(
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
        raise UsageError(f"{what}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise UsageError(f"{what}: {value!r} is not a finite number")
    return number


def _similar(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches  # only a mistake pays for it

    found = get_close_matches(name, names, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
