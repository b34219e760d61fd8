# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator says about an app, and the settings that PM2 needs for it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import UsageError
from ...core.text import redact, shorten
from .cli import Resolved
from .settings import Settings

MERGE, EXACT = "merge", "exact"
ENV_MODES = (MERGE, EXACT)

#: Options of the module that describe an app, documented in ``gpt_agent.runbook.pm2_app``.
APP_OPTIONS: dict[str, Any] = {
    "script": {"type": "str"},
    "config": {"type": "path"},
    "config_env": {"type": "str"},
    "cwd": {"type": "path"},
    "args": {"type": "list", "elements": "str"},
    "interpreter": {"type": "str"},
    "interpreter_args": {"type": "list", "elements": "str"},
    "env": {"type": "dict", "default": {}, "no_log": True},
    "env_mode": {"type": "str", "choices": list(ENV_MODES), "default": MERGE},
    "exec_mode": {"type": "str", "choices": ["fork", "cluster"]},
    "max_memory_restart": {"type": "str"},
    "out_file": {"type": "path"},
    "error_file": {"type": "path"},
    "merge_logs": {"type": "bool"},
    "log_date_format": {"type": "str"},
    "wait_ready": {"type": "bool"},
    "listen_timeout": {"type": "float"},
    "kill_timeout": {"type": "float"},
    "max_restarts": {"type": "int"},
    "autorestart": {"type": "bool"},
}
#: Options of the module that are ecosystem keys, and the field that PM2 keeps each in.
FIELDS = {
    "args": "args",
    "interpreter": "exec_interpreter",
    "interpreter_args": "node_args",
    "exec_mode": "exec_mode",
    "max_memory_restart": "max_memory_restart",
    "out_file": "pm_out_log_path",
    "error_file": "pm_err_log_path",
    "merge_logs": "merge_logs",
    "log_date_format": "log_date_format",
    "wait_ready": "wait_ready",
    "listen_timeout": "listen_timeout",
    "kill_timeout": "kill_timeout",
    "max_restarts": "max_restarts",
    "autorestart": "autorestart",
}
#: PM2 calls these otherwise in an ecosystem file.
_ECOSYSTEM = {"interpreter_args": "node_args"}
_MILLISECONDS = ("listen_timeout", "kill_timeout")
#: Fields that PM2 fills in itself, and that say nothing about the app.
_FILLED_IN = ("pm_pid_path", "instances", "username", "km_link", "windowsHide", "pmx", "vizion")
#: Variables that stay as they are with `EXACT`: those that PM2's command itself runs with.
BASE = ("PATH", "HOME", "PM2_HOME", "PWD", "USER", "LOGNAME", "LANG", "TZ")
_SIZE = re.compile(r"(\d+)\s*([KMG]?)B?", re.IGNORECASE)
_OWN_LOG = re.compile(r"(-\d+)?\.log$")


