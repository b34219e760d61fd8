# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of PostgreSQL, of all its modules: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition
from .backup import checks as backup_run
from .backup.check import checks as backup
from .health import checks as health
from .restore import checks as restore
from .review import checks as review

CHECKS: dict[str, Definition] = {
    **health.CHECKS,
    "postgres.recovery": Definition(
        "PostgreSQL works; if not, the cause, and whether a restart is the cure.",
        "Run playbooks/postgres_recovery.yml with runbook_confirm naming the host, which restarts "
        "it.",
    ),
    "postgres.relief": Definition(
        "No more slots than the target are in use, and none had to be freed by ending idle "
        "sessions.",
        "End sessions that are not needed by hand, lower the pools of the apps in the evidence, or "
        "raise max_connections.",
    ),
    "postgres.maintenance": Definition(
        "Every table and index has the vacuum, statistics and space that it needs.",
        "The actions show what was skipped or failed and why; run "
        "playbooks/database_maintenance.yml again once the cause is gone.",
    ),
    **review.CHECKS,
    **restore.CHECKS,
    **backup.CHECKS,
    **backup_run.CHECKS,
}
