# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this is a container."""

from __future__ import annotations

import os

from .proc import read_text

#: Files that container engines create.
_MARKERS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
_INIT_SYSTEMS = ("systemd", "init", "openrc-init", "runit", "s6-svscan")


def in_container() -> bool:
    """Whether a container engine left its marker, or the first process is not an init system."""
    if any(os.path.exists(marker) for marker in _MARKERS):
        return True
    try:
        return read_text("/proc/1/comm").strip() not in _INIT_SYSTEMS
    except OSError:
        return False
