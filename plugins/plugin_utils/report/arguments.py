# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the report; one that cannot be used costs its own effect, never the report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils.core.check import CRITICAL
from .document import FAIL_ON
from .mistakes import in_our_words
from .reasons import reason

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
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
    "problem": {"type": "str"},
}

#: Names of a folder.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def read_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The options, with the default for each that cannot be used, and what is wrong with those."""
    options = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    mistakes = []
    for name, given in arguments.items():
        spec = {name: ARGUMENT_SPEC[name]} if name in ARGUMENT_SPEC else {}
        validated = ArgumentSpecValidator(spec).validate({name: given})
        problem = "; ".join(in_our_words(message) for message in validated.error_messages)
        value = validated.validated_parameters.get(name)
        problem = problem or _problem(name, value)
        if problem:
            mistakes.append(problem)
        else:
            options[name] = value
    if options["problem"]:
        mistakes.append(reason({"msg": options["problem"]}))
    return options, mistakes


def _problem(name: str, value: Any) -> str:
    """What is wrong with a value that has the right type; empty if nothing is."""
    if name == "playbook" and value and not _NAME.fullmatch(value):
        return (
            f"playbook: {value!r} cannot be the name of a folder; "
            "use letters, digits, '.', '_' and '-'"
        )
    if name == "keep" and value < 0:
        return f"keep: {value} is not a number of reports; use 0 to keep all"
    if name == "textfile" and value and not value.endswith(".prom"):
        return f"textfile: {value!r} does not end in '.prom', so node_exporter would not read it"
    return ""
