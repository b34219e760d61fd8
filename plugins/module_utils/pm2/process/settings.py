# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that PM2 starts an instance with: its own fields, and the app's environment.

PM2's daemon takes changed settings with a restart or a reload (``current_conf``), and starts a new
process from a complete set of them, as ``pm2 resurrect`` does. Both hold secrets, so nothing here
has a representation that shows a value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What PM2 keeps beside the settings: the state of one process.
_STATE = frozenset(
    (  # noqa: SIM905  (a list with one name a line is harder to read)
        "status pm_uptime axm_actions axm_monitor axm_options axm_dynamic created_at pm_id "
        "restart_time unstable_restarts exit_code prev_restart_delay restart_task unique_id "
        "node_version version versioning vizion_running _pm2_version instances"
    ).split()
)
#: A value of ``current_conf`` with which PM2 removes a field.
_REMOVED = "null"


@dataclass(frozen=True)
class Settings:
    """The settings of one instance."""

    fields: Mapping[str, Any] = field(repr=False)
    """PM2's own fields without the copies of the environment that PM2 mixes with them."""
    env: Mapping[str, Any] = field(repr=False)
    """The app's environment."""

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Settings:
        """The settings in a row of PM2's list, or of its dump if ``row`` is ``{"pm2_env": …}``."""
        found = row["pm2_env"]
        env = found.get("env") if isinstance(found.get("env"), dict) else {}
        counter = found.get("instance_var")
        fields = {
            name: value
            for name, value in found.items()
            if name not in _STATE and name != counter and name != "env" and name not in env
        }
        known = {name: found[name] for name in _KEPT if name in found}
        return cls({**fields, **known}, {k: v for k, v in env.items() if k != "unique_id"})

    @property
    def cwd(self) -> str:
        """The working directory as PM2 has it; a link is not resolved."""
        return str(self.fields.get("pm_cwd") or "")

    @property
    def script(self) -> str:
        return str(self.fields.get("pm_exec_path") or "")

    @property
    def cluster(self) -> bool:
        return self.fields.get("exec_mode") == "cluster_mode"

    def with_fields(self, **fields: Any) -> Settings:
        """These settings with other fields."""
        return Settings({**self.fields, **fields}, self.env)

    def with_env(self, env: Mapping[str, Any]) -> Settings:
        """These settings with variables added to the environment, or changed there."""
        return Settings(self.fields, {**self.env, **env})

    def moved_to(self, cwd: str) -> Settings:
        """These settings in another working directory, with the same script of that directory."""
        fields: dict[str, Any] = {"pm_cwd": cwd}
        if "cwd" in self.fields:
            fields["cwd"] = cwd
        inside = _relative(self.script, self.cwd)
        if inside:
            fields["pm_exec_path"] = os.path.join(cwd, inside)
        env = {"PWD": cwd} if self.env.get("PWD") == self.cwd else {}
        return self.with_fields(**fields).with_env(env)

    def changes_to(self, wanted: Settings) -> list[str]:
        """Names of the fields that differ, those of the environment as ``env.NAME``."""
        fields = _differing(self.fields, wanted.fields)
        return [*fields, *(f"env.{name}" for name in _differing(self.env, wanted.env))]

    def request_to(self, wanted: Settings) -> dict[str, Any]:
        """What PM2's daemon must be told for a process to get other settings when it starts."""
        conf: dict[str, Any] = {
            name: wanted.fields.get(name, _REMOVED)
            for name in _differing(self.fields, wanted.fields)
        }
        if self.env != wanted.env and wanted.env:
            # The environment that PM2 has is replaced; its copies among the fields are removed.
            conf.update({name: _REMOVED for name in self.env if name not in wanted.env})
            conf["env"] = dict(wanted.env)
        return {"env": {"current_conf": conf}} if conf else {}

    def as_started(self, instances: int | None = None) -> dict[str, Any]:
        """The argument of ``prepare``, with which PM2's daemon starts a number of instances.

        Without a number it starts one, and does not count it.
        """
        started = {**self.fields, "env": dict(self.env)}
        return started if instances is None else {**started, "instances": instances}


#: Fields that an app's environment also has, as PM2 itself sets them in both.
_KEPT = ("name", "namespace", "pm_cwd", "pm_exec_path", "exec_mode", "instance_var", "args")


def _relative(path: str, folder: str) -> str:
    """The path below a folder, also if only one of them is spelled through a link; or nothing."""
    for root in dict.fromkeys((folder, os.path.realpath(folder))):
        for spelled in dict.fromkeys((path, os.path.realpath(path))):
            if root and spelled.startswith(root.rstrip("/") + "/"):
                return os.path.relpath(spelled, root)
    return ""


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    names: Iterable[str] = sorted({*first, *second})
    absent = object()
    return [name for name in names if first.get(name, absent) != second.get(name, absent)]
