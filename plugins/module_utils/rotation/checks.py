# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of logs and their rotation: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition, above

CHECKS: dict[str, Definition] = {
    "logs.configuration": Definition(
        "logrotate rotates each of the logs once: by the file that this collection writes, which "
        "logrotate itself accepts, and which its daily run reads.",
        "Choose one configuration for each log. To let this collection rotate it, remove the log "
        "from the other file.",
        "count",
    ),
    "logs.pm2_logrotate": Definition(
        "PM2's module pm2-logrotate is not installed. It copies a log and then empties it, so what "
        "is written in between is lost. It also finds logs by a part of their name, and removes "
        "those of other apps.",
        "Run 'pm2 uninstall pm2-logrotate' as the user of PM2, then this again.",
    ),
    "logs.schedule": Definition(
        "Seconds since logrotate last ran on this host.",
        "Check that it is started daily: 'systemctl status logrotate.timer', or "
        "/etc/cron.daily/logrotate and cron.",
        "seconds",
        above(2 * 86400.0, 7 * 86400.0),
        "logs are rotated daily; one day may be missed",
    ),
    "logs.released": Definition(
        "No process writes to a log that is rotated already. Its lines would be in the wrong file, "
        "and it cannot be compressed or archived.",
        "Tell the process to open its logs again, or restart it; then run this again. Set pm2_user "
        "or pm2_home if it is PM2 or an app under it, nginx_pid_file for nginx, and "
        "reopen_command for anything else.",
        "count",
    ),
    "logs.archive": Definition(
        "Rotated logs that are due are in the archive, verified. The value is the size of the "
        "archive.",
        "Correct what the evidence says, and run this again. What is not archived is still beside "
        "its log.",
        "bytes",
    ),
    "logs.size": Definition(
        "The size of the logs and of what is rotated beside them.",
        "Rotate more often, keep fewer days, or let the app log less.",
        "bytes",
        above(20 * 1024.0**3, None),
        "30 days of logs are usually smaller; change it to your disk",
    ),
    "logs.deleted_open": Definition(
        "Space of deleted files that is not free, as processes still have them open, on the disks "
        "of the logs.",
        "Restart the processes in the evidence, or let them open their files again; deleting more "
        "frees nothing.",
        "bytes",
        above(1024.0**3, None),
        "'du' does not show them, so a gibibyte is worth checking",
    ),
}
