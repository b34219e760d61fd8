# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part of a maintenance did, and how healthy hosts are, by what their steps registered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..module_utils.core.check import CRITICAL, FAILED, UNKNOWN, Check
from .report.options import name_variable, name_variables
from .report.reasons import reason
from .report.steps import STEP_PREFIX, host_results
from .requirements import HostVariables, results_of

#: Steps that tell how healthy a host is, and those that are no part of the maintenance.
_HEALTH = "_health"
_OWN = ("__maintenance_", "__report_")

Variables = Mapping[str, Any]


def health_of(variables: Variables) -> list[Check]:
    """The health checks of a host, as its last steps found them."""
    others = [name for name in variables if name.startswith(STEP_PREFIX) and not _is_health(name)]
    if not any(_is_health(name) for name in variables):
        return []
    own = {name: value for name, value in variables.items() if name not in others}
    found = host_results(own, set(), dropped=False)
    return [item for item in found if isinstance(item, Check)]


def _is_health(name: str) -> bool:
    return name.startswith(STEP_PREFIX) and name.endswith(_HEALTH)


def critical_of(hosts: HostVariables) -> list[dict[str, str]]:
    """The health checks of all hosts that are critical."""
    return [
        {
            "host": host,
            "name": check.name,
            "subject": check.subject,
            "summary": check.summary,
        }
        for host, variables in hosts.items()
        for check in health_of(variables)
        if check.status == CRITICAL
    ]


def fingerprints(variables: Variables) -> dict[str, str]:
    """A short text for what each step has registered, which differs once it registers anew."""
    return {
        name: hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:12]
        for name, value in variables.items()
        if name.startswith(STEP_PREFIX) and not name.startswith(_OWN)
    }


@dataclass(frozen=True)
class Steps:
    """What the steps of a part did."""

    ran: bool
    """Whether any step did something at all."""
    changed: bool
    problems: tuple[str, ...]
    """Why steps failed."""
    doubts: tuple[tuple[str, str], ...] = ()
    """Status and text of the checks of the steps that are critical or unknown, worst first."""


def since(seen: Mapping[str, str], variables: Variables) -> Steps:
    """What the steps of parts did that have registered a result since; health is no part."""
    now = {name: text for name, text in fingerprints(variables).items() if not _is_health(name)}
    new = [name for name, text in now.items() if seen.get(name) != text]
    changed, ran = False, False
    problems: dict[str, None] = {}
    doubts: dict[tuple[str, str], None] = {}
    for name in new:
        step = name.strip("_")
        for result in results_of(name, {"": variables}).get("", []):
            ran = True
            changed = changed or bool(result.get("changed"))
            for text in _problems(result):
                problems[name_variable(step, text, variables)] = None
            for status, text in _doubts(result):
                doubts[status, name_variables(step, text, variables)] = None
    return Steps(
        ran, changed, tuple(problems), tuple(sorted(doubts, key=lambda each: each[0] != CRITICAL))
    )


def _doubts(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for check in result.get("checks") or ():
        if isinstance(check, Mapping) and check.get("status") in (CRITICAL, UNKNOWN):
            name = f"{check.get('name')} {check.get('subject', '')}".strip()
            yield str(check["status"]), f"{name}: {check.get('summary', '')}"


def _problems(result: Mapping[str, Any]) -> Iterable[str]:
    if result.get("unreachable"):
        yield "the host could not be reached"
    elif result.get("failed"):
        yield reason(result)
    else:
        for action in result.get("actions") or ():
            if isinstance(action, Mapping) and action.get("status") == FAILED:
                name = f"{action.get('name')} {action.get('subject', '')}".strip()
                yield f"{name}: {action.get('reason', '')}"
