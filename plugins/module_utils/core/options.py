# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module options that several technologies share; each has a doc fragment of the same name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .errors import UsageError

#: Options of every probe, documented in the fragment ``gpt_agent.runbook.probe``.
PROBE_OPTIONS: dict[str, Any] = {
    "thresholds": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 10.0},
}
#: Option of modules that compare counters with the last run, documented in the fragment
#: ``gpt_agent.runbook.state``.
STATE_OPTION: dict[str, Any] = {"state_dir": {"type": "path"}}
#: Option of modules that can run for long, documented in ``gpt_agent.runbook.progress``.
PROGRESS_OPTION: dict[str, Any] = {"progress_file": {"type": "path"}}

#: Maximum seconds of a time limit.
LONGEST = 3600


def checked_seconds(option: str, seconds: float, longest: float = LONGEST) -> float:
    """The value of an option that is a time limit; raises `UsageError` if it is out of range."""
    if not 0 < seconds <= longest:
        raise UsageError(
            f"{option}: {seconds:g} is not a number of seconds above 0 and up to {longest:g}"
        )
    return seconds


def none_chosen(option: str, choices: Iterable[str]) -> str:
    """What is wrong with an empty list of what is to be done, which would end well with nothing."""
    return f"{option}: is empty; name at least one of {', '.join(choices)}"


def unique_names(names: Iterable[str]) -> list[str]:
    """The names, repeated ones numbered: ``x``, ``x (2)``, ``x (3)``."""
    counts: Counter[str] = Counter()
    unique = []
    for name in names:
        counts[name] += 1
        unique.append(f"{name} ({counts[name]})" if counts[name] > 1 else name)
    return unique
