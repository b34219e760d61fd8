# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every act returns, and how its module ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .check import DONE, PLANNED, Action, Check, as_dicts


@dataclass
class Outcome:
    """What an act came to."""

    checks: list[Check] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    problem: str = ""
    """Why the task fails; empty where it does not."""
    results: dict[str, Any] = field(default_factory=dict)
    """Further keys of the module's result, for conditions of the next step."""

    @property
    def changed(self) -> bool:
        return any(action.status in (DONE, PLANNED) for action in self.actions)

    @property
    def diff(self) -> dict[str, str]:
        """What was due, and what of it is left."""
        lines = [
            (action.status in (DONE, PLANNED), f"{action.name} {action.subject}: {action.reason}\n")
            for action in self.actions
        ]
        return {
            "before": "".join(line for _due, line in lines),
            "after": "".join(line for due, line in lines if not due),
        }


def exit_operation(module: AnsibleModule, outcome: Outcome) -> NoReturn:
    """Exit the module with what was done, or fail it with the same and the reason."""
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "checks": as_dicts(outcome.checks),
        "actions": as_dicts(outcome.actions),
        **outcome.results,
    }
    if module._diff and outcome.changed:
        result["diff"] = outcome.diff
    if outcome.problem:
        module.fail_json(msg=outcome.problem, **result)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")
