# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the variable that the operator set, in messages that name the option it became."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: How a message names an option, or what is in it: ``endpoints[0].url: ``.
_OPTION = re.compile(r"(?P<option>[a-z][a-z0-9_]*)(?P<part>[\[.][\w.\[\]]*)?: ")

#: The variables that options have their defaults from, where those are of another entry point.
_DEFAULTS = {
    ("app_update", "path"): "app_dependencies_path",
    ("app_update", "npm"): "app_dependencies_npm",
    ("app_update", "registry"): "app_dependencies_registry",
    ("app_update", "repository"): "app_release_repository",
}


def name_variable(step: str, message: str, variables: Mapping[str, Any]) -> str:
    """The message of a failed step with the variable that the option got its value from.

    ``jobs: 0 is not …`` of the step ``postgres_maintenance`` becomes ``postgres_maintenance_jobs
    (jobs): 0 is not …`` if the operator set that variable. Otherwise the message is unchanged.
    """
    match = _OPTION.match(message)
    if match is None:
        return message
    option, part = match["option"], match["part"] or ""
    variable = next((name for name in _candidates(step, option) if name in variables), option)
    if variable == option:
        return message
    return f"{variable} ({option}{part}): {message[match.end() :]}"


def _candidates(step: str, option: str) -> list[str]:
    """The variables that a step's option can come from, the most specific first."""
    role = step.partition("_")[0]
    if step == "report":  # the defaults of this role refer to variables of the whole runbook
        return [f"runbook_{option}", f"runbook_report_{option}", f"report_{option}"]
    names = [f"{step}_{option}", f"{role}_{option}"]
    if (step, option) in _DEFAULTS:
        names.append(_DEFAULTS[step, option])
    if option.endswith("_url"):  # postgres_maintenance_url becomes database_url
        names += [f"{step}_url", f"{role}_url"]
    if option == "endpoints":  # made from the base URL by default
        names += [f"{role}_base_url", "runbook_base_url"]
    return [*names, f"runbook_{option}"]
