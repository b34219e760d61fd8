# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the host: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import METRICS, Definition, above

CHECKS: dict[str, Definition] = {
    "host.reachable": Definition(
        "Ansible can log in to the host and run Python there.",
        "Check that the host is up, its network, and the SSH login: "
        "'ansible HOST -i INVENTORY -m ansible.builtin.ping'.",
    ),
    "host.cpu": Definition(
        "Share of all processors that was busy during the sample.",
        "Scale up or optimize: 'top' shows the busiest processes, the logs show slow endpoints.",
        "percent",
        above(80, 95),
        METRICS,
    ),
    "host.memory": Definition(
        "Share of memory that is not available to programs, of the host or of the container's "
        "limit.",
        "Check for memory leaks: the evidence names the largest processes; 'pm2 restart' of a "
        "leaking app buys time.",
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
    "host.filesystem_writable": Definition(
        "A write to a mounted file system would succeed: the kernel did not stop it after an "
        "error, it is not read-only contrary to /etc/fstab or systemd's mount unit, and it has "
        "space left. With canary: true, a file was written, flushed and deleted.",
        "See 'dmesg' for the error, and check the disk.",
    ),
    "host.inodes_used": Definition(
        "Share of a mounted file system's inodes that is used.",
        "Find the folder with very many small files (sessions, caches, mail queues) and clean it.",
        "percent",
        above(80, 90),
        f"{METRICS} (Disk Space)",
    ),
    "host.load": Definition(
        "Five-minute load average per processor.",
        "See what runs or waits for disk I/O ('top', 'ps -eo stat,pid,cmd | grep ^D'), "
        "then scale up or optimize.",
        "",
        above(2, 4),
        "two waiting tasks for each processor make everything take twice as long",
    ),
    "host.swap": Definition(
        "Share of swap space in use.",
        "Memory is or was short: check for memory leaks, or add memory.",
        "percent",
        above(50, 90),
        "swap half full leaves little between a leak and the OOM killer",
    ),
    "host.oom_kills": Definition(
        "Processes that the OOM killer killed in the window.",
        "See which with 'journalctl -k | grep -i oom'; limit or fix that process, or add memory.",
        "count",
        above(0, 5),
        "every OOM kill ends a process that someone needed",
    ),
    "host.failed_units": Definition(
        "systemd units in the state failed.",
        "Read 'systemctl status UNIT' and 'journalctl -u UNIT'; "
        "once fixed, 'systemctl reset-failed UNIT'.",
        "count",
        above(0, None),
        "a failed unit does not do its work",
    ),
    "host.clock": Definition(
        "Maximum error of the system clock, as the kernel estimates it.",
        "Start time synchronisation: 'timedatectl set-ntp true', "
        "then 'timedatectl timesync-status' or 'chronyc tracking'.",
        "seconds",
        above(2, None),
        "systemd-timesyncd asks its servers every half hour; meanwhile the kernel's estimate grows "
        "by one second",
    ),
}
