# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints a report on the terminal, or in the job output of AWX."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from ansible.utils.color import stringc
from ansible.utils.display import Display

from .terminal import SYMBOLS, render

#: Columns without a terminal, and the maximum.
WIDTH = 110
MAX_WIDTH = 160


def show(report: Mapping[str, Any], path: str = "") -> None:
    """Print the table; ``path`` is the file of the report to name, if there is one."""
    table = render(
        report, width=_width(), unicode=_unicode(), paint=stringc, location=_relative(path)
    )
    Display().display(table)


def _width() -> int:
    return min(shutil.get_terminal_size((WIDTH, 24)).columns, MAX_WIDTH)


def _unicode() -> bool:
    """Whether the output can encode the symbols."""
    # in Ansible's workers, sys.stdout is a buffer without an encoding
    streams = (sys.stdout, sys.__stdout__)
    encoding = next((stream.encoding for stream in streams if stream and stream.encoding), "ascii")
    try:
        "".join(SYMBOLS.values()).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _relative(path: str) -> str:
    """A path below the working directory as a relative one."""
    relative = os.path.relpath(path) if path else ""
    return path if relative.startswith(os.pardir) else relative
