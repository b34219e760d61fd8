# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something runs certbot regularly on this host: a timer of systemd, or cron."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...linux.programs import running
from ...linux.units import Unit, has_systemd, read_units

#: The timers of the distributions' packages and of snap, each with the service that it starts.
TIMERS = {
    "certbot.timer": "certbot.service",
    "snap.certbot.renew.timer": "snap.certbot.renew.service",
    "certbot-renew.timer": "certbot-renew.service",
}
_CRON_FILES = (
    "etc/crontab",
    "etc/anacrontab",
    "var/spool/cron/crontabs/root",
    "var/spool/cron/root",
)
_CRON_FOLDERS = ("etc/cron.d", "etc/cron.daily", "etc/cron.weekly")
_RENEWS = re.compile(r"^[^#]*\bcertbot\b.*\brenew\b")
#: Debian's own entry in cron does nothing where systemd runs.
_NOT_UNDER_SYSTEMD = "/run/systemd/system"


@dataclass(frozen=True)
class Schedule:
    """What renews certificates by itself."""

    timers: tuple[Unit, ...] = ()
    services: tuple[Unit, ...] = ()
    """What these timers start."""
    cron: tuple[str, ...] = ()
    """Files of cron that run it."""
    cron_runs: bool = False
    unseen: tuple[str, ...] = ()
    """Files that could not be read."""

    @property
    def active_timers(self) -> list[str]:
        return [one.name for one in self.timers if one.active == "active"]

    @property
    def ends_with_this_boot(self) -> str:
        """The timer that runs certbot, but not after a restart of the host; empty if it does."""
        if self.cron and self.cron_runs:
            return ""
        active = [one for one in self.timers if one.active == "active"]
        lasting = [one for one in active if one.enabled != "disabled"]
        return active[0].name if active and not lasting else ""

    @property
    def works(self) -> bool:
        return bool(self.active_timers or (self.cron and self.cron_runs))

    @property
    def failed(self) -> Unit | None:
        """The service whose last run failed; none if that is not known."""
        bad = [one for one in self.services if one.active == "failed" or _bad(one.result)]
        return bad[0] if bad else None


def _bad(result: str) -> bool:
    return result not in ("", "success")


def read_schedule(root: str = "/") -> Schedule:
    """What is scheduled on this host."""
    units = read_units([*TIMERS, *TIMERS.values()])
    found, unseen = [], []
    under_systemd = has_systemd()
    for path in _cron_files(root):
        text = _read(path)
        if text is None:
            unseen.append(path)
        elif runs_certbot(text, under_systemd):
            found.append(path)
    return Schedule(
        tuple(one for one in units if one.name in TIMERS),
        tuple(one for one in units if one.name in TIMERS.values()),
        tuple(found),
        bool(running(["cron", "crond"])),
        tuple(unseen),
    )


def runs_certbot(text: str, under_systemd: bool) -> bool:
    """Whether a file of cron runs a renewal. Pure."""
    return any(
        _RENEWS.match(line) and not (under_systemd and _NOT_UNDER_SYSTEMD in line)
        for line in text.splitlines()
    )


def _read(path: str) -> str | None:
    """A file's text, empty if there is none; none without permission."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except PermissionError:
        return None
    except OSError:
        return ""


def _cron_files(root: str) -> Iterator[str]:
    for name in _CRON_FILES:
        yield os.path.join(root, name)
    for folder in _CRON_FOLDERS:
        path = os.path.join(root, folder)
        try:
            names = sorted(os.listdir(path))
        except OSError:
            continue
        yield from (os.path.join(path, name) for name in names)
