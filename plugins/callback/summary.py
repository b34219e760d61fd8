# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the closing table on the terminal and in AWX's job output."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Prints the report of the runbook at the end of the run
version_added: "0.1.0"
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
description:
  - When M(gpt_agent.runbook.report) has written a report, prints it after everything else.
  - First comes what is not ok, each with its remedy, then the actions, the verdict and the path of
    the report. A finding that is the same on several hosts is printed once.
  - Prints nothing in a run without a report.
  - Notes when the run started, for the report.
  - Lines are as wide as the terminal or E(COLUMNS), at most 160 columns, or 110 without a terminal.
    Colours follow Ansible's settings, such as E(NO_COLOR). If the output cannot encode the symbols,
    the table is plain ASCII.
requirements:
  - Enable it in C(ansible.cfg), section C(defaults), with
    C(callbacks_enabled = gpt_agent.runbook.summary), or with the environment variable
    C(ANSIBLE_CALLBACKS_ENABLED).
"""

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

from ..plugin_utils import playbook_clock

REPORT = "gpt_agent.runbook.report"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpt_agent.runbook.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reports: list[str] = []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        playbook_clock.start()

    def v2_runner_on_ok(self, result: Any) -> None:
        if getattr(result.task, "resolved_action", None) == REPORT:
            path = result.result["paths"].get("json")  # none if it could not be written
            self._reports += [path] if path else []

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for path in self._reports:
            self._show(path)
        self._reports.clear()

    def _show(self, path: str) -> None:
        from ..plugin_utils.report.console import show
        from ..plugin_utils.report.document import parse_report

        try:
            with open(path, encoding="utf-8") as stream:
                report = parse_report(json.load(stream))
            show(report, path.removesuffix("json") + "html")
        except (OSError, ValueError, LookupError, TypeError) as problem:
            self._display.warning(f"The report {path} cannot be printed: {problem}")
