# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renews the certificates of certbot that are due, and lets them be served."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...core.check import DONE, FAILED, PLANNED, Action, Check
from ...core.errors import NotCollected, RunbookError, UsageError
from ...core.lock import exclusive_lock
from ...core.operation import Outcome, file_diff
from ...core.thresholds import Thresholds
from ..assess import assess_certificate
from . import certbot, nginx, verdicts
from .deploy import Deployment, is_stale, planned_reload
from .explain import explain
from .lineage import Lineage, due_at, read_lineages
from .options import Options
from .schedule import read_schedule
from .served import Served, utc_now, watch, with_files

HOOK, RENEW, RUN_HOOK = (
    "certificate.install_hook",
    "certificate.renew",
    "certificate.run_hook",
)
_LOCK = ".gpt-agent-runbook.lock"
#: Without another one in its renewal file, a dry run goes to the staging server of this authority.
_LETS_ENCRYPT = "api.letsencrypt.org"


@dataclass
class RenewalOutcome(Outcome):
    """The result of a run, with the deploy hook that it has written."""

    hook_file: str = ""
    hook: tuple[str, str] = ("", "")
    """Its text before and after."""

    @property
    def file_diffs(self) -> list[dict[str, str]]:
        return file_diff(self.hook_file, *self.hook)


def run(options: Options, thresholds: Thresholds, check_mode: bool) -> Outcome:
    """Renew, plan or rehearse; raises `UsageError` only."""
    this = _Run(options, thresholds, check_mode)
    try:
        this.carry_out()
    except UsageError:
        raise
    except RunbookError as error:
        this.problems.append(f"{error}. {error.remedy}".strip())
    except OSError as error:
        text = f"{error.filename or 'a file'}: {error.strerror}"
        this.problems.append(f"{text}. {explain(text).remedy}")
    problem = "; ".join(this.problems)
    return RenewalOutcome(
        this.checks(), this.actions, problem, this.results(), options.hook_file, this.hook
    )


