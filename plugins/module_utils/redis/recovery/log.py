# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis' own log says about why it ended or does not start. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...core.recovery import OTHER, RESTART, Cause, Reason, lines_since

_START = re.compile(r"(?:Redis|Valkey|oO0OoO0OoO0Oo .*) is starting|FATAL CONFIG FILE ERROR")
_READY = re.compile(r"[Rr]eady to accept connections")

#: Kinds of reasons, beside those that a restart never cures.
DISK, PORT, STOPPED, CRASHED, MEMORY = "disk", "port", "stopped", "crashed", "memory"


#: By a pattern, the last line that matches one counts.
_REASONS: Sequence[tuple[str, str, str, str, str]] = (
    (
        "No space left on device",
        DISK,
        OTHER,
        "its disk was full",
        "Free space on the disk of its data first; then run this again, which starts it.",
    ),
    (
        "Address already in use|Failed listening on port",
        PORT,
        OTHER,
        "another process has its port",
        "Find out which: 'ss -ltnp'. End that one, or correct the port.",
    ),
    (
        r"Bad file format reading the append|Unrecoverable error reading the append|Unexpected end "
        r"of file reading the append|Short read or OOM loading|Wrong signature trying to load|"
        r"Internal error in RDB|Can't handle RDB format|RDB file .* corrupt|Bad data format",
        "",
        OTHER,
        "it cannot read its own data file",
        "Copy the file first. 'redis-check-aof --fix' or 'redis-check-rdb' shows what is wrong; "
        "restore a backup if it is not enough. Without the file it would start empty.",
    ),
    (
        "Permission denied|Read-only file system|Can't chdir|Can't open the log file",
        "",
        OTHER,
        "it lacks permission for its files or folder",
        "Correct owner and mode of its folder, log and configuration file (user redis), or the "
        "paths of its unit (ReadWritePaths).",
    ),
    (
        "Out Of Memory allocating|Can't allocate",
        MEMORY,
        RESTART,
        "it found no memory",
        "Find out what uses the memory of this host, and set maxmemory.",
    ),
    (
        r"Fatal error|exiting\.\.\.|Aborting",
        "",
        OTHER,
        "it does not start, for a reason that only its log names",
        "Read the last lines of its log; start it by hand once that is corrected.",
    ),
    (
        r"crashed by signal|BUG REPORT START",
        CRASHED,
        RESTART,
        "it crashed",
        "Keep the part of its log between BUG REPORT START and END, and look for a newer release.",
    ),
    (
        r"User requested shutdown|Received SIGTERM|Received SIGINT|bye bye",
        STOPPED,
        RESTART,
        "it was stopped, it did not crash",
        "Find out who stopped it and why: 'journalctl -u redis-server', the shell's history.",
    ),
)


def reason(lines: Sequence[str]) -> Reason | None:
    """Why it ended or did not start; none if the log does not say."""
    recent = lines_since(_START, lines)
    wrong = _config_error(recent)
    if wrong:
        return Reason("", wrong)
    started = any(_READY.search(line) for line in recent)
    for line in reversed(recent):
        for pattern, kind, cure, text, remedy in _REASONS:
            # Once it runs, an error of its files is that of a snapshot, which does not end it.
            if re.search(pattern, line) and (kind or not started):
                return Reason(kind, Cause(cure, text, remedy))
        if _READY.search(line):
            return None
    return None


def _config_error(lines: Sequence[str]) -> Cause | None:
    """An error in the configuration file, by line and name: the value may be a password."""
    text = "\n".join(lines)
    if "FATAL CONFIG FILE ERROR" not in text:
        return None
    line = re.search(r"at line (\d+)", text)
    setting = re.search(r">>> '\s*([\w-]+)", text)
    where = f" in line {line[1]}" if line else ""
    what = f" ({setting[1]})" if setting else ""
    return Cause(
        OTHER,
        f"its configuration file has an error{where}{what}",
        "Correct that line; 'redis-server FILE' as its user shows whether it is accepted.",
    )
