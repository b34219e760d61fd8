# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run as plain data, described by schema.json: the input of every format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ...module_utils.core.check import (
    ACTION_STATUSES,
    CRITICAL,
    FAILED,
    STATUSES,
    Action,
    Check,
    as_dicts,
    worst,
)
from .parse import Invalid
from .steps import host_results

SCHEMA_VERSION = "1.0"

NEVER = "never"
#: Verdicts from which on a run can fail, from never to always.
FAIL_ON = (NEVER, *reversed(STATUSES[1:]))

Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What is known of a run besides its results."""

    playbook: str
    title: str
    finished: datetime
    started: datetime | None = None
    """None if the callback that notes it is not enabled."""
    check_mode: bool = False
    limit: str = ""
    """The value of ``--limit``; empty for all hosts."""
    fail_on: str = CRITICAL


def build(
    run: Run, host_variables: Mapping[str, Mapping[str, Any]], dropped: Collection[str] = ()
) -> Row:
    """The report of a run.

    ``host_variables`` are the variables of every host of the play, with the results that its steps
    registered; ``dropped`` are the hosts that Ansible removed from the run.
    """
    checks: list[Row] = []
    actions: list[Row] = []
    hosts: list[Row] = []
    reported: set[int] = set()
    for name, variables in host_variables.items():
        results = host_results(variables, reported, name in dropped)
        host_checks = _rows(name, (item for item in results if isinstance(item, Check)))
        host_actions = _rows(name, (item for item in results if isinstance(item, Action)))
        hosts.append(
            {
                "name": name,
                "verdict": verdict(host_checks, host_actions),
                "counts": _count(host_checks, STATUSES),
            }
        )
        checks += host_checks
        actions += host_actions
    return {**_header(run, checks, actions), "hosts": hosts, "checks": checks, "actions": actions}


def _header(run: Run, checks: list[Row], actions: list[Row]) -> Row:
    overall = verdict(checks, actions)
    seconds = None if run.started is None else (run.finished - run.started).total_seconds()
    return {
        "schema_version": SCHEMA_VERSION,
        "playbook": run.playbook,
        "title": run.title,
        "started": None if run.started is None else timestamp(run.started),
        "finished": timestamp(run.finished),
        "seconds": None if seconds is None else round(seconds, 1),
        "check_mode": run.check_mode,
        "limit": run.limit,
        "verdict": overall,
        "fail_on": run.fail_on,
        "failing": reaches(overall, run.fail_on),
        "counts": _count(checks, STATUSES),
        "action_counts": _count(actions, ACTION_STATUSES),
    }


def verdict(checks: Iterable[Row], actions: Iterable[Row]) -> str:
    """The worst status of all checks; an action that failed is critical."""
    statuses = [check["status"] for check in checks]
    statuses += [CRITICAL for action in actions if action["status"] == FAILED]
    return worst(statuses)


def reaches(status: str, fail_on: str) -> bool:
    """Whether a verdict is bad enough to fail the run."""
    return fail_on != NEVER and STATUSES.index(status) >= STATUSES.index(fail_on)


def timestamp(moment: datetime) -> str:
    """``2026-11-23T06:00:00Z``"""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def title_of(playbook: str) -> str:
    """The name of a playbook as a title: ``Daily checklist`` for ``daily_checklist``."""
    words = re.sub(r"[_\W]+", " ", playbook).strip()
    return words[:1].upper() + words[1:]


def parse_report(document: Any) -> Row:
    """A report that was read from a file; raises `Invalid` for another document or version."""
    found = str(document.get("schema_version", "none")) if isinstance(document, dict) else "none"
    if found.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise Invalid(f"a report of schema version {found}; this collection reads {SCHEMA_VERSION}")
    return dict(document)


def _rows(host: str, items: Iterable[Check | Action]) -> list[Row]:
    return [{"host": host, **row} for row in as_dicts(items)]


def _count(rows: Iterable[Row], statuses: Iterable[str]) -> dict[str, int]:
    found = Counter(row["status"] for row in rows)
    return {status: found[status] for status in statuses}
