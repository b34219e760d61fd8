# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells maintenance_run what earlier steps have found, and whether another run still lives.

Documented in plugins/modules/maintenance_run.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.core.catalog import CATALOG
from ..module_utils.core.options import none_chosen
from ..module_utils.maintenance.options import (
    BEGUN,
    ENDED,
    FINISHED,
    PART,
    PART_ENDED,
    PARTS,
    unknown_part,
)
from ..plugin_utils.controller import identity, is_dead
from ..plugin_utils.maintained import critical_of, fingerprints, health_of, since
from ..plugin_utils.requirements import HostVariables

#: What the tasks of the role register.
BEGUN_RESULT, PART_RESULT = "__maintenance_begun", "__maintenance_part"
ENDED_RESULT = "__maintenance_ended"


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        wrong = unknown_check(self._task.args.get("despite") or []) or wrong_parts(self._task.args)
        if wrong:
            return {"failed": True, "msg": wrong}
        host = variables["inventory_hostname"]
        hosts = _hosts(variables)
        own = hosts.get(host) or variables["hostvars"].raw_get(host)
        known = self._known(own, hosts)
        if known is not None:
            return {**result, "changed": False, **known, "seen": fingerprints(own)}
        observed = self._observed(host, own, hosts)
        answer = self._ask(observed, variables)
        holder = answer.get("holder")
        if holder and is_dead(holder["pid"], holder["started"], holder["place"]):
            answer = self._ask({**observed, "dead": holder["run"]}, variables)
        result.update(answer)
        # The part before goes on if the call failed: what its steps did is still to be noted.
        result["seen"] = _seen(own) if answer.get("failed") else fingerprints(own)
        return result

    def _known(self, own: Mapping[str, Any], hosts: HostVariables) -> dict[str, Any] | None:
        """What needs no question to the host; none if it must be asked."""
        state, part = self._task.args.get("state"), self._task.args.get("part")
        if state == ENDED:
            return {"check_again": any(_has_effect(variables) for variables in hosts.values())}
        if state == PART_ENDED and (self._task.check_mode or _is_noted_soon(part, own, hosts)):
            return {}
        first = _registered(own, BEGUN_RESULT).get("first") or {}
        if state == PART and part and first.get("part") == part:
            return {key: value for key, value in first.items() if key != "part"}
        return None

    def _ask(self, observed: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        given = self._task.args
        controller = {**(given.get("controller") or {}), **identity()}
        if controller["place"] and not controller["started"]:
            return {"failed": True, "msg": "the playbook that this task belongs to was killed"}
        answer: dict[str, Any] = self._execute_module(
            module_args={**given, "controller": controller, "observed": dict(observed)},
            task_vars=variables,
        )
        return answer

    def _observed(self, host: str, own: Mapping[str, Any], hosts: HostVariables) -> dict[str, Any]:
        state = self._task.args.get("state")
        if state == BEGUN:
            return {
                "host": host,
                "alone": len(hosts) == 1,
                "critical": critical_of(hosts),
                "health": _health(own),
            }
        begun = _registered(own, BEGUN_RESULT)
        steps = since(_seen(own), own)
        return {
            "host": host,
            "run": begun.get("run", ""),
            # Those of all hosts: one that is ill stops the others, too.
            "critical": _critical(hosts),
            "declined": declined(hosts),
            "before": begun.get("health") or [],
            "health": _health(own) if state == FINISHED else [],
            "problems": list(steps.problems),
            "doubts": [list(each) for each in steps.doubts],
            "changed": steps.changed,
            "ran": steps.ran,
            # What the killed run changed was not compared, and the checks of this run are newer.
            "checked": _registered(own, ENDED_RESULT).get("check_again", True)
            or bool(begun.get("resumes")),
        }


def unknown_check(names: Iterable[str]) -> str:
    """What is wrong with names of checks; empty if nothing is."""
    for name in [names] if isinstance(names, str) else names:
        check = str(name).partition(" ")[0]
        if check not in CATALOG:
            close = get_close_matches(check, CATALOG, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            return f"despite: there is no check '{check}'{hint}"
    return ""


def wrong_parts(given: Mapping[str, Any]) -> str:
    """What is wrong with the parts to be done, or of a host; empty if nothing is."""
    for option in ("parts", "host_parts"):
        names = given.get(option) or []
        if isinstance(names, str):
            names = [name.strip() for name in names.split(",") if name.strip()]
        if option == "parts" and option in given and not names:
            return none_chosen(option, PARTS)
        if not isinstance(names, Sequence):
            return f"{option}: must be a list, of {', '.join(PARTS)}"
        wrong = unknown_part(option, names)
        if wrong:
            return wrong
    return ""


def declined(hosts: HostVariables) -> list[str]:
    """The hosts on which the run could not begin."""
    return [
        host
        for host, variables in hosts.items()
        if any(_registered(variables, BEGUN_RESULT).get(each) for each in ("failed", "unreachable"))
    ]


def _critical(hosts: HostVariables) -> list[Mapping[str, Any]]:
    """What every host found when the run began there; of the health before, each names all."""
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for variables in hosts.values():
        for row in _registered(variables, BEGUN_RESULT).get("critical") or []:
            found[row["host"], row["name"], row["subject"]] = row
    return list(found.values())


def _seen(variables: Mapping[str, Any]) -> Mapping[str, str]:
    """What had been registered when the part began that is being done."""
    for name in (PART_RESULT, BEGUN_RESULT):
        found: Mapping[str, str] | None = _registered(variables, name).get("seen")
        if found is not None:
            return found
    return {}


def _has_effect(variables: Mapping[str, Any]) -> bool:
    """Whether a step of this host has changed anything, or failed, since the run began."""
    begun = _registered(variables, BEGUN_RESULT)
    if "run" not in begun:
        return False
    steps = since(begun.get("seen") or {}, variables)
    return steps.changed or bool(steps.problems)


def _is_noted_soon(part: Any, own: Mapping[str, Any], hosts: HostVariables) -> bool:
    """Whether the next call follows at once: neither a part of another host nor a health check."""
    is_last = part in (_registered(own, BEGUN_RESULT).get("order") or [part])[-1:]
    return len(hosts) == 1 and not (is_last and _has_effect(own))


def _health(variables: Mapping[str, Any]) -> list[list[str]]:
    return [[check.name, check.subject, check.status] for check in health_of(variables)]


def _registered(variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = variables.get(name)
    return found if isinstance(found, Mapping) else {}


def _hosts(variables: Mapping[str, Any]) -> HostVariables:
    """The untemplated variables of the hosts of this play."""
    every = variables["hostvars"]
    names = variables.get("ansible_play_hosts_all") or list(every)
    return {name: every.raw_get(name) for name in names}