@dataclass(frozen=True)
class Definition:
    """The options that describe the app, as far as they are given."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """By name of the option; those of `FIELDS`, ``script`` and ``cwd``."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_mode: str = MERGE
    config: str = ""
    config_env: str = ""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Definition:
        values = {
            name: params[name]
            for name in ("script", "cwd", *FIELDS)
            if params.get(name) is not None
        }
        if "cwd" in values and not os.path.isabs(values["cwd"]):
            raise UsageError(f"cwd: {values['cwd']} is not an absolute path")
        if "max_memory_restart" in values:
            values["max_memory_restart"] = _bytes(str(values["max_memory_restart"]))
        for name in _MILLISECONDS:
            if name in values:
                values[name] = round(values[name] * 1000)
        env = {name: _text(value) for name, value in (params.get("env") or {}).items()}
        config = params.get("config") or ""
        if config and not os.path.isabs(config):
            raise UsageError(f"config: {config} is not an absolute path")
        mode = params.get("env_mode") or MERGE
        return cls(values, env, mode, config, params.get("config_env") or "")

    @property
    def is_complete(self) -> bool:
        """Whether an app can be started from it."""
        return bool(self.config or self.values.get("script"))

    @property
    def is_empty(self) -> bool:
        return not (self.values or self.env or self.config or self.env_mode == EXACT)

    def as_ecosystem(self) -> dict[str, Any]:
        """The keys of an ecosystem file."""
        return {_ECOSYSTEM.get(name, name): value for name, value in self.values.items()}

    def applied_to(self, now: Settings) -> Settings:
        """The settings of an app that is in PM2's list; what is not given stays as it is."""
        values = dict(self.values)
        wanted = now
        if "cwd" in values:
            wanted = wanted.moved_to(values.pop("cwd").rstrip("/") or "/")
        fields: dict[str, Any] = {}
        if "script" in values:
            fields["pm_exec_path"] = os.path.join(wanted.cwd, values.pop("script"))
        for name, value in values.items():
            if name in ("out_file", "error_file"):
                value = os.path.join(wanted.cwd, os.path.expanduser(value))
            fields[FIELDS[name]] = f"{value}_mode" if name == "exec_mode" else value
        return self._with_env(_keeping_own_logs(now, wanted.with_fields(**fields)), self.env)

    def resolved_to(self, now: Settings, resolved: Resolved) -> Settings:
        """The settings of an app in PM2's list after those of an ecosystem file."""
        fields = {k: v for k, v in resolved.fields.items() if k not in _FILLED_IN}
        gone = {name for name in FIELDS.values() if name in now.fields and name not in fields}
        kept = {k: v for k, v in now.fields.items() if k not in gone}
        wanted = _keeping_own_logs(now, Settings({**kept, **fields}, now.env))
        moved = {"PWD": wanted.cwd} if now.env.get("PWD") == now.cwd else {}
        return self._with_env(wanted.with_env(moved), resolved.own_env)

    def _with_env(self, wanted: Settings, own: Mapping[str, Any]) -> Settings:
        # PM2 keeps what is a number in an ecosystem file as a number; for the app it is the same.
        given = {
            name: wanted.env[name] if _same(wanted.env.get(name), value) else value
            for name, value in own.items()
        }
        if self.env_mode != EXACT:
            return wanted.with_env(given)
        base = {name: wanted.env[name] for name in BASE if name in wanted.env}
        return Settings(wanted.fields, {**base, **given})


def describe(now: Settings, wanted: Settings) -> str:
    """The differences in one line; of environment variables the names only."""
    parts = []
    for name in now.changes_to(wanted):
        if name.startswith("env."):
            key = name[4:]
            what = "added" if key not in now.env else "changed"
            parts.append(f"{name} {what if key in wanted.env else 'removed'}")
        else:
            before, after = (_shown(one.fields.get(name)) for one in (now, wanted))
            parts.append(f"{name} {before} → {after}")
    return ", ".join(parts)


def _shown(value: Any) -> str:
    if value in (None, "", []):
        return "none"
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return shorten(redact(text), 120)


def _keeping_own_logs(now: Settings, wanted: Settings) -> Settings:
    """PM2 adds the id of an instance to the names of its logs: that is no difference."""
    if wanted.fields.get("merge_logs"):
        return wanted
    fields = {}
    for name in ("pm_out_log_path", "pm_err_log_path", "pm_log_path"):
        before, after = now.fields.get(name), wanted.fields.get(name)
        if before and after and before != after:
            suffix = _OWN_LOG.search(str(before))
            own = _OWN_LOG.sub(suffix[0] if suffix else ".log", str(after))
            fields[name] = own
    return wanted.with_fields(**fields)


def _same(first: Any, second: Any) -> bool:
    return first is not None and _text(first) == _text(second)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise UsageError(f"max_memory_restart: {text} is not a size such as 300M or 1G")
    return int(int(found[1]) * 1024 ** " KMG".index(found[2].upper() or " "))
