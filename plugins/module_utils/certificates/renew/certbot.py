# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certbot: which version it is, a renewal, and what it says of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from ...core.errors import NotCollected
from ...core.text import redact, shorten
from .program import Ended, run

_VERSION = re.compile(r"certbot (\d+(?:\.\d+)*)")
_VERSION_SECONDS = 60
#: Let a dry run run the deploy hooks too; older versions do not know it.
DEPLOY_HOOKS = "--run-deploy-hooks"
_BUSY = "Another instance of Certbot is already running"
_POLL = 1.0
#: The name of the file is on a line of its own if it is long.
_WRAPPED = re.compile(r"^Processing\n(?=/\S+\.conf$)", re.MULTILINE)
_PROCESSING = re.compile(r"Processing .*?([^/]+)\.conf$")
_FAILED = re.compile(r"Failed to renew certificate (\S+) with error: (.*)")
_UNREADABLE = re.compile(r"Renewal configuration file \S+ (?:\(cert: (\S+)\) )?(.*)")
_COMMAND = re.compile(r"Running (\S+) command: (.*)")
_HOOK_CODE = re.compile(r"Hook '(\S+)' reported error code (-?\d+)")
_HOOK_SAID = re.compile(r"Hook '(\S+)' ran with (?:error )?output:")
_PROBLEM = re.compile(r"\s+(Identifier|Domain|Type|Detail):\s+(.*)")
_RESULT = re.compile(r"  (\S+) \((success|failure|parsefail)\)$")
#: Lines that say nothing about the cause.
_EMPTY = re.compile(
    r"^[- ]*$|Saving debug log|Ask for help|See the logfile|Please see the logfile"
    r"|renew failure\(s\)|^\s*(Traceback|File \")|Plugins selected"
)
#: What follows an error, which can have several lines.
_END = re.compile(
    r"[- ]*$|Skipping|Failed |Running |Hook |All |The following |Additionally|Processing "
    r"|Renewal configuration file |\d+ renew failure"
)
_LONGEST = 400


@dataclass(frozen=True)
class HookFailure:
    """A hook that failed, which certbot does not call a failure."""

    command: str
    code: int
    words: str


@dataclass(frozen=True)
class Attempt:
    """What certbot said of one certificate."""

    error: str = ""
    """Why it could not be renewed, in the words of certbot and the authority."""
    hooks: tuple[HookFailure, ...] = ()
    deployed: bool = False
    """Whether a deploy hook ran, which may have reloaded what serves it."""


@dataclass(frozen=True)
class Answer:
    """What certbot said of a run."""

    code: int | None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    """By certificate; those that it has only looked through are there, without an error."""
    hooks: tuple[HookFailure, ...] = ()
    """Failed hooks of no single certificate, which run at the end."""
    error: str = ""
    """Why it did nothing at all; empty if it did."""
    busy: bool = False
    """Whether another certbot was running."""
    ran_deploy_hooks: bool = False
    """Whether a dry run was asked to run the deploy hooks, and could."""


def version_of(command: Sequence[str]) -> tuple[int, ...]:
    """Its version; raises `NotCollected` if it cannot be run."""
    ended = run([*command, "--version"], _VERSION_SECONDS)
    found = _VERSION.search(ended.text)
    if ended.code != 0 or not found:
        said = shorten(redact(ended.text), 200) or "nothing"
        raise NotCollected(f"'{' '.join(command)} --version' failed; it says: {said}")
    return tuple(int(part) for part in found[1].split("."))


