# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of backups that operations make."""

from __future__ import annotations

from ...core.definition import Definition

CHECKS: dict[str, Definition] = {
    "backup.run": Definition(
        "Each database that the run was asked for has a new backup, which is complete and could "
        "be read to its end (level 3).",
        "Read the reason of the failed action, correct it, and run backup.yml again. Older "
        "backups are untouched.",
    ),
}
