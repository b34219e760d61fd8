# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report from what the steps of a playbook registered.

Documented in plugins/modules/report.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase

from ..plugin_utils import playbook_clock
from ..plugin_utils.report.arguments import read_arguments
from ..plugin_utils.report.console import show
from ..plugin_utils.report.document import Run, build, title_of
from ..plugin_utils.report.files import TEXTFILE_MODE, write_file, write_report
from ..plugin_utils.report.formats import SUFFIXES, documents, metrics
from ..plugin_utils.report.options import name_variable
from ..plugin_utils.report.view import verdict_line


class ActionModule(ActionBase):
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        options, mistakes = read_arguments(self._task.args)
        mistakes = [name_variable("report", mistake, variables) for mistake in mistakes]
        options["playbook"] = options["playbook"] or self._playbook_name()
        report = build(self._run(options, variables), *_hosts(variables))
        paths, problem = _write(report, options)
        message = verdict_line(report)
        if paths:
            message += f"; report: {paths['html']}"
        if mistakes:
            problem += f". Invalid options were replaced by their defaults: {'; '.join(mistakes)}"
        if not paths or playbook_clock.started() is None:  # no callback prints it at the end
            show(report, paths.get("html", ""))
        result.update(
            changed=False,
            verdict=report["verdict"],
            failing=report["failing"] or bool(problem),
            message=message + problem,
            counts=report["counts"],
            action_counts=report["action_counts"],
            paths={name: paths[suffix] for name, suffix in SUFFIXES.items() if suffix in paths},
            ansible_stats={
                "data": _statistics(report, paths.get("json", "")),
                "per_host": False,
                "aggregate": False,
            },
        )
        return result

    def _run(self, options: Mapping[str, Any], variables: Mapping[str, Any]) -> Run:
        return Run(
            playbook=options["playbook"],
            title=options["title"] or title_of(options["playbook"]),
            finished=datetime.now(timezone.utc),
            started=playbook_clock.started(),
            check_mode=bool(variables.get("ansible_check_mode")),
            limit=context.CLIARGS.get("subset") or "",
            fail_on=options["fail_on"],
        )

    def _playbook_name(self) -> str:
        """The playbook on the command line, even if the play is from one that it imports."""
        arguments = context.CLIARGS.get("args")
        if isinstance(arguments, (tuple, list)) and len(arguments) == 1:
            path: str = arguments[0]
        else:
            path = self._task.get_play().get_path().rpartition(":")[0]
        name = os.path.basename(path)
        stem, extension = os.path.splitext(name)
        if extension in (".yml", ".yaml", ".json"):
            return stem
        return name.rpartition(".")[2]  # a playbook of a collection: namespace.collection.playbook


def _hosts(variables: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The untemplated variables of all hosts of the play, and the hosts that were dropped."""
    names = list(variables["ansible_play_hosts_all"])
    hosts = {name: variables["hostvars"].raw_get(name) for name in names}
    return hosts, set(names) - set(variables["ansible_play_hosts"])


def _write(report: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Write all files of the report.

    Returns the paths by suffix, without the textfile's, and what could not be written.
    """
    folder = os.path.abspath(os.path.join(options["report_dir"], report["playbook"]))
    moment = datetime.strptime(report["finished"], "%Y-%m-%dT%H:%M:%SZ")
    texts = documents(report, options["formats"])
    try:
        paths = write_report(folder, moment, texts, options["keep"])
    except OSError as error:
        return {}, _not_written(folder, error)
    if options["textfile"]:
        textfile = os.path.abspath(options["textfile"])
        try:
            write_file(textfile, metrics(report), TEXTFILE_MODE)
        except OSError as error:
            return paths, _not_written(textfile, error)
    return paths, ""


def _not_written(path: str, error: OSError) -> str:
    return (
        f"; the report could not be written to {path}: {error.strerror or error}. "
        "Free some space or set another path, then run the playbook again"
    )


def _statistics(report: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "runbook_verdict": report["verdict"],
        "runbook_counts": report["counts"],
        "runbook_action_counts": report["action_counts"],
        "runbook_report": path,
    }
