# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses a Python that is too old with one sentence; every module imports this first."""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):  # noqa: UP036
    found = ".".join(map(str, sys.version_info[:2]))
    raise RuntimeError(
        "gpt_agent.runbook needs Python 3.9 or newer on the host; "
        f"{sys.executable} is Python {found}"
    )
