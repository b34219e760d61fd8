# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on slow commands. Their arguments may be secrets, so only names are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.check import UNKNOWN, Check
from ..core.text import shorten
from ..core.thresholds import Thresholds
from ..core.units import format_duration, format_value, pluralize
from .keys import OTHER, shown
from .options import Options
from .snapshot import SlowCommand, Snapshot

#: Entries of the slow log that are read.
ENTRIES = 64
#: Seconds after which a slow command is history.
_RECENT = 3600
#: The first argument of these is no key, and may be anything.
_NO_KEY = frozenset(
    (
        *("ACL", "AUTH", "CLIENT", "CONFIG", "ECHO", "EVAL", "EVALSHA", "FCALL", "FUNCTION"),
        *("HELLO", "MIGRATE", "PING", "PSUBSCRIBE", "PUBLISH", "SCRIPT", "SUBSCRIBE"),
    )
)


def slow_commands(entries: Iterable[Mapping[str, Any]]) -> list[SlowCommand]:
    """Entries of the slow log, as redis-py parses them, without their arguments."""
    found = []
    for entry in entries:
        command = entry.get("command", "")
        text = command.decode(errors="replace") if isinstance(command, bytes) else str(command)
        words = text.split(" ", 2)
        name = shorten(words[0], 24).upper() if words[0].isascii() else "?"
        prefix = shown(words[1]) if len(words) > 1 and name not in _NO_KEY else ""
        seconds = entry["duration"] / 1e6
        keys = "" if prefix == OTHER else prefix
        found.append(SlowCommand(name, keys, seconds, float(entry["start_time"])))
    return found


def assess_slow_commands(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.slow_commands``: the slowest of the last hour."""
    name = "redis.slow_commands"
    if snapshot.slow is None:
        why = snapshot.why("SLOWLOG GET")
        text = f"The slow log cannot be read: {why}"
        return thresholds.verdict(name, UNKNOWN, text, remedy=why.remedy)
    limit = snapshot.settings.get("slowlog-log-slower-than", "")
    if limit.startswith("-") or snapshot.settings.get("slowlog-max-len") == "0":
        reason = "slowlog-log-slower-than or slowlog-max-len switches it off"
        return thresholds.not_judged(name, "The slow log is off", reason)
    if not snapshot.slow and "CONFIG GET" in snapshot.refused:
        reason = f"whether it is on is not known: {snapshot.why('CONFIG GET')}"
        return thresholds.not_judged(name, "The slow log is empty", reason)
    now = snapshot.info["server_time_usec"] / 1e6 if snapshot.slow else 0
    recent = [each for each in snapshot.slow if now - each.started <= _RECENT]
    if not recent:
        return thresholds.evaluate(name, 0.0, "No slow command in the last hour")
    slowest = max(recent, key=lambda each: each.seconds)
    least = "at least " if len(recent) >= ENTRIES else ""
    text = (
        f"{least}{pluralize(len(recent), 'slow command')} in the last hour, the slowest "
        f"{slowest.command} for {format_value(slowest.seconds, 'seconds')}"
    )
    rows = _rows(recent, now)
    return thresholds.evaluate(name, slowest.seconds, text[0].upper() + text[1:], evidence=rows)


def _rows(recent: list[SlowCommand], now: float) -> list[dict[str, Any]]:
    count = Counter((each.command, each.keys) for each in recent)
    rows = []
    for (command, keys), number in count.most_common(10):
        same = [each for each in recent if (each.command, each.keys) == (command, keys)]
        last = max(each.started for each in same)
        rows.append(
            {
                "command": command,
                "keys": keys,
                "times": number,
                "slowest, seconds": round(max(each.seconds for each in same), 4),
                "last": f"{format_duration(now - last)} ago",
            }
        )
    return rows
