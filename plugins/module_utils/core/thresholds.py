# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thresholds in force: the runbook's, changed by what the operator overrides.

No other code compares a value with a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from .check import OK, UNKNOWN, Check
from .definition import COMPONENTS, Definition, Threshold
from .errors import UsageError

_LEVELS = ("warning", "critical")


class Thresholds:
    """The thresholds in force for the checks of one technology.

    An override is ``{check name: {warning: number, critical: number}}``; a level that is not named
    keeps its default, null switches it off. ``"host.disk_used /backup"`` overrides for one subject
    only. Overrides of other technologies' checks are ignored, as their own modules validate them,
    so one setting serves a whole playbook. The same goes for ``known`` checks, which another module
    of the same technology makes. Raises `UsageError`.
    """

    def __init__(
        self,
        checks: Mapping[str, Definition],
        overrides: Mapping[str, Any] | None = None,
        known: Iterable[str] = (),
    ) -> None:
        self._checks = checks
        self._overrides: dict[str, dict[str, float | None]] = {}
        own = {_component(name) for name in checks}
        elsewhere = set(known).difference(checks)
        for key, levels in (overrides or {}).items():
            component, name = _component(str(key)), str(key).split(" ", 1)[0]
            if name in elsewhere:
                continue
            if component in own or component not in COMPONENTS:
                self._overrides[str(key)] = _override(str(key), levels, checks, elsewhere)

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
        """A check judged by its value and threshold; unknown without a value.

        ``threshold`` replaces the one in force, for a check whose levels depend on its subject;
        ``more`` are further fields of the check.
        """
        if value is None:
            return self.verdict(name, UNKNOWN, summary, subject=subject, **more)
        threshold = threshold or self.of(name, subject)
        more.update(
            value=value,
            warning=threshold.warning,
            critical=threshold.critical,
            direction=threshold.direction,
        )
        return self.verdict(name, threshold.status_of(value), summary, subject=subject, **more)

    def not_judged(self, name: str, summary: str, reason: str, **more: Any) -> Check:
        """A check that is ok because there is nothing to judge by yet, such as too little traffic.

        Not for what should be visible and is not, which is unknown. The summary becomes
        ``summary; not judged: reason``.
        """
        text = f"{summary}; not judged: {reason}"
        return self.verdict(name, OK, text, not_judged=reason, **more)

    def verdict(self, name: str, status: str, summary: str, **more: Any) -> Check:
        """A check with a given status; unit and remedy default to those of its definition."""
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


def _component(name: str) -> str:
    return name.split(".", 1)[0]


def _override(
    key: str, levels: Any, checks: Mapping[str, Definition], elsewhere: Iterable[str]
) -> dict[str, float | None]:
    name = key.split(" ", 1)[0]
    if name not in checks:
        raise UsageError(
            f"thresholds: there is no check {name!r}{_suggestion(name, [*checks, *elsewhere])}"
        )
    if not checks[name].source:
        raise UsageError(
            f"thresholds: {name} has no thresholds to change; remove it from thresholds"
        )
    if not isinstance(levels, Mapping) or not levels:
        raise UsageError(
            f"thresholds: {key} takes a mapping with 'warning' and 'critical', not {levels!r}"
        )
    unknown = next((level for level in levels if level not in _LEVELS), None)
    if unknown is not None:
        raise UsageError(
            f"thresholds: {key} has the levels 'warning' and 'critical', not {unknown!r}"
        )
    return {level: _level(f"{key} {level}", value) for level, value in levels.items()}


def _level(what: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise UsageError(f"thresholds: {what}: {value!r} is not a number") from None
    if not math.isfinite(number):
        raise UsageError(f"thresholds: {what}: {value!r} is not a finite number")
    return number


def _suggestion(name: str, checks: Iterable[str]) -> str:
    """``; did you mean 'host.cpu'?``, or nothing if no name is close."""
    component, dot, rest = name.partition(".")
    if dot and component not in COMPONENTS:
        component = _closest(component, COMPONENTS)
        if not component:
            return ""
        name = f"{component}.{rest}"
    if not dot or component in {_component(check) for check in checks}:
        name = _closest(name, checks)
    return f"; did you mean {name!r}?" if name else ""


def _closest(name: str, names: Iterable[str]) -> str:
    """The most similar of the names; empty if none is similar."""
    from difflib import get_close_matches  # loaded only to report a mistake

    return next(iter(get_close_matches(name, names, n=1)), "")
