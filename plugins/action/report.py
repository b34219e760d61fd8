# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report from what the steps of a playbook registered.

Documented in plugins/modules/report.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.core.check import CRITICAL
from ..plugin_utils import playbook_clock
from ..plugin_utils.report.console import show
from ..plugin_utils.report.document import FAIL_ON, Run, build, title_of
from ..plugin_utils.report.files import TEXTFILE_MODE, write_file, write_report
from ..plugin_utils.report.formats import SUFFIXES, documents, metrics
from ..plugin_utils.report.view import verdict_line

ARGUMENT_SPEC: dict[str, Any] = {
    "report_dir": {"type": "path", "default": "reports"},
    "playbook": {"type": "str"},
    "title": {"type": "str"},
    # Checked after the report is written: a typo must not cost the report.
    "fail_on": {"type": "str", "default": CRITICAL},
    "formats": {
        "type": "list",
        "elements": "str",
        "default": [],
        "choices": ["junit", "prometheus"],
    },
    "textfile": {"type": "path"},
    "keep": {"type": "int", "default": 90},
}

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
Written = TypeVar("Written")


class ActionModule(ActionBase):
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        options = self._options()
        fail_on = options["fail_on"]
        if fail_on not in FAIL_ON:
            options["fail_on"] = CRITICAL
        report = build(self._run(options, variables), *_hosts(variables))
        paths = _write(report, options)
        message = f"{verdict_line(report)}; report: {paths['html']}"
        if fail_on not in FAIL_ON:
            show(report)
            raise AnsibleActionFail(
                f"{message}. Whether the run fails was not decided: fail_on (runbook_fail_on) "
                f"is {fail_on!r}, but must be one of {', '.join(FAIL_ON)}"
            )
        result.update(
            changed=False,
            verdict=report["verdict"],
            failing=report["failing"],
            message=message,
            counts=report["counts"],
            action_counts=report["action_counts"],
            paths={name: paths[suffix] for name, suffix in SUFFIXES.items() if suffix in paths},
            ansible_stats={
                "data": _statistics(report, paths["json"]),
                "per_host": False,
                "aggregate": False,
            },
        )
        return result

    def _options(self) -> dict[str, Any]:
        _validated, options = self.validate_argument_spec(ARGUMENT_SPEC)
        options["playbook"] = options["playbook"] or self._playbook_name()
        if not _NAME.fullmatch(options["playbook"]):
            raise AnsibleActionFail(
                f"playbook: {options['playbook']!r} cannot be the name of a folder; "
                "use letters, digits, '.', '_' and '-'"
            )
        if options["keep"] < 0:
            raise AnsibleActionFail(
                f"keep: {options['keep']} is not a number of reports; use 0 to keep all"
            )
        if options["textfile"] and not options["textfile"].endswith(".prom"):
            raise AnsibleActionFail(
                f"textfile: {options['textfile']!r} does not end in '.prom', "
                "so node_exporter would not read it"
            )
        return dict(options)

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


def _write(report: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Write all files of the report and return the paths by suffix, without the textfile's."""
    folder = os.path.abspath(os.path.join(options["report_dir"], report["playbook"]))
    moment = datetime.strptime(report["finished"], "%Y-%m-%dT%H:%M:%SZ")
    texts = documents(report, options["formats"])
    paths = _or_show(report, folder, lambda: write_report(folder, moment, texts, options["keep"]))
    if options["textfile"]:
        textfile = os.path.abspath(options["textfile"])
        text = metrics(report)
        _or_show(report, textfile, lambda: write_file(textfile, text, TEXTFILE_MODE))
    return paths


def _or_show(report: Mapping[str, Any], path: str, write: Callable[[], Written]) -> Written:
    """Write something; if that fails, print the report instead and fail the task."""
    try:
        return write()
    except OSError as error:
        show(report)
        raise AnsibleActionFail(
            f"{verdict_line(report)}; the report could not be written to {path}: "
            f"{error.strerror or error}. It is only in the output of this run. "
            "Free some space or set another path, then run the playbook again."
        ) from None


def _statistics(report: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "runbook_verdict": report["verdict"],
        "runbook_counts": report["counts"],
        "runbook_action_counts": report["action_counts"],
        "runbook_report": path,
    }
