# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in Prometheus' text format, for node_exporter's textfile collector.

Statuses are the return codes of monitoring plugins. Values are in Prometheus' base units, so a percentage becomes a ratio and
days become seconds. The help texts are the same in every file, as the collector demands of files that share a metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone

from ...module_utils.core.check import CRITICAL, OK, UNKNOWN, WARNING
from .view import Row

CODES = {OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3}
_WORDS = "0 ok, 1 warning, 2 critical, 3 unknown"

#: A unit's suffix in names of metrics, and what a value of it is multiplied with.
UNITS = {
    "": ("", 1.0),
    "count": ("", 1.0),
    "seconds": ("_seconds", 1.0),
    "bytes": ("_bytes", 1.0),
    "percent": ("_ratio", 0.01),
    "days": ("_seconds", 86400.0),
}

Sample = tuple[Mapping[str, str], float]


def render(report: Row) -> str:
    run = {"playbook": report["playbook"]}
    finished = datetime.strptime(report["finished"], "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=timezone.utc
    )
    checks = _distinct(report["checks"])
    lines = [
        *_family(
            "runbook_check_status",
            f"Verdict of a check: {_WORDS}.",
            ((_labels(run, row), CODES[row["status"]]) for row in checks),
        ),
        *_values("runbook_check_value", "Measured value of a check", run, checks, "value"),
        *_values(
            "runbook_check_warning",
            "Limit beyond which a check is a warning",
            run,
            checks,
            "warning",
        ),
        *_values(
            "runbook_check_critical",
            "Limit beyond which a check is critical",
            run,
            checks,
            "critical",
        ),
        *_family(
            "runbook_actions",
            "Actions of the run by status.",
            (
                ({**run, "status": status}, number)
                for status, number in report["action_counts"].items()
            ),
        ),
        *_family(
            "runbook_report_status",
            f"Verdict of the run: {_WORDS}.",
            [(run, CODES[report["verdict"]])],
        ),
        *_family(
            "runbook_report_timestamp_seconds",
            "When the run finished, in seconds since 1970.",
            [(run, finished.timestamp())],
        ),
        *_family(
            "runbook_report_duration_seconds",
            "How long the run took.",
            [] if report["seconds"] is None else [(run, report["seconds"])],
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def _distinct(rows: Iterable[Row]) -> list[Row]:
    """One row for each set of labels, since the format allows no second: of two, the worse."""
    kept: dict[tuple[str, str, str], Row] = {}
    badness = (OK, UNKNOWN, WARNING, CRITICAL)
    for row in rows:
        key = (row["host"], row["name"], row["subject"])
        if key not in kept or badness.index(row["status"]) > badness.index(kept[key]["status"]):
            kept[key] = row
    return list(kept.values())


def _labels(run: Mapping[str, str], row: Row) -> dict[str, str]:
    return {**run, "host": row["host"], "check": row["name"], "subject": row["subject"]}


def _values(
    name: str, help_text: str, run: Mapping[str, str], rows: Iterable[Row], field: str
) -> Iterator[str]:
    """One metric for each suffix, since the samples of a metric must share their unit."""
    by_suffix: dict[str, list[Sample]] = {suffix: [] for suffix, factor in UNITS.values()}
    for row in rows:
        if row[field] is not None:
            suffix, factor = UNITS[row["unit"]]
            by_suffix[suffix].append((_labels(run, row), row[field] * factor))
    for suffix, samples in by_suffix.items():
        unit = (
            f", in {suffix[1:]}"
            if suffix not in ("", "_ratio")
            else ", as a ratio of 1"
            if suffix
            else ""
        )
        yield from _family(name + suffix, f"{help_text}{unit}.", samples)


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    rows = []
    for labels, value in samples:
        pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
        rows.append(f"{name}{{{pairs}}} {value:.15g}")
    if rows:
        yield f"# HELP {name} {help_text}"
        yield f"# TYPE {name} gauge"
        yield from rows


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
