# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a server does not have, or does not let this user run: which, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..core.errors import Refused, RunbookError
from ..core.text import redact, shorten
from .connection import Endpoint
from .errors import CommandRefused, error_of_reply

#: redis-py drops the code word NOPERM from most replies.
_DENIED = re.compile("NOPERM|no permissions")
_KEYS = re.compile("permissions to access")
_UNKNOWN = re.compile("unknown (?:sub)?command", re.IGNORECASE)
#: The command in either reply. It may be another one, such as SELECT before the first command.
_NAMED = re.compile(r"(?:run the|unknown command) ['`]([\w-]+)(?:\|([\w-]+))?['`]", re.IGNORECASE)
_RENAMED = (
    "rename-command in redis.conf has renamed or disabled it, or a managed service does not offer "
    "it. This collection knows commands by their own names only: remove the line of {name} and "
    "restart Redis; to keep an app from it, use ACL instead ('ACL SETUSER APP -{right}'). For a "
    "managed service, use its own console or API."
)


def right(command: str) -> str:
    """A command as ACL rules name it: ``config|get``."""
    return command.lower().replace(" ", "|")


def grant(user: str, commands: Iterable[str]) -> str:
    """The remedy for a user who lacks permission for these commands."""
    rights = " ".join(f"+{right(each)}" for each in commands)
    return f"Grant it: 'ACL SETUSER {user} {rights}', or use a login that has it."


def refusal(reply: object, command: str, endpoint: Endpoint) -> CommandRefused | None:
    """The error if a reply says that a command is unknown or not permitted; else none."""
    text, where, user = _own_words(reply), endpoint.address, endpoint.user
    if _KEYS.search(text):
        return CommandRefused(
            f"user {user} of {where} lacks permission for the keys of {command}",
            f"Grant it: 'ACL SETUSER {user} ~PATTERN' with the pattern of the keys, as in "
            "'~cache:*', or use a login that has it.",
        )
    command = _named(text, command)
    if _DENIED.search(text):
        what = f"user {user} of {where} lacks permission for {command}"
        return CommandRefused(what, grant(user, [command]))
    if _UNKNOWN.search(text):
        name = command.split()[0]
        remedy = _RENAMED.format(name=name, right=name.lower())
        return CommandRefused(f"{where} does not offer {command}", remedy)
    return None


def refusals(replies: Mapping[str, object], endpoint: Endpoint) -> dict[str, RunbookError]:
    """Why commands were refused, by command; what was answered is left out.

    What this user lacks permission for is granted at once, by the remedy of any of them.
    """
    errors = {name: reply for name, reply in replies.items() if isinstance(reply, Exception)}
    denied = [name for name, reply in errors.items() if _DENIED.search(str(reply))]
    return {name: _error(reply, name, denied, endpoint) for name, reply in errors.items()}


def _error(
    reply: Exception, command: str, denied: Iterable[str], endpoint: Endpoint
) -> RunbookError:
    known = refusal(reply, command, endpoint)
    if known and _DENIED.search(str(reply)):
        return CommandRefused(str(known), grant(endpoint.user, denied))
    known_reply = known or error_of_reply(str(reply), endpoint)
    if known_reply:
        return known_reply
    said = quoted(reply, endpoint)
    return Refused(f"{endpoint.address} refuses {command}: {said}", f"Allow {command}.")


def quoted(reply: object, endpoint: Endpoint) -> str:
    """A reply as people may see it: without the arguments of the command, which may be secret."""
    said = _own_words(reply).partition(", with args beginning")[0]
    return shorten(redact(said, endpoint.secrets), 200)


def _own_words(reply: object) -> str:
    """What the server said, without the command that redis-py puts before it in a pipeline."""
    before, _separator, said = str(reply).rpartition(" of pipeline caused error: ")
    return said if before else str(reply)


def _named(text: str, command: str) -> str:
    """The command that a reply is about, which is this one if it does not name another."""
    found = _NAMED.search(text)
    if not found or found[1].upper() == command.split()[0].upper():
        return command
    return " ".join(part.upper() for part in found.groups() if part)
