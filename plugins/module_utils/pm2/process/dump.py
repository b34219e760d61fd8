# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2's dump, which ``pm2 resurrect`` starts after a reboot: whether it is what PM2 runs now."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .settings import Settings

#: What a dump must have in common with the list; anything else may differ by chance.
_COMPARED = ("name", "namespace", "pm_exec_path", "pm_cwd", "exec_mode", "args", "exec_interpreter")


def dump_problem(home: str, rows: Iterable[Mapping[str, Any]]) -> str:
    """How the dump differs from PM2's list, as a clause; empty if it does not."""
    try:
        with open(os.path.join(home, "dump.pm2"), encoding="utf-8") as stream:
            saved = json.load(stream)
        dumped = _fingerprints({"pm2_env": entry} for entry in saved)
    except FileNotFoundError:
        return "nothing was ever saved"
    except (OSError, ValueError, TypeError, AttributeError):
        return "it cannot be read"
    listed = _fingerprints(row for row in rows if not row["pm2_env"].get("pmx_module"))
    if dumped == listed:
        return ""
    differing = sorted({name for name, _ in (dumped - listed) + (listed - dumped)})
    return f"it differs from PM2's list: {', '.join(differing)}"


def _fingerprints(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """Each instance, by name and by its settings."""
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        settings = Settings.of_row(row)
        fields = {name: settings.fields.get(name) for name in _COMPARED}
        env = {name: str(value) for name, value in settings.env.items()}
        name = str(settings.fields.get("name"))
        found[name, json.dumps([fields, env], sort_keys=True, default=str)] += 1
    return found
