# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of backups: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ....core.definition import Definition, above, below

HOUR = 3600.0

CHECKS: dict[str, Definition] = {
    "backup.age": Definition(
        "Age of the newest verified backup of the database, counted from its snapshot: what a"
        " restore would lose now.",
        "Take one: 'ansible-playbook playbooks/backup.yml'; then find out why the scheduled run did"
        " not.",
        "seconds",
        above(26 * HOUR, 50 * HOUR),
        "a nightly backup with two hours of grace; critical once a second one is missing",
    ),
    "backup.proof": Definition(
        "The newest backup is verified, the programs on this host can read it, and a backup was"
        " restored as a test not too many days ago.",
        "Restore one as a test: 'ansible-playbook playbooks/verify_backups.yml'.",
        "days",
        above(35, None),
        "runbook, Monthly Tasks: Backup Verification",
    ),
    "backup.size": Definition(
        "Size of the newest backup as a share of the median of up to seven before it, and it holds"
        " rows if they did.",
        "Compare the tables in the evidence with what you expect; keep the older backups until you"
        " know why.",
        "percent",
        below(50, 20),
        "databases seldom lose half their content in a day",
    ),
    "backup.schedule": Definition(
        "Number of days without a verified backup among the six before today.",
        "Check the timer, cron job or job template that runs playbooks/backup.yml, and the reports"
        " of those days.",
        "count",
        above(0, None),
        "one verified backup a day",
    ),
    "backup.space": Definition(
        "For how many more backups of all databases the disk has room.",
        "Free space there, move backup_dir to a larger disk, or keep fewer backups"
        " (backup_keep_daily and the like).",
        "count",
        below(2, 1),
        "the next one must fit, and the one after it",
    ),
    "backup.foreign": Definition(
        "Number of files and folders below backup_dir that are no usable backup, or that other"
        " users can read.",
        "Move away what does not belong there. Keep a broken backup until you know what broke it.",
        "count",
        above(0, None),
        "nothing else belongs there",
    ),
}
