# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of app_release, and of the modules around it, as Ansible has them."""

from __future__ import annotations

from typing import Any

from .options import BACKENDS, STATES, VERCEL, Options

_TEXTS = (
    "version",
    "rollback_to",
    "only_from",
    "namespace",
    "repository",
    "version_url",
    "migrate",
    "migrations_command",
    "migrations_folder",
    "owner",
    "reason",
)
_NUMBERS = (
    "trial_for",
    "settle_for",
    "start_within",
    "bake",
    "healthy_share",
    "free_disk",
    "timeout",
    "build_timeout",
)
_LISTS = (
    "shared",
    "health_urls",
    "compatible_migrations",
    "compose_files",
    "services",
    "requires",
)

RELEASE_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "backend": {"type": "str", "choices": list(BACKENDS), "default": Options.backend},
    "confirm": {"type": "str", "default": ""},
    "build": {"type": "list", "elements": "str", "default": list(Options.build)},
    "try_first": {"type": "bool", "default": Options.try_first},
    "schema_compatible": {"type": "bool", "default": Options.schema_compatible},
    "env_example": {"type": "str", "default": Options.env_example},
    "keep": {"type": "int", "default": Options.keep},
    "thresholds": {"type": "dict", "default": {}},
    "pm2_home": {"type": "path"},
    "root": {"type": "path"},
    "compose_project_dir": {"type": "path"},
    **{name: {"type": "str"} for name in _TEXTS},
    **{name: {"type": "float", "default": getattr(Options, name)} for name in _NUMBERS},
    **{name: {"type": "list", "elements": "str", "default": []} for name in _LISTS},
}

#: What the modules around a deployment share: the app, and where it and its releases are.
PLACE_OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "backend": {"type": "str", "choices": [*BACKENDS, VERCEL], "default": Options.backend},
    "namespace": {"type": "str"},
    "pm2_home": {"type": "path"},
    "root": {"type": "path"},
}
