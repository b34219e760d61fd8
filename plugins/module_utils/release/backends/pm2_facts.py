# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guards judge by, for an app that runs from folders on this host."""

from __future__ import annotations

from ...core.errors import NotCollected
from ...core.files import free_bytes
from ..collect import Snapshot, applied_migrations
from ..commands import inherited, shell
from ..guards import Facts
from ..options import Options
from ..source import ENV_FILES, Folder, variables
from ..target import Target

#: Seconds for the command that lists the migrations.
_MIGRATIONS_SECONDS = 60.0


def facts(options: Options, snapshot: Snapshot, target: Target) -> Facts:
    """Asks the database for its migrations, and the disk for its free space."""
    migrations, problem = None, ""
    try:
        migrations = applied_migrations(options, snapshot, lambda: _ask(options, snapshot))
    except NotCollected as error:
        problem = str(error)
    folder = Folder(snapshot.layout.current)
    in_files = variables(folder, ENV_FILES)
    return Facts(
        snapshot,
        target,
        free_bytes(snapshot.layout.store.releases_folder),
        migrations,
        problem,
        frozenset({*snapshot.live.environment, *in_files}),
    )


def _ask(options: Options, snapshot: Snapshot) -> str:
    """The output of the operator's command, run in the live release."""
    environment = inherited(snapshot.live.environment)
    folder = snapshot.layout.current
    return shell(options.migrations_command, folder, environment, _MIGRATIONS_SECONDS)
