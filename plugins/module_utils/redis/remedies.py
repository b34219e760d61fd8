# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remedies for a server that refuses the commands that they would otherwise name. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from ..core.check import Check
from .snapshot import Snapshot

#: ``CONFIG SET maxmemory 2gb, and the same in redis.conf``, or a part of a sentence in quotes.
_SET = re.compile(r"CONFIG SET ([^'.]+?), and the same in redis\.conf")
_QUOTED = re.compile(r"'CONFIG SET ([^']+)'(?:, and the same in redis\.conf)?")
_LOSS = " A restart loses what is not saved."


def as_offered(check: Check, snapshot: Snapshot) -> Check:
    """The same check with a remedy that this server, and this login, can carry out."""
    remedy = check.remedy
    if "CONFIG GET" in snapshot.refused:
        remedy = _QUOTED.sub(r"set \1 in redis.conf and restart Redis (CONFIG is refused)", remedy)
        remedy = _SET.sub(r"CONFIG is refused: set \1 in redis.conf, and restart Redis", remedy)
        if remedy != check.remedy:
            remedy = remedy[:1].upper() + remedy[1:] + _LOSS
    for command, error in snapshot.refused.items():
        if f"'{command}" in remedy and error.remedy not in remedy:
            remedy = f"{remedy} {command} is refused. {error.remedy}"
    return check if remedy == check.remedy else replace(check, remedy=remedy)
