# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What values of settings mean: ``1gb`` is 1073741824, and the order of flags does not matter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...core.errors import UsageError

_SIZE = re.compile(r"(\d+)(b|kb?|mb?|gb?)", re.IGNORECASE)
_FACTORS = {"b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
_LIMITS = "client-output-buffer-limit"
_EVENTS = "notify-keyspace-events"
#: What the letter A stands for.
_ALL_EVENTS = "g$lshzxetd"

#: Passwords and users: never read, shown or set.
SECRETS = re.compile(
    r"requirepass|masterauth|masteruser|primaryauth|primaryuser|user|sentinel-pass|sentinel-user"
    r"|tls-key-file-pass|tls-client-key-file-pass|.*(?:password|secret|-pass)"
)
#: What cuts clients off, moves files or opens the server; none of it is for a run at night.
FIXED = re.compile(
    r"bind|bind-source-addr|port|tls-.*|unixsocket|unixsocketperm|protected-mode|replicaof|dir"
    r"|dbfilename|appendfilename|appenddirname|aclfile|acl-pubsub-default|enable-.*-commands?"
    r"|enable-protected-configs|rename-command|loadmodule|include|logfile|pidfile|daemonize"
    r"|supervised|databases|cluster-.*|replica-announce-.*|syslog-.*|proc-title-template"
    r"|set-proc-title|always-show-logo|tcp-backlog|io-threads.*|locale-collate|socket-mark-id"
    r"|server-cpulist|bio-cpulist|aof-rewrite-cpulist|bgsave-cpulist|crash-.*|rdma-.*"
)


#: Names that Valkey writes, by which Redis does not know the setting.
_ALIASES = {
    "commandlog-execution-slower-than": "slowlog-log-slower-than",
    "commandlog-slow-execution-max-len": "slowlog-max-len",
}


def canonical(name: str) -> str:
    """The one name of a setting, which every version knows."""
    name = name.strip().lower().replace("slave", "replica")
    return _ALIASES.get(name, name)


def as_text(name: str, value: Any) -> str:
    """A value of the task as the server takes it; raises `UsageError`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(as_text(name, each) for each in value)
    if value is None or isinstance(value, Mapping):
        raise UsageError(f"settings: {name} must be a text, a number or a list")
    text = str(value).strip()
    if "\n" in text or "\0" in text:
        raise UsageError(f"settings: {name} must be one line")
    return text


def number(text: str) -> int | None:
    """A size in bytes, or a plain number; none if it is neither."""
    found = _SIZE.fullmatch(text)
    if found:
        return int(found[1]) * _FACTORS[found[2].lower()]
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def normal(name: str, text: str) -> str:
    """A value in its one form, to compare it with others."""
    if name == _EVENTS:
        return "".join(sorted(set(text.replace("A", _ALL_EVENTS))))
    if name == _LIMITS:
        limits = _limits(text)
        return " ".join(f"{kind} {limits[kind]}" for kind in sorted(limits))
    words = text.replace('"', "").split() if name == "save" else text.split()
    return " ".join(_word(word) for word in words)


def same(name: str, wanted: str, running: str) -> bool:
    """Whether a setting is as wanted. Limits of buffers need to name only some kinds of clients."""
    if name == _LIMITS:
        now = _limits(running)
        return all(now.get(kind) == limit for kind, limit in _limits(wanted).items())
    return normal(name, wanted) == normal(name, running)


def merged(name: str, earlier: str, line: str) -> str:
    """The value after one more line of a file for the same setting."""
    if name == "save":
        return "" if not normal(name, line) else f"{earlier} {line}".strip()
    return f"{earlier} {line}".strip() if name == _LIMITS else line


def _limits(text: str) -> dict[str, str]:
    words = text.split()
    return {
        words[at].lower().replace("slave", "replica"): " ".join(
            _word(word) for word in words[at + 1 : at + 4]
        )
        for at in range(0, len(words), 4)
    }


def _word(word: str) -> str:
    size = number(word)
    return word.lower() if size is None else str(size)
