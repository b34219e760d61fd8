# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts a service if its module says that this is the cure, and lets the module verify it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.core.confirmation import require_match
from ..module_utils.core.errors import UsageError
from ..module_utils.core.text import redact, shorten

SYSTEMD, COMMAND = "ansible.builtin.systemd_service", "ansible.legacy.command"


class RestartAction(ActionBase):
    """Runs the module of its own name; if that calls for a restart, restarts and runs it again.

    In check mode the module alone is run, and shows the plan.
    """

    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.args.get("attempt"):
            return {"failed": True, "msg": "attempt: is set by this action itself; remove it"}
        variables = task_vars or {}
        try:
            self._heed_confirmation(variables)
        except UsageError as error:
            return {"failed": True, "msg": str(error)}
        result.update(self._execute_module(task_vars=variables))
        if self._task.check_mode or not result.get("restart"):
            return result
        attempt = self._restart(result, variables)
        arguments = {**self._task.args, "attempt": attempt}
        verified: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=variables)
        return verified

    def _heed_confirmation(self, variables: Mapping[str, Any]) -> None:
        """Plan only if another host is confirmed; raises `UsageError` if it is none of the play."""
        confirmed = str(self._task.args.get("confirm") or "")
        if confirmed and confirmed != variables["inventory_hostname"]:
            require_match(confirmed, "host", *variables["ansible_play_hosts_all"])
            self._task.check_mode = True

    def _restart(self, judged: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Restart it, and say how that ended, as the module's option ``attempt``."""
        started = time.monotonic()
        command = self._task.args.get("restart_command")
        if command:
            command = command if isinstance(command, list) else [command]
            done = self._execute_module(COMMAND, {"argv": command}, task_vars=variables)
        else:
            unit = judged["unit"]
            # A unit that failed too often may not be started otherwise.
            self._execute_module(
                COMMAND, {"argv": ["systemctl", "reset-failed", unit]}, task_vars=variables
            )
            # The module waits by itself, and tells a recovery from a start that hangs.
            arguments = {"name": unit, "state": "restarted", "no_block": True}
            done = self._execute_module(SYSTEMD, arguments, task_vars=variables)
        return {
            "failed": bool(done.get("failed")),
            "text": _said(done, command[0] if command else "") if done.get("failed") else "",
            "seconds": time.monotonic() - started,
            "because": judged["cause"],
        }


def _said(done: Mapping[str, Any], program: str) -> str:
    """How a step failed, with the end of what it said; ``program`` is that of a command."""
    errors = str(done.get("stderr", "")).strip().splitlines()
    what, code, said = str(done.get("msg", "")), done.get("rc"), " ".join(errors[-3:])
    if program and code and what.startswith("Error executing command"):
        what = f"{program} cannot be run: {os.strerror(code)}"
    elif program and code:
        what = f"{program} ended with code {code}" + (":" if said else "")
    return shorten(redact(f"{what} {said}".strip()), 300)
