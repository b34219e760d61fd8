# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in Prometheus' text format, for node_exporter's textfile collector.

Statuses are the return codes of monitoring plugins. Values are in Prometheus' base units, so a
percentage becomes a ratio and days become seconds. The help texts are the same in every file, as
the collector requires of files that share a metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone

from ...module_utils.core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING
from .view import Row

CODES = {OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3}
_CODES_HELP = "0 ok, 1 warning, 2 critical, 3 unknown"

#: Suffix of a metric's name and factor of its values, by the unit of a check.
UNITS = {
    "": ("", 1.0),
    "count": ("", 1.0),
    "seconds": ("_seconds", 1.0),
    "bytes": ("_bytes", 1.0),
    "percent": ("_ratio", 0.01),
    "days": ("_seconds", 86400.0),
}
#: What the help text says of a suffix.
_UNITS_HELP = {
    "": "",
    "_seconds": ", in seconds",
    "_bytes": ", in bytes",
    "_ratio": ", as a ratio of 1",
}

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def render(report: Row) -> str:
    """All metrics of the report as text."""
    run = {"playbook": report["playbook"]}
    return "".join(f"{line}\n" for line in (*_checks(report, run), *_run(report, run)))


def _checks(report: Row, run: Labels) -> Iterator[str]:
    rows = _unique(report["checks"])
    statuses = [(_labels(run, row), CODES[row["status"]]) for row in rows]
    yield from _family("runbook_check_status", f"Status of a check: {_CODES_HELP}.", statuses)
    for field, help_text in (
        ("value", "Measured value of a check"),
        ("warning", "Threshold beyond which a check is a warning"),
        ("critical", "Threshold beyond which a check is critical"),
    ):
        yield from _values(f"runbook_check_{field}", help_text, run, rows, field)


def _run(report: Row, run: Labels) -> Iterator[str]:
    actions = [
        ({**run, "status": status}, number) for status, number in report["action_counts"].items()
    ]
    finished = datetime.strptime(report["finished"], "%Y-%m-%dT%H:%M:%SZ")
    timestamp = finished.replace(tzinfo=timezone.utc).timestamp()
    duration = [] if report["seconds"] is None else [(run, report["seconds"])]
    verdict = CODES[report["verdict"]]
    yield from _family("runbook_actions", "Actions of the run by status.", actions)
    yield from _family(
        "runbook_report_status", f"Verdict of the run: {_CODES_HELP}.", [(run, verdict)]
    )
    yield from _family(
        "runbook_report_timestamp_seconds",
        "When the run finished, in seconds since 1970.",
        [(run, timestamp)],
    )
    yield from _family("runbook_report_duration_seconds", "Duration of the run.", duration)


def _unique(rows: Iterable[Row]) -> list[Row]:
    """One row per set of labels, as the format demands: of several, the worst."""
    kept: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = (row["host"], row["name"], row["subject"])
        if key not in kept or _badness(row) > _badness(kept[key]):
            kept[key] = row
    return list(kept.values())


def _badness(row: Row) -> int:
    return STATUSES.index(row["status"])


def _labels(run: Labels, row: Row) -> dict[str, str]:
    return {**run, "host": row["host"], "check": row["name"], "subject": row["subject"]}


def _values(
    name: str, help_text: str, run: Labels, rows: Iterable[Row], field: str
) -> Iterator[str]:
    """A metric per suffix, since all samples of a metric have the same unit."""
    by_suffix: dict[str, list[Sample]] = {suffix: [] for suffix in _UNITS_HELP}
    for row in rows:
        if row[field] is not None:
            suffix, factor = UNITS[row["unit"]]
            by_suffix[suffix].append((_labels(run, row), row[field] * factor))
    for suffix, samples in by_suffix.items():
        yield from _family(name + suffix, f"{help_text}{_UNITS_HELP[suffix]}.", samples)


def _family(name: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one metric; none without samples."""
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
