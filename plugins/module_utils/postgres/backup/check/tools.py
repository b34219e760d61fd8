# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest and Barman say about their own backups, as JSON."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ....core.deadline import Deadline
from ....core.errors import NotCollected
from ....core.processes import Command, run_pipeline, time_limit
from ....core.text import redact, shorten
from .snapshot import Copy, Series

#: Status of a backup of Barman that is complete; one that waits for WAL is not.
_DONE = "DONE"


def pgbackrest(stanza: str, deadline: Deadline) -> list[Series]:
    """The backups of each stanza that pgBackRest knows, or of one."""
    name = "pgBackRest"
    which = [f"--stanza={stanza}"] if stanza else []
    try:
        answer = _ask(name, ["pgbackrest", "info", "--output=json", *which], deadline)
        if not isinstance(answer, list):
            raise _unexpected(name)
        found = [_stanza(one) for one in answer]
    except NotCollected as error:
        return [Series(stanza, tool=name, error=error)]
    except (KeyError, TypeError, ValueError, AttributeError):
        return [Series(stanza, tool=name, error=_unexpected(name))]
    return found or [Series(stanza, tool=name, failure="it knows no stanza")]


def barman(server: str, deadline: Deadline) -> list[Series]:
    """The backups of each server that Barman knows, or of one."""
    name = "Barman"
    try:
        servers = [server] if server else _servers(_barman(["list-servers"], deadline))
        found = [_barman_server(each, deadline) for each in servers]
    except NotCollected as error:
        return [Series(server, tool=name, error=error)]
    except (KeyError, TypeError, ValueError, AttributeError):
        return [Series(server, tool=name, error=_unexpected(name))]
    return found or [Series(server, tool=name, failure="it knows no server")]


def _stanza(given: Mapping[str, Any]) -> Series:
    """A stanza; a missing one is in the status, as the exit code is 0 then, too."""
    status = given["status"]
    copies = tuple(
        Copy(
            label=str(each["label"]),
            started=float(each["timestamp"]["start"]),
            bytes=int(each["info"]["repository"]["delta"]),
            verified=True,
            problem="page checksums were wrong while it was taken" if each.get("error") else "",
            kind=str(each["type"]),
        )
        for each in given.get("backup", [])
    )
    lock = (status.get("lock") or {}).get("backup") or {}
    return Series(
        str(given["name"]),
        tuple(sorted(copies, key=lambda copy: copy.started)),
        tool="pgBackRest",
        failure="" if status["code"] == 0 else str(status["message"]),
        busy=bool(lock.get("held")),
    )


def _barman_server(server: str, deadline: Deadline) -> Series:
    copies = [
        _barman_copy(each) for each in _of(server, _barman(["list-backup", server], deadline))
    ]
    checks = _of(server, _barman(["check", server], deadline))
    failed = [
        f"{check}: {result['hint']}" if result.get("hint") else str(check)
        for check, result in checks.items()
        if result.get("status") == "FAILED"
    ]
    return Series(
        server,
        tuple(sorted(copies, key=lambda copy: copy.started)),
        tool="Barman",
        failure=f"its check fails ({'; '.join(failed)})" if failed else "",
    )


def _barman_copy(given: Mapping[str, Any]) -> Copy:
    """One of Barman's; one that failed or has just begun has no figures, only its time as name."""
    label, status = str(given["backup_id"]), str(given["status"])
    ended = given.get("end_time_timestamp")
    return Copy(
        label=label,
        started=float(ended) if ended else _time_of(label),
        bytes=int(given.get("size_bytes") or 0),
        verified=status == _DONE,
        problem="Barman calls it failed" if status == "FAILED" else "",
        kind="full",
    )


def _time_of(label: str) -> float:
    """Barman's names are local time."""
    return datetime.strptime(label, "%Y%m%dT%H%M%S").astimezone().timestamp()


def _servers(answer: Any) -> list[str]:
    """The names of servers; messages have keys with an underscore."""
    return sorted(name for name in answer if not name.startswith("_"))


def _of(server: str, answer: Any) -> Any:
    """Barman's answer about one server, in which the server's name is a key."""
    return answer[server]


def _barman(arguments: list[str], deadline: Deadline) -> Any:
    answer = _ask("Barman", ["barman", "-f", "json", *arguments], deadline)
    if isinstance(answer, dict) and answer.get("_ERROR"):
        said = shorten(redact(" ".join(map(str, answer["_ERROR"]))), 200)
        raise NotCollected(f"Barman answers: {said}", "Run the same command on the host.")
    return answer


def _ask(tool: str, argv: list[str], deadline: Deadline) -> Any:
    """What the program prints; its exit code says nothing here."""
    if not shutil.which(argv[0]):
        raise NotCollected(
            f"{tool} is not installed on this host: there is no {argv[0]} in PATH",
            "Install it, or take it out of tools (backup_tools).",
        )
    with tempfile.TemporaryFile() as output:
        watch = time_limit(deadline.remaining())
        ended = run_pipeline([Command(argv)], sink=output, watch=watch)[0]
        output.seek(0)
        text = output.read().decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        said = shorten(redact(ended.errors or text), 200) or ended.how
        raise NotCollected(
            f"{tool} gave no answer in JSON: {said}",
            "Run this as the user who owns the backups (backup_user).",
        ) from None


def _unexpected(tool: str) -> NotCollected:
    return NotCollected(
        f"{tool}'s answer has another form than its known versions give",
        "Check its version; this check knows pgBackRest 2.45 to 2.55 and Barman 3.4 to 3.13.",
    )
