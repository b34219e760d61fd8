# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keys are for, by how their names begin. A whole name may be a secret, so none is shown.

The name of a session's key is often its token. Only the first part of a name is ever shown, and
only if it looks like a word.
"""

from __future__ import annotations

import re

CACHE, QUEUE, SESSION = "cache", "queue", "session"

#: Patterns of names that belong to well-known libraries for job queues.
_QUEUES = re.compile(
    r"\{?(?:bull|bullmq|bq|resque|sidekiq|rq|arq|dramatiq|taskiq|celery|huey|faktory|queues?|jobs?"
    r"|agenda|bee-queue|sneakers|delayed)(?:[:}.-]|$)"
    r"|(?:celery|unacked|unacked_index|unacked_mutex|queues|schedule|retry|dead|processes)$"
    r"|_kombu\.|celery-task-meta-|stat:(?:processed|failed)$"
    r"|laravel_queues:|(?:\w+_database_)?queues:|(?:\w+_)?horizon:",
    re.IGNORECASE,
)
#: The same for sessions.
_SESSIONS = re.compile(
    r"\{?(?:sess|sessions?|sid|express-session|connect-session|koa:sess|next-auth|authjs|phpredis_"
    r"session|flask_session|laravel_session|spring:session|django\.contrib\.sessions?"
    r"|(?:[^:]*:\d+:)?django\.contrib\.sessions[^:]*|refresh[_-]?tokens?|access[_-]?tokens?|user:session)"
    r"(?:[:}.-]|$)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,23}(?:v?\d{1,2})?")
_SEPARATOR = re.compile(r"[:/|.]")
#: Names that are shown as they are, as they are the same everywhere.
_KNOWN = frozenset(
    ("celery", "unacked", "unacked_index", "unacked_mutex", "queues", "schedule", "retry", "dead")
)
OTHER = "(other)"


def kind_of(name: str) -> str:
    """``queue`` or ``session`` if a key's name says so; else empty."""
    if _QUEUES.match(name):
        return QUEUE
    return SESSION if _SESSIONS.match(name) else ""


def shown(name: str) -> str:
    """As much of a key's name as may be shown: ``cart:*``, ``bull:emails:*``.

    The second part of the name of a job queue is the name of the queue.
    """
    if name in _KNOWN:
        return name
    parts = _SEPARATOR.split(name)
    opened = name.startswith("{")
    first = parts[0].lstrip("{").rstrip("}")
    if len(parts) < 2 or not _WORD.fullmatch(first):
        return OTHER
    end = len(parts[0])
    if kind_of(name) == QUEUE and len(parts) > 2 and _WORD.fullmatch(parts[1].rstrip("}")):
        end += 1 + len(parts[1])
    text = name[: end + 1]
    return f"{text}*" if not opened or "}" in text else f"{text.rstrip(':')}:*"
