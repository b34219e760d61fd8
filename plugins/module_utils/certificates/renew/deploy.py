# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets what was renewed be served: check, reload, compare, and back if that broke something."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...core.check import DONE, FAILED, PLANNED, Action
from ...core.errors import RunbookError
from ..options import Target
from ..wording import untrusted_reason
from .lineage import Lineage, read_lineages
from .links import link_version
from .nginx import is_there, problem_of
from .options import Options
from .served import Served, utc_now, watch_until

RELOAD, ROLL_BACK = "certificate.reload", "certificate.roll_back"
#: Seconds for a reload by a hook; if it takes longer, another one does no harm.
_MOMENT = 5.0


@dataclass
class Deployment:
    """What was served before, and what was done so that the files are."""

    options: Options
    reload_command: Sequence[str]
    before: Sequence[Served]
    targets: Sequence[Target]
    """The endpoints, with the files that they should serve."""
    lineages: Sequence[Lineage]
    """As they are after the renewal."""
    actions: list[Action] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    served: Sequence[Served] = ()
    """What is served now."""

    def carry_out(self, deployed: bool) -> None:
        """``deployed`` is whether a deploy hook may have just reloaded: that takes a moment."""
        moment = min(_MOMENT, self.options.serve_wait)
        self.served = self._watch(moment if deployed else 0.0)
        if any(not one.answers for one in self._broken()):  # perhaps just now
            self.served = self._watch(moment)
        reloaded = self._serve_files()
        broken = self._broken()
        if reloaded:
            names = {one.lineage for one in broken}
            left = [one for one in self.stale(self.served) if one.lineage not in names]
            self.problems += map(_not_served, left)
        self._recover(broken, deployed or reloaded)

    def _serve_files(self) -> bool:
        """Let the files be served, unless clients would refuse them; whether it was reloaded."""
        stale = self.stale(self.served)
        refused = [one for one in stale if one.file_refused(utc_now())]
        if refused:
            is_back = self._roll_back(refused, _why_refused, reload=False)
            names = {one.lineage for one in refused}
            stale = [one for one in stale if one.lineage not in names]
            if stale and not is_back:
                waiting = ", ".join(dict.fromkeys(one.lineage for one in stale))
                self.problems.append(f"{waiting} is not served: a reload would load the other too")
                return False
        if not stale or not self._reload(stale):
            return False
        self.served = self._watch(self.options.serve_wait)
        return True

    def _recover(self, broken: Sequence[Served], acted: bool) -> None:
        """Go back where another version is linked than was served; it is the cause at most there.

        Without a reload, an endpoint that broke has checks of its own that say so.
        """
        versions, linked = self._versions(), {one.name: one.linked for one in self.lineages}
        back = [
            one for one in broken if versions.get(one.lineage) not in (None, linked[one.lineage])
        ]
        if back:
            self._roll_back(back, _why_broken, reload=True)
        if acted:
            self.problems += [_not_renewed(one) for one in broken if one not in back]

    def _versions(self) -> dict[str, int]:
        """The newest version of each certificate that was served before."""
        found: dict[str, int] = {}
        for one in self.before:
            if one.version:
                found[one.lineage] = max(one.version, found.get(one.lineage, 0))
        return found

    def stale(self, served: Sequence[Served]) -> list[Served]:
        """The endpoints that serve an older version than the one on disk."""
        linked = {one.name: one.linked for one in self.lineages}
        return [one for one in served if is_stale(one, linked.get(one.lineage, 0))]

    def _watch(self, seconds: float) -> list[Served]:
        return watch_until(self.options, self.targets, self.lineages, seconds, _all_served)

    def _reload(self, stale: Sequence[Served]) -> bool:
        started = time.monotonic()
        names = ", ".join(dict.fromkeys(one.lineage for one in stale))
        reason = f"{', '.join(one.subject for one in stale)} served an older certificate: {names}"
        problem = self._check_and_reload()
        if problem:
            reason = f"{reason}; not reloaded: {problem}"
            self.problems.append(
                f"{names} is on disk, but not served: nginx was not reloaded, and the old"
                f" certificate stays. {problem}. Once that is corrected, run this again"
            )
        status = FAILED if problem else DONE
        seconds = round(time.monotonic() - started, 3)
        self.actions.append(Action(RELOAD, status, reason, self._what(), seconds=seconds))
        return not problem

    def _what(self) -> str:
        return " ".join(self.reload_command)

    def _check_and_reload(self) -> str:
        """Why it was not reloaded; empty if it was."""
        check = self.options.check_command
        if not is_there(check):
            return (
                f"'{check[0]}' is not on this host; name what serves the certificate in"
                " check_command and reload_command"
            )
        return problem_of(check) or problem_of(self.reload_command)

    def _broken(self) -> list[Served]:
        """The endpoints whose certificate clients accepted before, and do not any more."""
        now = utc_now()
        good = {one.subject for one in self.before if one.accepted(now)}
        return [
            one
            for one in self.served
            if one.lineage and one.subject in good and not one.accepted(now)
        ]

    def _roll_back(
        self, endpoints: Sequence[Served], why: Callable[[Served], str], reload: bool
    ) -> bool:
        """Whether the certificates of all these endpoints are the ones before again."""
        versions, lineages = self._versions(), {one.name: one for one in self.lineages}
        worked, patience = True, 0.0
        first = {one.lineage: one for one in reversed(endpoints)}
        for name, one in sorted(first.items()):
            started, version, lineage = time.monotonic(), versions.get(name, 0), lineages[name]
            problem = self._link(lineage, version)
            if reload and not problem:
                problem = self._check_and_reload() or self._still_broken(name)
                if problem:  # it was something else, and the new certificate is valid for longer
                    self._link(lineage, lineage.linked or lineage.newest)
                    self._check_and_reload()
                    patience = self.options.serve_wait
            self._rolled_back(lineage, version, why(one), problem, started)
            worked = worked and not problem
        self.lineages = read_lineages(self.options.config_dir)
        self.served = self._watch(patience)
        return worked

    def _link(self, lineage: Lineage, version: int) -> str:
        if not version:
            return "no version of it was served before"
        try:
            link_version(lineage, version)
        except RunbookError as error:
            return f"{error}. {error.remedy}"
        return ""

    def _still_broken(self, name: str) -> str:
        self.served = watch_until(
            self.options,
            self.targets,
            self.lineages,
            self.options.serve_wait,
            lambda served: all(one.accepted(utc_now()) for one in served if one.lineage == name),
        )
        broken = [one for one in self._broken() if one.lineage == name]
        if not broken:
            return ""
        return (
            "it is the same with the certificate before, so that is not the cause: check what else"
            " has changed in nginx's configuration since its last reload"
        )

    def _rolled_back(
        self, lineage: Lineage, version: int, why: str, problem: str, started: float
    ) -> None:
        newest = lineage.linked or lineage.newest
        if problem:
            reason = f"{why}; going back to version {version} did not help: {problem}"
            remedy = f"The links lead to version {newest}"
        else:
            reason = f"{why}; {lineage.live} leads to version {version} again, which is served"
            remedy = (
                f"Find out what is wrong with version {newest} in {lineage.archive} before"
                " certbot's next run, which links it again, and before nginx is reloaded or"
                " restarted after that"
            )
        self.actions.append(
            Action(
                ROLL_BACK,
                FAILED if problem else DONE,
                reason,
                lineage.name,
                before=f"version {newest}",
                after=f"version {newest if problem else version}",
                seconds=round(time.monotonic() - started, 3),
            )
        )
        self.problems.append(f"{lineage.name}: {reason}. {remedy}")


