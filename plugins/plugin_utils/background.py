# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work in the background of its host, with lines that say where it is."""

from __future__ import annotations

import base64
import json
import secrets
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.core.units import format_duration

#: Seconds after which work is long enough to say where it is, and between two such lines.
PATIENCE = 10.0
#: Seconds between two questions whether the work is done.
POLL = 1.0
#: Seconds that a module may need beyond its longest work: to look, to cancel, to clean up.
GRACE = 600
#: What Ansible adds to the result of a job in the background.
OF_THE_JOB = (
    "started",
    "finished",
    "ansible_job_id",
    "results_file",
    "stdout",
    "stderr",
    "stdout_lines",
    "stderr_lines",
    "erased",
)


class WatchedAction(ActionBase):
    """Runs the module of its own name, and shows what that keeps in its ``progress_file`` (see module_utils/core/progress.py).

    In check mode, and where the task is asynchronous already, this is the module and nothing else. A connection to the host that
    is lost meanwhile does not end the work: it goes on, and the next question finds it.
    """

    _supports_check_mode = True
    _supports_async = True

    #: What is being done, in the texts for people.
    work = ""
    #: What it begins with, before it has anything to say.
    beginning = ""

    @abstractmethod
    def longest(self) -> float:
        """Seconds that the module may work, by its arguments. Where they make no sense the module says so, so any number will do."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode or self._task.async_val or self._task.args.get("progress_file"):
            result.update(
                self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)
            )
        else:
            result.update(self._watched(task_vars or {}))
        return result

    def _watched(self, variables: dict[str, Any]) -> dict[str, Any]:
        folder = self.get_shell_option(
            "async_dir", default="~/.ansible_async"
        )  # its '~' is the home of whoever the modules run as
        progress = self._connection._shell.join_path(
            folder, f"{self._task.action.rpartition('.')[2]}.{secrets.token_hex(8)}"
        )
        host = variables.get("inventory_hostname", "")
        try:
            job = self._begun({**self._task.args, "progress_file": progress}, variables)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:  # who becomes an unprivileged user needs setfacl for files on the host, and none for a module that is piped in
            Display().display(
                f"{host}: the work is done in the foreground, and nothing says where it is (the package acl on the host helps): {error.message}"
            )
            foreground: dict[str, Any] = self._execute_module(task_vars=variables)
            return foreground
        if job.get("failed") or "ansible_job_id" not in job:
            return job
        status = {"jid": job["ansible_job_id"], "_async_dir": folder}
        started = shown = time.monotonic()
        lost: Exception | None = None
        while time.monotonic() - started < self.longest() + GRACE:
            time.sleep(POLL)
            try:
                answer: dict[str, Any] = self._execute_module(
                    "ansible.legacy.async_status", {**status, "mode": "status"}, task_vars=variables
                )
                # A file that is half-written does not parse; the next look finds it whole.
                if answer.get("finished") or (
                    answer.get("failed")
                    and answer.get("_ansible_parsed", True)
                    and "started" not in answer
                ):
                    self._execute_module(
                        "ansible.legacy.async_status",
                        {**status, "mode": "cleanup"},
                        task_vars=variables,
                    )
                    return {key: value for key, value in answer.items() if key not in OF_THE_JOB}
                if time.monotonic() - shown >= PATIENCE:
                    shown = time.monotonic()
                    Display().display(f"{host}: {self._progress(progress, variables)}")
                lost = None
            except AnsibleConnectionFailure as error:
                if lost is None:
                    Display().warning(
                        f"{host}: the connection is lost; {self.work} goes on there, and it is tried again until it answers: {error}"
                    )
                lost = error
        if lost is not None:
            raise lost
        return {
            "failed": True,
            "msg": f"{self.work.capitalize()} has not ended {format_duration(GRACE)} after the time it may take: see whether its host still answers.",
        }

    def _begun(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Start the module in the background; whatever becomes of this, nobody else waits for the job."""
        self._task.async_val = int(self.longest() + GRACE)
        try:
            begun: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=variables, wrap_async=True
            )
        finally:
            self._task.async_val = 0
        return begun

    def _progress(self, path: str, variables: dict[str, Any]) -> str:
        """What is being done, in one line."""
        answer = self._execute_module("ansible.legacy.slurp", {"src": path}, task_vars=variables)
        try:
            return words(json.loads(base64.b64decode(answer["content"])))
        except (KeyError, ValueError):
            return self.beginning


def words(progress: Mapping[str, Any]) -> str:
    """``2 of 7 done; reindex public.messages_word for 41 s: building index, 63 %``."""
    parts = [f"{progress['done']} of {progress['total']} done"]
    for each in progress["work"]:
        share = f", {100 * each['share']:.0f} %" if each["share"] is not None else ""
        phase = f": {each['phase']}{share}" if each["phase"] else share
        parts.append(f"{each['what']} for {format_duration(each['seconds'])}{phase}")
    return "; ".join(parts)
