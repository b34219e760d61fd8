# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets settings, and writes them to the configuration file."""

from __future__ import annotations

import time
from contextlib import suppress

from ...core.check import DONE, FAILED, PLANNED, Action
from ...core.errors import RunbookError
from ..server import Server
from .plan import Change

SET, REWRITE = "redis.set", "redis.rewrite"


def planned_actions(planned: list[Change]) -> list[Action]:
    """What would be set."""
    return [_action(each, PLANNED) for each in planned]


def set_all(server: Server, planned: list[Change], at_once: bool, actions: list[Action]) -> None:
    """Set everything, or nothing; raises like `Server.ask`.

    ``at_once`` is whether one command can set several settings, as from Redis 7 on.
    """
    started = time.monotonic()
    done: list[Change] = []
    try:
        for some in [planned] if at_once else [[each] for each in planned]:
            _set(server, some)
            done += some
    except RunbookError as error:
        for each in reversed(done):
            with suppress(RunbookError):
                _set(server, [Change(each.name, each.after, each.before)])
        actions += [_action(each, FAILED, str(error)) for each in planned]
        raise
    seconds = round(time.monotonic() - started, 3)
    actions += [_action(each, DONE, seconds=seconds) for each in planned]


def rewrite(server: Server, path: str, actions: list[Action]) -> str:
    """Write the running settings to the file; why that failed, or an empty string."""
    started = time.monotonic()
    try:
        server.ask("CONFIG REWRITE", lambda client: client.config_rewrite())
    except RunbookError as error:
        actions.append(Action(REWRITE, FAILED, str(error), path))
        return str(error)
    seconds = round(time.monotonic() - started, 3)
    actions.append(Action(REWRITE, DONE, "so that a restart keeps them", path, seconds=seconds))
    return ""


def _set(server: Server, some: list[Change]) -> None:
    words = [word for each in some for word in (each.name, each.after)]
    server.ask("CONFIG SET", lambda client: client.execute_command("CONFIG SET", *words))


def _action(change: Change, status: str, reason: str = "", seconds: float | None = None) -> Action:
    text = f"{change.before or '(empty)'} → {change.after or '(empty)'}"
    return Action(
        SET,
        status,
        f"{text}: {reason}" if reason else text,
        change.name,
        before=change.before,
        after=change.after,
        seconds=seconds,
    )
