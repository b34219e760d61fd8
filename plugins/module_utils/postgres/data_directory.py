# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server's data directory is one that this process can see."""

from __future__ import annotations

import os

#: Seconds by which two accounts of the server's start may differ.
SAME_START = 10


def is_this_server(directory: str, started: float) -> bool:
    """Whether the directory is the server's, and not one of the same name on another host.

    ``started`` is the server's start by its own account, as Unix time. Raises OSError, ValueError
    or IndexError if the directory does not say when its server was started.
    """
    with open(os.path.join(directory, "postmaster.pid")) as stream:
        lines = stream.read().splitlines()
    return abs(int(lines[2]) - started) <= SAME_START
