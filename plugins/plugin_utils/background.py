# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a long module in the background of its host, and shows its progress.

It runs only if the results of earlier steps allow it (option ``requires``).
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.core.check import SKIPPED, Action, as_dicts
from ..module_utils.core.units import format_duration
from .requirements import HostVariables, malformed, unmet

#: Seconds between two lines of progress, and before the first.
PROGRESS_INTERVAL = 10.0
#: Seconds between two questions whether the job has finished.
POLL = 1.0
#: Seconds that a module may need beyond `BackgroundAction.max_seconds`: to inspect, to cancel, to
#: clean up.
GRACE = 600
#: What Ansible adds to the result of a background job.
JOB_KEYS = (
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


class BackgroundAction(ActionBase):
    """Runs the module of its own name in the background, and shows its ``progress_file``.

    If a result that ``requires`` names is not true, it runs nothing and returns a skipped action.

    In check mode, and if the task is asynchronous already or sets its own ``progress_file``, it
    runs the module and does nothing else. A lost connection does not end the job: it goes on, and
    is found again once the host answers.
    """

    _supports_check_mode = True
    _supports_async = True

    #: What is being done, with its article: ``the restart``.
    operation = ""
    #: Name of the skipped action if the module is not run: ``app.restart``.
    skipped_action = ""
    #: Further keys of the result if the module is not run.
    skipped_results: ClassVar[Mapping[str, Any]] = {}
    #: What is shown until the module reports its first progress.
    first_phase = ""

    @property
    def _subject(self) -> str:
        """The operation at the start of a sentence."""
        return self.operation.capitalize()

    @abstractmethod
    def max_seconds(self) -> float:
        """Maximum seconds that the operation may take, by the task's arguments.

        Any number will do for invalid arguments, as the module rejects them.
        """

    def subject(self) -> str:
        """The subject of the skipped action, by the task's arguments; empty if there is none."""
        return ""

    def obstacle(self, requires: Iterable[str], variables: Mapping[str, Any]) -> str:
        """Why the module must not run, or an empty string; only results of the same host count."""
        host = variables["inventory_hostname"]
        hosts = {host: variables["hostvars"].raw_get(host)}
        return unmet(requires, hosts, self._task.check_mode)

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task = self._task
        requires = task.args.get("requires") or []
        requires = [requires] if isinstance(requires, str) else list(requires)
        wrong = malformed(requires)
        if wrong:
            return {"failed": True, "msg": f"requires: {wrong[0]!r} is not of the form STEP.KEY"}
        reason = self.obstacle(requires, task_vars or {})
        if reason:
            skipped = Action(self.skipped_action, SKIPPED, reason, self.subject())
            return {"changed": False, "actions": as_dicts([skipped]), **self.skipped_results}
        if task.check_mode or task.async_val or task.args.get("progress_file"):
            result.update(self._execute_module(task_vars=task_vars, wrap_async=task.async_val))
        else:
            result.update(self._run_in_background(task_vars or {}))
        return result

    def _run_in_background(self, variables: dict[str, Any]) -> dict[str, Any]:
        # The '~' is the home folder of the user who runs the modules.
        folder = self.get_shell_option("async_dir", default="~/.ansible_async")
        module = self._task.action.rpartition(".")[2]
        progress_file = self._connection._shell.join_path(
            folder, f"{module}.{secrets.token_hex(8)}"
        )
        try:
            job = self._start({**self._task.args, "progress_file": progress_file}, variables)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            # Becoming an unprivileged user needs setfacl for files on the host, but not for a
            # module that is piped in.
            Display().display(
                f"{_host(variables)}: {self.operation} runs in the foreground without progress "
                f"(installing the package acl on the host helps): {error.message}"
            )
            foreground: dict[str, Any] = self._execute_module(task_vars=variables)
            return foreground
        if job.get("failed") or "ansible_job_id" not in job:
            return job
        status = {"jid": job["ansible_job_id"], "_async_dir": folder}
        return self._wait(status, progress_file, variables)

    def _start(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Start the job; the task is asynchronous only meanwhile, or Ansible would wait for it."""
        self._task.async_val = int(self.max_seconds() + GRACE)
        try:
            job: dict[str, Any] = self._execute_module(
                module_args=arguments, task_vars=variables, wrap_async=True
            )
        finally:
            self._task.async_val = 0
        return job

    def _wait(
        self, status: Mapping[str, Any], progress_file: str, variables: dict[str, Any]
    ) -> dict[str, Any]:
        """The result of the job, once it has finished; shows its progress until then."""
        started = shown = time.monotonic()
        lost: Exception | None = None
        while time.monotonic() - started < self.max_seconds() + GRACE:
            time.sleep(POLL)
            try:
                result = self._result(status, variables)
                if result is not None:
                    return result
                if time.monotonic() - shown >= PROGRESS_INTERVAL:
                    shown = time.monotonic()
                    progress = self._progress(progress_file, variables)
                    Display().display(f"{_host(variables)}: {progress}")
                lost = None
            except AnsibleConnectionFailure as error:
                if lost is None:
                    Display().warning(
                        f"{_host(variables)}: the connection is lost. {self._subject} continues on "
                        f"the host; reconnecting until it answers: {error}"
                    )
                lost = error
        if lost is not None:
            raise lost
        return {
            "failed": True,
            "msg": f"{self._subject} has not ended {format_duration(GRACE)} after "
            "its time limit: check whether the host still answers.",
        }

    def _result(
        self, status: Mapping[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The module's result; none while the job is running."""
        answer = self._job_status(status, "status", variables)
        # A file that is half-written does not parse; the next question finds it complete.
        has_failed = (
            answer.get("failed") and answer.get("_ansible_parsed", True) and "started" not in answer
        )
        if not answer.get("finished") and not has_failed:
            return None
        self._job_status(status, "cleanup", variables)
        return {key: value for key, value in answer.items() if key not in JOB_KEYS}

    def _job_status(
        self, status: Mapping[str, Any], mode: str, variables: dict[str, Any]
    ) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            "ansible.legacy.async_status", {**status, "mode": mode}, task_vars=variables
        )
        return answer

    def _progress(self, path: str, variables: dict[str, Any]) -> str:
        """The current progress in one line."""
        answer = self._execute_module("ansible.legacy.slurp", {"src": path}, task_vars=variables)
        try:
            return format_progress(json.loads(base64.b64decode(answer["content"])))
        except (KeyError, ValueError):
            return self.first_phase


def all_hosts(variables: Mapping[str, Any]) -> HostVariables:
    """The untemplated variables of every host of the inventory."""
    every = variables["hostvars"]
    return {host: every.raw_get(host) for host in every}


def format_progress(progress: Mapping[str, Any]) -> str:
    """``2 of 7 done; reindex public.messages_word for 41 s: building index, 63 %``."""
    parts = [f"{progress['done']} of {progress['total']} done"]
    parts += [_format_item(item) for item in progress["work"]]
    return "; ".join(parts)


def _format_item(item: Mapping[str, Any]) -> str:
    text = f"{item['what']} for {format_duration(item['seconds'])}"
    details = [item["phase"]] if item["phase"] else []
    if item["share"] is not None:
        details.append(f"{100 * item['share']:.0f} %")
    if not details:
        return text
    separator = ": " if item["phase"] else ", "
    return text + separator + ", ".join(details)


def _host(variables: Mapping[str, Any]) -> str:
    return str(variables.get("inventory_hostname", ""))