class _Run:
    """One run, and what it has seen and done so far."""

    def __init__(self, options: Options, thresholds: Thresholds, check_mode: bool) -> None:
        self.options, self.thresholds, self.check_mode = options, thresholds, check_mode
        self.actions: list[Action] = []
        self.problems: list[str] = []
        self.lineages: Sequence[Lineage] = ()
        self.served: Sequence[Served] = ()
        self.version: tuple[int, ...] = ()
        """Of certbot, as it was when it renewed last; empty if it is not here."""
        self.renewed: list[str] = []
        self.deployed = False
        self.works = False
        self.errors: dict[str, str] = {}
        self.more: list[Check] = []
        self.hook = ("", "")
        self.reload_command = options.reload_command or nginx.usual_reload()

    def carry_out(self) -> None:
        options = self.options
        self._look()
        self._check_names()
        program = options.command[0]
        there = nginx.is_there(options.command)
        if not self.lineages:
            why = f"there is no {program}" if not there else f"{program} has no certificate"
            self.more.append(verdicts.nothing_renews(why, self.served, self.thresholds))
            return
        self.more.append(verdicts.assess_schedule(read_schedule(), self.thresholds))
        if not there:
            missing = verdicts.certbot_is_missing(program, self.lineages, self.thresholds)
            self.more.append(missing)
            return
        self.works = True
        self.version = max(one.version for one in self.lineages)
        if options.dry_run:
            self._rehearse()
        elif self.check_mode:
            self._plan()
        else:
            with self._lock():
                self._look()  # perhaps another run was waited for
                self._renew()

    def checks(self) -> list[Check]:
        """Of every certificate of certbot's, and of what is served."""
        now, found = utc_now(), []
        for lineage in self.lineages if self.works else ():
            name = lineage.name
            renewed, error = name in self.renewed, self.errors.get(name, "")
            found.append(
                verdicts.assess_lineage(lineage, self.version, renewed, error, self.thresholds, now)
            )
        for one in self.served:
            found += assess_certificate(one.seen, self.thresholds, now)
        return found + self.more

    def results(self) -> dict[str, object]:
        """What the next step may need to know."""
        return {
            "renewed": self.renewed,
            "due": [one.name for one in self._due(False)] if self.works else [],
            "not_renewed": sorted(self.errors),
        }

    def _look(self) -> None:
        """At certbot's files, and at what is served."""
        self.lineages = read_lineages(self.options.config_dir)
        self.served = watch(self.options, self.options.targets, self.lineages)

    def _check_names(self) -> None:
        known = [one.name for one in self.lineages]
        for name in self.options.names:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise UsageError(f"names: certbot has no certificate {name!r}; {has}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        folder = self.options.config_dir
        path, what = os.path.join(folder, _LOCK), f"the certificates in {folder}"
        try:
            with exclusive_lock(path, what, wait=self.options.lock_wait):
                yield
        except PermissionError as error:
            raise NotCollected.of(error, "Run this task with 'become: true'.") from None

    def _selected(self) -> list[Lineage]:
        names = self.options.names
        return [one for one in self.lineages if not names or one.name in names]

    def _due(self, force: bool) -> list[Lineage]:
        now = utc_now()
        dates = [(one, due_at(one, self.version)) for one in self._selected()]
        return [one for one, due in dates if force or (due and due <= now)]

    # --- check mode, and the dry run ----------------------------------------------------------

    def _plan(self) -> None:
        self.version = certbot.version_of(self.options.command)  # proves that it can be started
        self.actions += self._hook_plan(PLANNED)
        due = [one for one in self._due(self.options.force) if not one.problem]
        for one in due:
            self.actions.append(Action(RENEW, PLANNED, self._why(one), one.name))
        linked = {one.name: one.linked for one in self.lineages}
        names = {one.name for one in due}
        waiting = [
            one.lineage
            for one in self.served
            if one.lineage in names or is_stale(one, linked.get(one.lineage, 0))
        ]
        if waiting:
            self.actions.append(planned_reload(waiting, self.reload_command))

    def _why(self, lineage: Lineage) -> str:
        due = due_at(lineage, self.version)
        if due and due <= utc_now():
            return f"due since {due:%Y-%m-%d}"
        return "not due, but requested"

    def _rehearse(self) -> None:
        answers = {}
        for lineage in self._selected():
            more = ["--dry-run", certbot.DEPLOY_HOOKS]
            if lineage.server and _LETS_ENCRYPT not in lineage.server:
                more += ["--server", lineage.server]
            answers[lineage.name] = self._certbot("--cert-name", lineage.name, *more)
        found = verdicts.assess_rehearsal(answers, self.thresholds)
        self.more += found
        self.served = watch(self.options, self.options.targets, self.lineages)  # hooks reload
        bad = [one for one in found if one.status != "ok"]
        self.problems += [f"{one.subject}: {one.summary}. {one.remedy}" for one in bad]

    # --- a renewal ----------------------------------------------------------------------------

    def _renew(self) -> None:
        self.actions += self._hook_plan(DONE)
        before, started = self.lineages, time.monotonic()
        answers = list(self._answers())
        seconds = round(time.monotonic() - started, 3)
        self.lineages = read_lineages(self.options.config_dir)
        self._record_renewed(before, seconds)
        for answer in answers:
            self._record(answer)
        self._deploy()

    def _answers(self) -> Iterator[certbot.Answer]:
        """certbot's answers; it renews all certificates in one run, or one that is named."""
        more = ["--force-renewal"] if self.options.force else []
        if not self.options.names:
            yield self._certbot(*more)
        for name in self.options.names:
            yield self._certbot("--cert-name", name, *more)

    def _certbot(self, *arguments: str) -> certbot.Answer:
        options = self.options
        return certbot.renew(
            options.command,
            ["--config-dir", options.config_dir, *arguments],
            options.time_limit,
            options.lock_wait,
        )

    def _record(self, answer: certbot.Answer) -> None:
        if answer.error:
            why = explain(answer.error)
            remedy = why.remedy
            if answer.busy:
                remedy = "Wait until it has ended; raise lock_wait if that takes longer."
            text = f"certbot renewed nothing: {answer.error}"
            self.actions.append(Action(RENEW, FAILED, text, "certbot"))
            self.problems.append(f"{text}. {remedy}")
        hooks = {"": answer.hooks}
        for name, attempt in answer.attempts.items():
            hooks[name] = attempt.hooks
            self.deployed = self.deployed or attempt.deployed
            if attempt.error:
                self._record_error(name, attempt.error)
        for name, failures in hooks.items():
            if failures:
                text = f"certbot calls it a success, but {verdicts.failed_hooks(failures)}"
                self.actions.append(Action(RUN_HOOK, FAILED, text, name))
                self.problems.append(f"{name}: {text}. Correct the hook, then run it by hand")

    def _record_error(self, name: str, error: str) -> None:
        why = explain(error)
        kind = f"{why.kind}: " if why.kind else ""
        self.errors[name] = error
        self.actions.append(Action(RENEW, FAILED, f"{kind}{error}", name))
        self.problems.append(f"{name} was not renewed: {kind}{error}. {why.remedy}")

    def _record_renewed(self, before: Sequence[Lineage], seconds: float) -> None:
        earlier = {one.name: one for one in before}
        for lineage in self.lineages:
            old = earlier.get(lineage.name)
            if not old or not lineage.certificate or lineage.newest == old.newest:
                continue
            self.renewed.append(lineage.name)
            until = f"until {old.certificate.not_after:%Y-%m-%d}" if old.certificate else ""
            self.actions.append(
                Action(
                    RENEW,
                    DONE,
                    "certbot has renewed it",
                    lineage.name,
                    before=until,
                    after=f"until {lineage.certificate.not_after:%Y-%m-%d}",
                    seconds=seconds,
                )
            )

    def _deploy(self) -> None:
        deployment = Deployment(
            self.options,
            self.reload_command,
            self.served,
            with_files(self.served, self.lineages),
            self.lineages,
            self.actions,
            self.problems,
        )
        deployment.carry_out(self.deployed)
        self.served, self.lineages = deployment.served, deployment.lineages

    # --- the deploy hook ----------------------------------------------------------------------

    def _hook_plan(self, status: str) -> list[Action]:
        """What the hook needs; it is written unless that is only planned."""
        path, check = self.options.hook_file, self.options.check_command
        if not path or not nginx.is_there(check):
            return []
        text = nginx.hook_text(check, self.reload_command)
        found, difference = nginx.hook_difference(path, text)
        if not difference:
            return []
        self.hook = (found, text)
        if status == DONE:
            nginx.write_hook(path, text)
        shown = " ".join(self.reload_command)
        return [Action(HOOK, status, f"{difference}; it runs '{shown}'", path)]
