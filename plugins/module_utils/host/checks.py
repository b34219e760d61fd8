# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the host: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import METRICS, Definition, above

CHECKS: dict[str, Definition] = {
    "host.reachable": Definition(
        "Ansible can log in to the host and run Python there.",
        "Check that the machine is up, its network, and the SSH login: 'ansible -m ansible.builtin.ping HOST'.",
    ),
    "host.cpu": Definition(
        "Share of all processors that was busy during the sample.",
        "Scale up or optimize: find the busiest processes with 'top' and slow endpoints in the logs.",
        "percent",
        above(80, 95),
        METRICS,
    ),
    "host.memory": Definition(
        "Share of memory that is not available to programs, of the machine's or the container's own limit.",
        "Check for memory leaks: the largest processes are in the evidence; 'pm2 restart' of a leaking app gives time.",
        "percent",
        above(85, 95),
        METRICS,
    ),
    "host.disk_used": Definition(
        "Share of a mounted file system that is used, as unprivileged programs see it.",
        "Clean logs, increase storage: 'du -xh --max-depth=2 MOUNT | sort -h' shows what fills it.",
        "percent",
        above(80, 90),
        METRICS,
    ),
    "host.inodes_used": Definition(
        "Share of a mounted file system's inodes that is used.",
        "Find the folder with very many small files (sessions, caches, mail queues) and clean it.",
        "percent",
        above(80, 90),
        f"{METRICS} (Disk Space)",
    ),
    "host.load": Definition(
        "Five-minute load average for each processor.",
        "See what runs or waits for the disk: 'top', 'ps -eo stat,pid,cmd | grep ^D', then scale up or optimize.",
        "",
        above(2, 4),
        "two waiting tasks a processor make everything take twice as long",
    ),
    "host.swap": Definition(
        "Share of swap space in use.",
        "Memory is or was short: check for memory leaks, give the machine more memory.",
        "percent",
        above(50, 90),
        "swap half full leaves little between a leak and the OOM killer",
    ),
    "host.oom_kills": Definition(
        "Processes that the kernel killed for lack of memory in the window.",
        "See who was killed with 'journalctl -k | grep -i oom'; limit or fix that process, or add memory.",
        "count",
        above(0, 5),
        "every OOM kill takes a process that someone needed",
    ),
    "host.failed_units": Definition(
        "systemd units in the state failed.",
        "Read 'systemctl status UNIT' and 'journalctl -u UNIT'; when mended, 'systemctl reset-failed UNIT'.",
        "count",
        above(0, None),
        "a failed unit is work that is not being done",
    ),
    "host.clock": Definition(
        "Largest error of the system clock that its synchronisation allows for.",
        "Start time synchronisation: 'timedatectl set-ntp true', then 'timedatectl timesync-status' or 'chronyc tracking'.",
        "seconds",
        above(2, None),
        "between two looks at its servers, half an hour apart, systemd-timesyncd lets the kernel's bound grow by one second",
    ),
}
