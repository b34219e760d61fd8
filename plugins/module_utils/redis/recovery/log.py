# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis' own log says about why it ended or does not start. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...core.recovery import (
    ADDRESS,
    ANY,
    CRASHED,
    DISK,
    FILES,
    OTHER,
    PORT,
    RESTART,
    STOPPED,
    Cause,
    Reason,
    lines_since,
)
from ...core.text import MASK, redact

#: What is quoted of a user that has an error.
_QUOTED = re.compile(r"(user declaration|applying operation) '.*'")
_START = re.compile(r"(?:Redis|Valkey|oO0OoO0OoO0Oo .*) is starting|FATAL CONFIG FILE ERROR")
_READY = re.compile(r"[Rr]eady to accept connections")

#: A kind of reason, beside those of every service.
MEMORY = "memory"
#: What ends a server only while it starts.
_OF_START = ("", FILES, ANY)


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
        "Address already in use",
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
        "Cannot assign requested address",
        ADDRESS,
        OTHER,
        "it was to listen on an address that this host did not have",
        "Correct bind in its configuration file; if the address came up after it, at boot: "
        "'After=network-online.target' in its unit.",
    ),
    (
        r"Failed to configure TLS|Failed to load (?:certificate|private key|CA )",
        FILES,
        OTHER,
        "its certificate or key cannot be loaded",
        "The log names the file: it must exist, belong together, and be readable for its user.",
    ),
    (
        r"startup because of ACL errors|[Ee]rror.* (?:loading|parsing) ACL|users defined in .* ACL",
        FILES,
        OTHER,
        "its users (ACL) have an error",
        "The log names file and line, or the user. Correct it: a user is either in aclfile or in "
        "the configuration file, not in both.",
    ),
    (
        "Read-only file system",
        FILES,
        OTHER,
        "its file system, or its unit's view of it, was read-only",
        "Its folder must be in ReadWritePaths of the unit. If the file system itself was read-only "
        "('dmesg' says why), start it now that it is not.",
    ),
    (
        "Permission denied|Can't chdir|Can't open the log file",
        FILES,
        OTHER,
        "it lacks permission for its files or folder",
        "Correct owner and mode of its folder, log and configuration file (user redis).",
    ),
    (
        "Out Of Memory allocating|Can't allocate",
        MEMORY,
        RESTART,
        "it found no memory",
        "Find out what uses the memory of this host, and set maxmemory.",
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
#: What counts only if no line says more.
_ANY = (
    r"Fatal error|[Ee]xiting\.\.\.|[Aa]borting",
    ANY,
    OTHER,
    "it does not start, for a reason that only its log names",
    "Read the last lines of its log; start it by hand once that is corrected.",
)


def reason(lines: Sequence[str]) -> Reason | None:
    """Why it ended or did not start; none if the log does not say."""
    recent = lines_since(_START, lines)
    wrong = _config_error(recent)
    if wrong:
        return Reason(FILES, wrong)
    started = any(_READY.search(line) for line in recent)
    for reasons in (_REASONS, [_ANY]):
        for line in reversed(recent):
            for pattern, kind, cure, text, remedy in reasons:
                # Once it runs, an error of its files is that of a snapshot, which does not end it.
                if re.search(pattern, line) and (kind not in _OF_START or not started):
                    return Reason(kind, Cause(cure, text, remedy))
            if _READY.search(line):
                return None
    return None


def shown(line: str) -> str:
    """A line without what may be a password of a user."""
    return _QUOTED.sub(rf"\1 '{MASK}'", redact(line))


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
        "Correct that line, which may be in a file that it includes.",
    )
