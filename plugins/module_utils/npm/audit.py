# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on known vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..core.check import UNKNOWN, Check
from ..core.errors import NotCollected
from ..core.thresholds import Thresholds
from ..core.units import pluralize
from .options import Options
from .snapshot import Snapshot, Vulnerability

#: The check of each severity that is judged, worst first.
_JUDGED = {
    "critical": "npm.critical_vulnerabilities",
    "high": "npm.high_vulnerabilities",
}
_LISTED = 3


def assess_audit(
    snapshot: Snapshot, options: Options, thresholds: Thresholds, today: date
) -> Iterator[Check]:
    """``npm.critical_vulnerabilities`` and ``npm.high_vulnerabilities``."""
    audit = snapshot.audit
    if isinstance(audit, NotCollected):
        yield thresholds.verdict(
            _JUDGED["critical"],
            UNKNOWN,
            f"Whether packages have known vulnerabilities is not known: {audit}",
            subject=options.path,
            remedy=audit.remedy,
        )
    elif audit is not None:
        for severity in _JUDGED:
            found = _Found.sort(audit, severity, _allowed(options, today))
            expired = _expired(audit, options, today)
            yield _verdict(found, snapshot.totals, expired, options, thresholds)


def _allowed(options: Options, today: date) -> frozenset[str]:
    return frozenset(one.advisory for one in options.allow if one.until >= today)


@dataclass(frozen=True)
class _Found:
    """The vulnerable packages of one severity."""

    severity: str
    counted: tuple[Vulnerability, ...]
    allowed: tuple[Vulnerability, ...]
    development: tuple[Vulnerability, ...]

    @classmethod
    def sort(cls, found: Sequence[Vulnerability], severity: str, allowed: frozenset[str]) -> _Found:
        """What is not allowed decides on the severity: one of a package's advisories can be."""
        production = [one for one in found if not one.development]
        return cls(
            severity,
            counted=tuple(one for one in production if _worst(one, allowed) == severity),
            allowed=tuple(
                one
                for one in production
                if one.severity == severity and _worst(one, allowed) != severity
            ),
            development=tuple(one for one in found if one.development and one.severity == severity),
        )


def _worst(one: Vulnerability, allowed: frozenset[str]) -> str:
    left = [level for advisory, level in one.severities.items() if advisory not in allowed]
    return next((level for level in _JUDGED if level in left), "")


def _expired(audit: Sequence[Vulnerability], options: Options, today: date) -> str:
    """The advisories that are not allowed any more."""
    known = {each for one in audit for each in one.advisories}
    return ", ".join(
        f"{one.advisory} ({one.until.isoformat()})"
        for one in options.allow
        if one.until < today and one.advisory in known
    )


def _verdict(
    found: _Found,
    totals: Mapping[str, Any],
    expired: str,
    options: Options,
    thresholds: Thresholds,
) -> Check:
    summary = _summary(found)
    if expired and found.counted:
        summary += f"; no longer allowed: {expired}"
    if found.severity == "high":
        summary += _others(totals)
    rows = [_row(one, "production") for one in found.counted]
    rows += [_row(one, "allowed") for one in found.allowed]
    rows += [_row(one, "development") for one in found.development]
    return thresholds.evaluate(
        _JUDGED[found.severity],
        float(len(found.counted)),
        summary,
        subject=options.path,
        evidence=tuple(rows),
    )


def _summary(found: _Found) -> str:
    what = f"with a known vulnerability of severity {found.severity}"
    text = f"No production package {what}"
    if found.counted:
        names = ", ".join(one.package for one in found.counted[:_LISTED])
        left = len(found.counted) - _LISTED
        names += f" and {left} more" if left > 0 else ""
        text = f"{pluralize(len(found.counted), 'production package')} {what}: {names}"
    if found.allowed:
        text += f", {len(found.allowed)} allowed"
    if found.development:
        text += f", {len(found.development)} used for development only"
    return text


def _others(totals: Mapping[str, Any]) -> str:
    """npm's own count of what is not judged."""
    lower = [(level, int(totals.get(level) or 0)) for level in ("moderate", "low")]
    parts = [f"{count} {level}" for level, count in lower if count]
    return f"; npm also counts {' and '.join(parts)}" if parts else ""


def _row(one: Vulnerability, used: str) -> Mapping[str, Any]:
    return {
        "package": one.package,
        "severity": one.severity,
        "used": used,
        "advisories": ", ".join(one.advisories),
        "title": next(iter(one.advisories.values()), ""),
        "fix": one.fix or "none yet",
    }
