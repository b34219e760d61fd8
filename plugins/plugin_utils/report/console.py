# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a report on the terminal at hand, or in the job output where there is none."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from ansible.utils.color import stringc
from ansible.utils.display import Display

from .terminal import SYMBOLS, render

#: Columns where there is no terminal to ask, and the most that a line can have and still be read.
WIDTH = 110
MOST_COLUMNS = 160


def show(report: Mapping[str, Any], path: str = "") -> None:
    Display().display(
        render(report, width=_width(), unicode=_unicode(), paint=stringc, location=_near(path))
    )


def _width() -> int:
    return min(shutil.get_terminal_size((WIDTH, 24)).columns, MOST_COLUMNS)


def _unicode() -> bool:
    streams = (sys.stdout, sys.__stdout__)  # Ansible's workers have a buffer in place of the first
    encoding = next((stream.encoding for stream in streams if stream and stream.encoding), "ascii")
    try:
        "".join(SYMBOLS.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _near(path: str) -> str:
    """A path as one would type it here."""
    near = os.path.relpath(path) if path else ""
    return path if near.startswith(os.pardir) else near
