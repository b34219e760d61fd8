# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects what the steps of a playbook registered, and writes the report. Documented in plugins/modules/report.py."""

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
from ..plugin_utils.report.files import TEXTFILE_MODE, replace_file, write_report
from ..plugin_utils.report.formats import SUFFIXES, documents, metrics
from ..plugin_utils.report.view import sentence

ARGUMENT_SPEC: dict[str, Any] = {
    "report_dir": {"type": "path", "default": "reports"},
    "playbook": {"type": "str"},
    "title": {"type": "str"},
    "fail_on": {"type": "str", "default": CRITICAL, "choices": list(FAIL_ON)},
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
Done = TypeVar("Done")


class ActionModule(ActionBase):
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        wrong = self._unfit_limit()
        options = self._options()
        run = self._run(options, variables)
        report = build(run, *_hosts(variables))
        folder = os.path.abspath(os.path.join(options["report_dir"], run.playbook))
        paths = _written(
            report,
            folder,
            lambda: write_report(
                folder, run.finished, documents(report, options["formats"]), options["keep"]
            ),
        )
        if options["textfile"]:
            textfile = os.path.abspath(options["textfile"])
            _written(
                report, textfile, lambda: replace_file(textfile, metrics(report), TEXTFILE_MODE)
            )
        if wrong:
            show(report)
            raise AnsibleActionFail(
                f"{sentence(report)}; report: {paths['html']}. Whether that fails the run was not decided: "
                f"fail_on (runbook_fail_on) is {wrong!r}, and has to be one of {', '.join(FAIL_ON)}"
            )
        result.update(
            changed=False,
            verdict=report["verdict"],
            failing=report["failing"],
            message=f"{sentence(report)}; report: {paths['html']}",
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

    def _unfit_limit(self) -> str:
        """A fail_on that is none, taken out: a typing error must not cost the report of what was done."""
        given = str(self._task.args.get("fail_on", CRITICAL))
        if given in FAIL_ON:
            return ""
        del self._task.args["fail_on"]
        return given

    def _options(self) -> dict[str, Any]:
        _checked, options = self.validate_argument_spec(ARGUMENT_SPEC)
        options["playbook"] = options["playbook"] or self._running_playbook()
        if not _NAME.fullmatch(options["playbook"]):
            raise AnsibleActionFail(
                f"playbook: {options['playbook']!r} cannot be the name of a folder; use letters, digits, '.', '_' and '-'"
            )
        if options["keep"] < 0:
            raise AnsibleActionFail(
                f"keep: {options['keep']} is no number of reports; use 0 to keep all"
            )
        if options["textfile"] and not options["textfile"].endswith(".prom"):
            raise AnsibleActionFail(
                f"textfile: {options['textfile']!r} does not end in '.prom', so that node_exporter would not read it"
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

    def _running_playbook(self) -> str:
        """The playbook that was asked for, also where the play comes from one that it imports."""
        asked = context.CLIARGS.get("args")
        path: str = (
            asked[0]
            if isinstance(asked, (tuple, list)) and len(asked) == 1
            else self._task.get_play().get_path().rpartition(":")[0]
        )
        name = os.path.basename(path)
        stem, extension = os.path.splitext(name)
        # what has no extension of a playbook is the name of one in a collection: namespace.collection.playbook
        return stem if extension in (".yml", ".yaml", ".json") else name.rpartition(".")[2]


def _hosts(variables: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Every host of the play with its variables as they are, and those of them that Ansible took out of the run."""
    names = list(variables["ansible_play_hosts_all"])
    return {name: variables["hostvars"].raw_get(name) for name in names}, set(names) - set(
        variables["ansible_play_hosts"]
    )


def _written(report: Mapping[str, Any], path: str, write: Callable[[], Done]) -> Done:
    """What could not be written is at least shown."""
    try:
        return write()
    except OSError as error:
        show(report)
        raise AnsibleActionFail(
            f"{sentence(report)}; the report could not be written to {path}: {error.strerror or error}. "
            "It is shown in the output of the run only. Make room there or give another path, then run the playbook again."
        ) from None


def _statistics(report: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {
        "runbook_verdict": report["verdict"],
        "runbook_counts": report["counts"],
        "runbook_action_counts": report["action_counts"],
        "runbook_report": path,
    }