def is_stale(one: Served, linked: int) -> bool:
    """Whether an endpoint serves an older version than the one that its links lead to."""
    if not one.lineage or not one.answers or one.is_file:
        return False
    if one.version:
        return one.version < linked
    disk = one.seen.disk
    if isinstance(disk, RunbookError) or not disk:
        return False
    return disk[0].not_before >= one.seen.chain[0].not_before


def planned_reload(stale: Sequence[str], command: Sequence[str]) -> Action:
    """What check mode shows."""
    reason = f"for {', '.join(dict.fromkeys(stale))}; only if the configuration is valid"
    return Action(RELOAD, PLANNED, reason, " ".join(command))


def _all_served(served: Sequence[Served]) -> bool:
    return all(one.is_file for one in served if one.lineage)


def _why_refused(one: Served) -> str:
    seen = one.seen
    if seen.disk_named is False:
        return f"the new certificate is not issued for {seen.target.name!r}, so it was not loaded"
    return (
        "clients would refuse the new certificate, so it was not loaded"
        f" ({seen.disk_verdict.message})"
    )


def _why_broken(one: Served) -> str:
    seen = one.seen
    if not seen.chain:
        return f"{one.subject} does not answer after the reload ({seen.failure})"
    if seen.named is False:
        return f"{one.subject} serves a certificate that is not issued for {seen.target.name!r}"
    if seen.verdict.code:
        said = untrusted_reason(seen, seen.verdict.path or seen.chain)[0]
        return f"clients refuse what {one.subject} serves: {said}"
    return f"clients refuse what {one.subject} serves: it is out of date"


def _not_renewed(one: Served) -> str:
    return (
        f"{one.lineage}: {_why_broken(one)}; no other version of it was served before, so check"
        " what else has changed in nginx's configuration since its last reload"
    )


def _not_served(one: Served) -> str:
    return (
        f"{one.lineage} was renewed, but {one.subject} still serves the old certificate after a"
        f" reload: check which file that server reads ('nginx -T | grep ssl_certificate'; it should"
        f" be {one.seen.target.file}), nginx's error log, and whether another server or a proxy"
        " answers there"
    )
