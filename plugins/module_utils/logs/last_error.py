# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last error that a program has written, for a message that says why it failed."""

from __future__ import annotations

import time

from .fingerprint import fingerprint
from .parse import LineParser, group_messages
from .timestamps import TimestampParser


def last_error(text: str, date_format: str = "", *, plain: bool = True) -> str:
    """The last error message in a part of a log; empty if there is none.

    Only its fingerprint, which is free of secrets. ``plain`` tells whether a message that names no
    level counts, as in a log that holds nothing but errors.
    """
    parser = LineParser(TimestampParser(date_format, time.time()))
    messages = [
        one.text
        for one in group_messages(parser.parse_all(text.splitlines()))
        if one.text.strip() and (one.error or (plain and one.error is None))
    ]
    return fingerprint(messages[-1]) if messages else ""
