# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of an operation, and how its module exits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from .check import DONE, PLANNED, Action, Check, as_dicts, probe_result


@dataclass
class Outcome:
    """What an operation found and did."""

    checks: list[Check] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    problem: str = ""
    """Why the task fails; empty if it does not."""
    results: dict[str, Any] = field(default_factory=dict)
    """Further keys of the module's result, for conditions of the next step."""

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be without check mode."""
        return any(_changes(action) for action in self.actions)

    @property
    def diff(self) -> dict[str, str]:
        """The actions that were needed, and those of them that still are."""
        before = [_diff_line(action) for action in self.actions]
        after = [_diff_line(action) for action in self.actions if not _changes(action)]
        return {"before": "".join(before), "after": "".join(after)}

    @property
    def file_diffs(self) -> list[dict[str, str]]:
        """Those of the files that the operation writes; apart from that of the actions."""
        return []


def file_diff(path: str, before: str, after: str) -> list[dict[str, str]]:
    """What `Outcome.file_diffs` has of a file; nothing if it is as it was."""
    if before == after:
        return []
    return [{"before_header": path, "after_header": path, "before": before, "after": after}]


def exit_operation(module: AnsibleModule, outcome: Outcome, target: str = "") -> NoReturn:
    """Exit the module with the outcome; fail it with the same result if there is a problem."""
    result: dict[str, Any] = {
        **probe_result(outcome.checks),
        "target": target,
        "changed": outcome.changed,
        "actions": as_dicts(outcome.actions),
        **outcome.results,
    }
    if module._diff and outcome.changed:
        files = outcome.file_diffs
        result["diff"] = [*files, outcome.diff] if files else outcome.diff
    if outcome.problem:
        module.fail_json(msg=outcome.problem, **result)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")


def _changes(action: Action) -> bool:
    return action.status in (DONE, PLANNED)


def _diff_line(action: Action) -> str:
    return f"{action.name} {action.subject}: {action.reason}\n"
