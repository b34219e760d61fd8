# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the results of earlier steps allow the next one.

A step is a task that registered its result as ``__STEP``, on however many hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

#: ``STEP.KEY``: a key of the result that a task registered as ``__STEP``.
_REQUIREMENT = re.compile(r"[A-Za-z]\w*\.[A-Za-z]\w*")

#: The variables of hosts, by the name of the host.
HostVariables = Mapping[str, Mapping[str, Any]]


def malformed(requirements: Iterable[str]) -> list[str]:
    """Those that are not of the form ``STEP.KEY``."""
    return [each for each in requirements if not _REQUIREMENT.fullmatch(each)]


def unmet(requirements: Iterable[str], hosts: HostVariables, check_mode: bool) -> str:
    """Why a requirement is not met, or an empty string.

    ``STEP.KEY`` is met if at least one host has a result of the step, and the key is true in the
    result of each host that has one. ``hosts`` are those whose results count. In check mode the
    key may also be None: it will be decided by the run without check mode.
    """
    for requirement in requirements:
        step, key = requirement.split(".", 1)
        found = results_of(f"__{step}", hosts)
        if not found:
            return f"there is no result of {step}"
        missing = [
            host
            for host, results in found.items()
            if not all(_is_met(result, key, check_mode) for result in results)
        ]
        if missing:
            return f"{step} was not {key} on {', '.join(missing)}"
    return ""


def results_of(variable: str, hosts: HostVariables) -> dict[str, list[Mapping[str, Any]]]:
    """What the step returned, by host: several results if it was a loop.

    Hosts on which a condition skipped it are left out.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for host, variables in hosts.items():
        results = _each(variables.get(variable))
        if results:
            found[host] = results
    return found


def _is_met(result: Mapping[str, Any], key: str, check_mode: bool) -> bool:
    undecided = key in result and result[key] is None
    return result.get(key) is True or (check_mode and undecided)


def _each(registered: Any) -> list[Mapping[str, Any]]:
    """The results in a registered variable that no condition skipped."""
    if not isinstance(registered, Mapping):
        return []
    items = registered.get("results")
    results = items if isinstance(items, list) and items else [registered]
    return [
        result for result in results if isinstance(result, Mapping) and not result.get("skipped")
    ]
