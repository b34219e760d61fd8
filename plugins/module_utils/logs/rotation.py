# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotated log files: which files beside a log are older parts of it.

Their names depend on the configuration of whatever rotates them, so they are found by what all of
them share: the log's name, then something that looks like a number or a date.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

#: How a log begins that this collection has shortened: it names the file with the lines before.
MARK = "# The lines before this are in "
#: Maximum number of folders beside a log that are searched, as logrotate's olddir may be one.
_MAX_FOLDERS = 20
#: A date in digits, perhaps with names of months or days, or a number of seconds.
_DATE = r"(?=(?:[^\d/]*\d){6})[\w.:+, -]{6,40}?"


def rotated_files(path: str, others: Collection[str] = ()) -> list[str]:
    """The files that were split off a log, newest first; not the ``others``, which are logs too."""
    folder, name = os.path.split(path)
    pattern = _pattern(name)
    found = []
    for place in (folder or ".", *_subfolders(folder or ".")):
        try:
            entries = os.listdir(place)
        except OSError:
            continue
        found += [os.path.join(place, entry) for entry in entries if pattern.match(entry)]
    dated = [(_modified(file), file) for file in found if file not in others]
    return [file for time, file in sorted(dated, reverse=True) if time]


def _pattern(name: str) -> re.Pattern[str]:
    stem, suffix = os.path.splitext(name)
    return re.compile(
        # logrotate: app.log.1, app.log.2.gz, app.log-20261123, app.log.old
        rf"{re.escape(name)}[._-](?:.*\d.*|old)(?:\.\w+)?$"
        # pm2-logrotate with any dateFormat: app__2026-11-23_00-00-00.log.gz, app__23-11-2026.log
        rf"|{re.escape(stem)}__.*\d.*{re.escape(suffix)}(?:\.\w+)?$"
        # logrotate with 'extension': app-20261123.log, app.1.log.gz
        rf"|{re.escape(stem)}(?:[._-]{_DATE}|\.\d{{1,4}}){re.escape(suffix)}(?:\.\w+)?$"
    )


def _subfolders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(found)[:_MAX_FOLDERS]


def _modified(path: str) -> float:
    try:
        return os.path.getmtime(path)
    except OSError:
        return 0.0
