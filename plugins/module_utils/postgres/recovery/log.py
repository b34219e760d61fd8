# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL's own log says about why it ended or does not start. Pure."""

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

#: A kind of reason, beside those of every service.
READ_ONLY = "read-only"
#: What ends a server only while it starts.
_OF_START = ("", FILES, ANY)

_START = re.compile(r"starting PostgreSQL \d")
_READY = re.compile(r"database system is ready to accept")
#: Only these end a server; errors of sessions do not.
_DEADLY = re.compile(r"\b(?:FATAL|PANIC|LOG|HINT|DETAIL|WARNING):|^pg_ctl|^postgres:|^Error:")
_LEVEL = re.compile(
    r"\b(DEBUG\d|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|STATEMENT):  "
)
#: What sessions do: it may contain passwords and personal data.
_OF_SESSIONS = {"INFO", "NOTICE", "WARNING", "ERROR", "QUERY", "CONTEXT", "STATEMENT"}
_LOGGED_STATEMENT = re.compile(
    r"LOG:  (?:statement|execute|fastpath|parse|bind|duration|AUDIT|process \d+ (?:still|acquired))"
)


_REASONS: Sequence[tuple[str, str, str, str, str]] = (
    (
        r"(?:FATAL|PANIC|LOG):.*No space left on device",
        DISK,
        OTHER,
        "its disk was full",
        "Free space on the disk of its data and WAL first, and never delete anything in pg_wal; "
        "then run this again, which starts it.",
    ),
    (
        r"Address already in use|Is another postmaster already running|lock file .* already exists",
        PORT,
        OTHER,
        "another process has its port, socket or data directory",
        "Find out which: 'ss -ltnp', 'ps -C postgres'. End that one, or correct the port.",
    ),
    (
        r"configuration file .* contains errors|syntax error in file|unrecognized configuration "
        r"parameter|invalid value for parameter|could not load .*pg_hba\.conf|could not open "
        r"(?:configuration )?file .*\.conf|requires? a (?:Boolean|numeric) value|is outside the "
        r"valid range|invalid (?:line|connection type|authentication method)|could not access file "
        r"|could not load library|max_connections = \d+ is a lower",
        FILES,
        OTHER,
        "its configuration has an error",
        "The log names file and line. Correct it; 'SELECT * FROM pg_file_settings WHERE error IS "
        "NOT NULL' finds such errors before a restart.",
    ),
    (
        r"could not locate a valid checkpoint record|invalid (?:primary )?checkpoint record|"
        r"could not locate required checkpoint|WAL ends before|requested timeline|"
        r"invalid page in block|is not a valid data directory|pg_control.* (?:incorrect checksum|"
        r"does not exist)|incorrect checksum in control file|could not open file "
        r".*global/pg_control|incorrect resource manager data",
        "",
        OTHER,
        "its data is damaged or incomplete",
        "Copy the data directory first, and never run pg_resetwal on the only copy: it loses data. "
        "Promote a standby, or restore a verified backup (restore.yml).",
    ),
    (
        r"files are incompatible with server|initialized by PostgreSQL version",
        "",
        OTHER,
        "its data belongs to another version of PostgreSQL",
        "Start the version that the log names, or upgrade with pg_upgrade.",
    ),
    (
        "Disk quota exceeded",
        "",
        OTHER,
        "the disk quota of its user is used up",
        "'quota -u postgres' shows it. Raise it, and never delete anything in pg_wal.",
    ),
    (
        "Read-only file system",
        READ_ONLY,
        OTHER,
        "its file system was read-only",
        "'dmesg' says why: often errors of the disk, then copy the data directory first.",
    ),
    (
        # Of localhost, one address is enough.
        r'address "(?!::1").*Cannot assign requested address',
        ADDRESS,
        OTHER,
        "it was to listen on an address that this host did not have",
        "Correct listen_addresses; if the address came up after it, at boot: "
        "'After=network-online.target' in its unit.",
    ),
    (
        r"could not load (?:server certificate|private key|root certificate)|"
        r"could not access private key",
        FILES,
        OTHER,
        "its certificate or key cannot be loaded",
        "The log names the file: ssl_cert_file and ssl_key_file must exist and belong together, "
        "and the key be readable for its user alone.",
    ),
    (
        "Cluster is disabled",
        FILES,
        OTHER,
        "its start was forbidden, by start.conf beside its configuration",
        "Ask why; 'auto' or 'manual' in that file allows it.",
    ),
    (
        r"Permission denied|has (?:invalid permissions|group or world access|wrong ownership)|"
        r"private key file .*(?:access|owned)|must not be owned by root|owner .* do not match|"
        r"is not accessible or does not exist",
        FILES,
        OTHER,
        "it lacks permission for its files",
        "Correct owner and mode: the data directory is 0700 and its owner's, a private key 0600. "
        "If a folder is missing: is its disk mounted?",
    ),
    (
        r"could not (?:create|map|allocate).*(?:shared memory|memory)|could not create semaphores|"
        r"huge pages",
        "",
        OTHER,
        "it did not get the memory that its settings ask for",
        "Lower shared_buffers or max_connections, or free memory or huge pages.",
    ),
    (
        r"terminated by signal 9|was terminated by signal|abnormal",
        CRASHED,
        RESTART,
        "a process of it was killed",
        "See 'journalctl -k' for the OOM killer; never use kill -9 on PostgreSQL.",
    ),
    (
        r"received (?:fast|smart|immediate) shutdown request",
        STOPPED,
        RESTART,
        "it was stopped, it did not crash",
        "Find out who stopped it and why: 'journalctl -u postgresql@*', the shell's history.",
    ),
)
#: What counts only if no line says more.
_ANY = (
    r"(?:FATAL|PANIC):|^Error:",
    ANY,
    OTHER,
    "it does not start, for a reason that only its log names",
    "Read the last lines of its log; start it by hand once that is corrected.",
)


def reason(lines: Sequence[str]) -> Reason | None:
    """Why it ended or did not start; none if the log does not say."""
    recent = lines_since(_START, lines)
    started = any(_READY.search(line) for line in recent)
    for reasons in (_REASONS, [_ANY]):
        for line in reversed(recent):
            if not _DEADLY.search(line):
                continue
            for pattern, kind, cure, text, remedy in reasons:
                if re.search(pattern, line) and (kind not in _OF_START or not started):
                    return Reason(kind, Cause(cure, text, remedy))
            if _READY.search(line):
                return None
    return None


def of_server(lines: Sequence[str]) -> list[str]:
    """The lines without errors and statements of sessions, and what belongs to these."""
    kept = []
    of_session = False
    for line in lines:
        found = _LEVEL.search(line)
        if found and found[1] not in ("DETAIL", "HINT"):
            of_session = found[1] in _OF_SESSIONS or bool(_LOGGED_STATEMENT.search(line))
        if not of_session and not line.startswith("\t"):  # the rest of a statement
            kept.append(line)
    return kept
