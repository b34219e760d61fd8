# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rise of a counter since the last run."""

from __future__ import annotations

from .snapshot import Snapshot


def count_and_window(snapshot: Snapshot, counter: str) -> tuple[int, str]:
    """How much a counter rose, and in which window; raises KeyError if it is missing."""
    if not snapshot.delta or counter not in snapshot.delta.counters:
        raise KeyError(counter)
    return int(snapshot.delta.counters[counter]), snapshot.delta.window
