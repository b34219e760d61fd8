# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of restoring: what each means, and its remedy."""

from __future__ import annotations

from ...core.definition import Definition

CHECKS: dict[str, Definition] = {
    "backup.restorable": Definition(
        "The backup was restored into a database of its own without an error, every row count is "
        "that of the moment when it was taken, and every index holds every row.",
        "Take a new backup now, with playbooks/backup.yml, and verify that one; keep this one "
        "until then.",
    ),
    "backup.restored": Definition(
        "The database is that of the backup, compared with it before it took its place.",
        "Correct what the message names, then run playbooks/restore.yml again.",
    ),
}
