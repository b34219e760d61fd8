# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies the migrations of a release while the one before still serves.

The order: build, migrate, trial, switch. The trial runs on the live database, so it needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.check import PLANNED, Action
from ..core.errors import NotCollected
from .options import DEPLOYED, Options
from .plan import MIGRATE, SWITCH, TRIAL
from .schema import applied, known, some
from .target import Target

#: What an operator should know before it happens.
_HINT = "the running release must work with them, and a fresh backup is the way back"


def lacking(
    options: Options, target: Target, in_database: Sequence[str] | None
) -> list[str] | None:
    """The migrations of the target that the database lacks; none if that is not known."""
    if in_database is None or target.source is None or not options.migrations_command:
        return None
    return sorted(set(known(target.source, options.migrations_folder)) - set(in_database))


def with_migrations(
    planned: Sequence[Action], options: Options, target: Target, missing: list[str] | None
) -> list[Action]:
    """The plan, with the step that applies what the database lacks. Pure."""
    actions = list(planned)
    if not options.migrate or options.state != DEPLOYED or missing == [] or not actions:
        return actions
    place = next(n for n, action in enumerate(actions) if action.name in (TRIAL, SWITCH))
    which = some(missing) if missing else "those that the database lacks"
    step = Action(MIGRATE, PLANNED, f"{which}; {_HINT}", target.release.id)
    return [*actions[:place], step, *actions[place:]]


def migrate(options: Options, target: Target, run: Callable[[str], str]) -> None:
    """Apply the migrations; ``run`` returns what a command prints in the new release.

    Raises `NotCollected` if it fails, or if the database still lacks a migration.
    """
    run(options.migrate)
    if not options.migrations_command or target.source is None:
        return
    found = applied(run(options.migrations_command))
    missing = set(known(target.source, options.migrations_folder)) - set(found or ())
    if missing:
        lacks = some(sorted(missing))
        raise NotCollected(f"'{options.migrate}' succeeded, but the database still lacks {lacks}")
