# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that the operator names: whether they can be run at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from .text import redact, shorten


def not_runnable(command: Sequence[str]) -> str:
    """Why this host cannot run a command, as ansible.builtin.command would; empty if it can.

    Only the program is named: arguments may be secrets.
    """
    if not command:
        return ""
    program = os.path.expanduser(os.path.expandvars(command[0]))
    words = program.split()
    if len(words) > 1 and not os.path.exists(program):
        return f"{_shown(words[0])} and its arguments are one item, and must be one each"
    if "/" not in program:
        return "" if shutil.which(program) else f"{_shown(program)} is not in the PATH"
    try:
        os.stat(program)
    except FileNotFoundError:
        return f"{_shown(program)} does not exist"
    except OSError as error:
        return f"{_shown(program)} cannot be run: {error.strerror}"
    if not os.path.isfile(program):
        return f"{_shown(program)} is no file"
    return "" if os.access(program, os.X_OK) else f"{_shown(program)} is not executable"


def _shown(program: str) -> str:
    return shorten(redact(program), 100)
