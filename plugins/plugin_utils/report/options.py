# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the variables that the operator sets, in texts that name the options they become.

Modules know their own options only: ``database_url`` may be ``postgres_url`` in the inventory, or
``postgres_maintenance_url``.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from pathlib import Path

#: How a message names an option, or what is in it: ``endpoints[0].url: ``.
_OPTION = re.compile(r"(?P<option>[a-z][a-z0-9_]*)(?P<part>[\[.][\w.\[\]]*)?: ")
#: What may be an option within a text. One word alone may as well be plain English.
_WORD = re.compile(r"(?<![\w.$/'-])[a-z]+[0-9]*(?:_[a-z0-9]+)+(?![\w/=]|\.\w)")

_ROLES = Path(__file__).parents[3] / "roles"

#: The logins of steps that need more than the one of the daily checks.
_LOGINS = {
    "backup_dump": "postgres_backup_url",
    "backup_restore": "postgres_backup_url",
    "backup_verify": "postgres_backup_url",
    "postgres_sessions": "postgres_relief_url",
}
#: The variables of options that are called otherwise, by step or role.
_OTHERS = {
    ("app_diagnosis", "app"): "app_name",
    ("app_health", "app"): "app_name",
    ("app_limit", "max_memory_restart"): "app_limit_memory",
    ("app_profile", "app"): "app_profile_name",
    ("app_update", "path"): "app_dependencies_path",
    ("app_update", "npm"): "app_dependencies_npm",
    ("app_update", "registry"): "app_dependencies_registry",
    ("app_update", "repository"): "app_release_repository",
    ("app_update_release", "name"): "app_deploy_name",
    ("backup_restore", "backup"): "backup_restore_from",
    ("backup_restore", "database"): "backup_restore_to",
    ("backup_restore", "safety_backup"): "backup_restore_safety",
    ("backup_verify", "backup"): "backup_verify_which",
    ("backup_verify", "jobs"): "backup_restore_jobs",
    ("backup_verify", "time_limit"): "backup_restore_time_limit",
    ("deployment", "name"): "deployment_app",
    ("deployment_rebuild", "keep_folder"): "deployment_rebuild_keep",
    ("deployment_watch", "deployed_within"): "deployment_within",
    ("postgres_recovery", "restart_command"): "postgres_recovery_command",
    ("redis_recovery", "restart_command"): "redis_recovery_command",
    ("rollback", "name"): "rollback_app",
}
#: The roles that release, whose playbooks share the variables ``app_release_*`` and ``vercel_*``.
_RELEASE = ("app", "deployment", "rollback")
#: Variables of the inventory that belong to no role.
_SHARED = {
    "app_pm2_home",
    "redis_ca_file",
    "runbook_ca_file",
    "runbook_state_dir",
    "vercel_api_url",
    "vercel_health_urls",
    "vercel_record_dir",
    "vercel_time_limit",
    "vercel_version_url",
    *(
        f"app_release_{option}"
        for option in (
            "build_timeout",
            "compatible_migrations",
            "compose_files",
            "compose_project_dir",
            "env_example",
            "health_urls",
            "healthy_share",
            "migrations_command",
            "migrations_folder",
            "schema_compatible",
            "settle_for",
            "trial_for",
            "try_first",
            "version_url",
        )
    ),
}


def name_variable(step: str, message: str, variables: Container[str]) -> str:
    """The message of a failed step with the variables that its options got their values from.

    ``jobs: 0 is not …`` of the step ``postgres_maintenance`` becomes ``postgres_maintenance_jobs
    (jobs): 0 is not …``. ``variables`` are those of the host.
    """
    match = _OPTION.match(message)
    if match is None:
        return name_variables(step, message, variables)
    option, part = match["option"], match["part"] or ""
    rest = name_variables(step, message[match.end() :], variables)
    variable = variable_of(step, option, variables)
    front = f"{option}{part}" if variable == option else f"{variable} ({option}{part})"
    return f"{front}: {rest}"


def name_variables(step: str, text: str, variables: Container[str]) -> str:
    """The text of a step with the variables in place of the options that it mentions."""

    def named(match: re.Match[str]) -> str:
        variable = variable_of(step, match[0], variables)
        return match[0] if variable in text else variable

    return _WORD.sub(named, text)


def variable_of(step: str, option: str, variables: Container[str]) -> str:
    """The variable that the operator has set for an option, or else can set.

    The option itself if nothing is known of it.
    """
    names = _candidates(step, option)
    of_role = _variables_of(step.partition("_")[0])
    for known in (variables, of_role, _SHARED):
        for name in names:
            if name in known:
                return name
    return option


def _candidates(step: str, option: str) -> list[str]:
    """The variables that a step's option can come from, the most specific first."""
    role = step.partition("_")[0]
    if step == "report":  # the defaults of this role refer to variables of the whole runbook
        return [f"runbook_{option}", f"runbook_report_{option}", f"report_{option}"]
    words = step.split("_")
    names = ["_".join([*words[:count], option]) for count in range(len(words), 0, -1)]
    others = [_OTHERS[each, option] for each in (step, role) if (each, option) in _OTHERS]
    names[1:1] = others
    if option == "database_url":  # postgres_maintenance_url becomes database_url
        names += [f"{step}_url", _LOGINS.get(step, ""), "postgres_url"]
    if option == "endpoints":  # made from the base URL by default
        names += [f"{role}_base_url", "runbook_base_url"]
    if option == "pm2_home":
        names.append("app_pm2_home")
    if role in _RELEASE:
        names.append(f"vercel_{option}" if words[-1] == "vercel" else f"app_release_{option}")
    if (role, option) != ("redis", "ca_file"):
        names.append(f"runbook_{option}")
    return names


@cache
def _variables_of(role: str) -> frozenset[str]:
    """The variables of a role of this collection; none of any other."""
    try:
        text = (_ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    return frozenset(re.findall(r"^([a-z]\w*):", text, re.MULTILINE))
