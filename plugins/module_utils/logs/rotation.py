# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotated log files: which files beside a log are older parts of it."""

from __future__ import annotations

import os
import re

_DAY = r"\d{4}-?\d\d-?\d\d(?:[-_]\d+)*"


def rotated_files(path: str) -> list[str]:
    """The files that logrotate or pm2-logrotate split off a log, newest first."""
    folder, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    pattern = re.compile(
        # app.log.1, app.log.2.gz, app.log-20261123
        rf"{re.escape(name)}[.-](?:\d{{1,4}}|{_DAY})(?:\.\w+)?$"
        # app__2026-11-23_00-00-00.log.gz, app-20261123.log
        rf"|{re.escape(stem)}(?:__|-){_DAY}{re.escape(suffix)}(?:\.\w+)?$"
    )
    try:
        found = [
            os.path.join(folder, entry)
            for entry in os.listdir(folder or ".")
            if pattern.match(entry)
        ]
        return sorted(found, key=os.path.getmtime, reverse=True)
    except OSError:
        return []