def renew(
    command: Sequence[str],
    arguments: Sequence[str],
    seconds: float,
    lock_wait: float,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Run ``certbot renew``, once another certbot has ended."""
    argv = [*command, "renew", "--non-interactive", "--no-random-sleep-on-renew", "-v", *arguments]
    end, patience = time.monotonic() + seconds, time.monotonic() + lock_wait
    while True:
        ended = run(argv, max(1.0, end - time.monotonic()))
        if DEPLOY_HOOKS in argv and f"unrecognized arguments: {DEPLOY_HOOKS}" in ended.text:
            argv.remove(DEPLOY_HOOKS)
            continue
        answer = replace(parse(ended), ran_deploy_hooks=DEPLOY_HOOKS in argv)
        if not answer.busy or time.monotonic() > min(end, patience):
            return answer
        pause(_POLL)


def parse(ended: Ended) -> Answer:
    """What certbot said, by certificate. Pure."""
    if ended.code is None:
        return Answer(None, error="it did not end within the time limit")
    blocks = _blocks(_WRAPPED.sub("Processing ", ended.text).splitlines())
    general = blocks.pop("")
    attempts = {name: _attempt(name, lines) for name, lines in blocks.items()}
    hooks: tuple[HookFailure, ...] = ()
    for name, attempt in attempts.items():
        late = tuple(one for one in attempt.hooks if one.command.startswith("post-hook "))
        kept = tuple(one for one in attempt.hooks if one not in late)
        attempts[name], hooks = replace(attempt, hooks=kept), hooks + late
    error = ""
    if ended.code and not any(one.error for one in attempts.values()):
        error = _tail(general + [line for lines in blocks.values() for line in lines])
    return Answer(ended.code, attempts, hooks, error, _BUSY in ended.text)


def _blocks(lines: Sequence[str]) -> dict[str, list[str]]:
    """The lines by certificate; those before the first are under an empty name."""
    blocks: dict[str, list[str]] = {"": []}
    name = ""
    for line in lines:
        if found := _PROCESSING.match(line):
            name = found[1]
        blocks.setdefault(name, []).append(line)
    return blocks


def _attempt(name: str, lines: Sequence[str]) -> Attempt:
    error = ""
    for position, line in enumerate(lines):
        found = _FAILED.match(line)
        if (found and found[1] == name) or (
            (found := _UNREADABLE.match(line)) and found[1] in (name, None)
        ):
            rest = takewhile(lambda line: not _END.match(line), lines[position + 1 :])
            error = " ".join([found[2], *rest])
    problems = _problems(lines)
    if error and problems:
        error = f"{error} {'; '.join(problems)}"
    deployed = any(ran[1] == "deploy-hook" for ran in map(_COMMAND.search, lines) if ran)
    return Attempt(_clean(error), tuple(_failed_hooks(lines)), deployed)


def _problems(lines: Sequence[str]) -> list[str]:
    """What the authority says of each challenge: ``unauthorized for a.example: 404``."""
    found, name, kind = [], "", ""
    for line in lines:
        said = _PROBLEM.match(line)
        if not said:
            continue
        if said[1] in ("Identifier", "Domain"):
            name = said[2]
        elif said[1] == "Type":
            kind = said[2]
        else:
            found.append(f"{kind} for {name}: {said[2]}")
    return found


def _failed_hooks(lines: Sequence[str]) -> list[HookFailure]:
    found: list[HookFailure] = []
    command = ""
    for position, line in enumerate(lines):
        if ran := _COMMAND.search(line):
            command = f"{ran[1]} {ran[2]}"
        elif failed := _HOOK_CODE.search(line):
            hook = command if command.startswith(failed[1]) else failed[1]
            words = _words(lines[position + 1 :], failed[1])
            found.append(HookFailure(hook, int(failed[2]), words))
    return found


def _words(lines: Sequence[str], kind: str) -> str:
    """What a hook has said: the indented lines that follow."""
    kept, own = [], False
    for line in lines:
        said = _HOOK_SAID.search(line)
        if said and said[1] == kind:
            own = True
        elif own and line.startswith(" "):
            kept.append(line)
        else:
            break
    return _clean(" ".join(kept))


def _tail(lines: Sequence[str]) -> str:
    said = [line for line in lines if not _EMPTY.search(line)]
    return _clean(" ".join(said[-4:])) or "it gave no reason"


def _clean(text: str) -> str:
    return shorten(redact(text), _LONGEST).rstrip(".")
