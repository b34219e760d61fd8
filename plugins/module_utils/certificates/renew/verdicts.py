# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on renewals: what is due, what failed, and whether it goes on by itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ...core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..certificate import days
from ..wording import format_days
from .certbot import Answer, HookFailure
from .explain import explain
from .lineage import Lineage, due_at
from .schedule import Schedule
from .served import Served

RENEWAL, TIMER, REHEARSAL = (
    "certificate.renewal",
    "certificate.renewal_timer",
    "certificate.rehearsal",
)
_LATE = (
    "Run playbooks/renew_certificates.yml. If that renews nothing, 'certbot renew --cert-name' and"
    " certbot's log say why; see certificate.renewal_timer for what should have done it."
)
_ENABLE = "Switch it on: 'systemctl enable --now certbot.timer'."


def nothing_renews(why: str, served: Sequence[Served], thresholds: Thresholds) -> Check:
    """The check of a host whose certificates someone else renews."""
    until = [
        f"{one.subject} serves one until {one.seen.chain[0].not_after:%Y-%m-%d}"
        for one in served
        if one.seen.chain
    ]
    reason = "; ".join([f"{why}, so nothing here renews a certificate", *until])
    return thresholds.not_judged(RENEWAL, "Certificates are renewed elsewhere, if at all", reason)


def certbot_is_missing(program: str, lineages: Sequence[Lineage], thresholds: Thresholds) -> Check:
    """The check of a host that has certbot's certificates, and no certbot."""
    names = ", ".join(one.name for one in lineages)
    text = f"'{program}' is not installed, so nothing renews {names}"
    remedy = "Install certbot, or name how it is started in command."
    return thresholds.verdict(RENEWAL, CRITICAL, text, remedy=remedy)


def assess_lineage(
    lineage: Lineage,
    certbot: tuple[int, ...],
    renewed: bool,
    error: str,
    thresholds: Thresholds,
    now: datetime,
) -> Check:
    """Whether one certificate is renewed in time."""
    if lineage.certificate is None:
        text = f"certbot cannot renew it: {lineage.problem}"
        remedy = explain("names no certificate").remedy
        return thresholds.verdict(RENEWAL, CRITICAL, text, subject=lineage.name, remedy=remedy)
    left = round(days(lineage.certificate.not_after - now), 1)
    until = f"{format_days(left)} left, until {lineage.certificate.not_after:%Y-%m-%d}"
    if left <= 0:
        until = f"expired on {lineage.certificate.not_after:%Y-%m-%d}"
    status, text, remedy, reason = _verdict(lineage, certbot, renewed, error, until, now)
    if reason:
        return thresholds.not_judged(RENEWAL, text, reason, subject=lineage.name, value=left)
    return thresholds.verdict(
        RENEWAL, status, text, subject=lineage.name, value=left, remedy=remedy
    )


def _verdict(
    lineage: Lineage,
    certbot: tuple[int, ...],
    renewed: bool,
    error: str,
    until: str,
    now: datetime,
) -> tuple[str, str, str, str]:
    """Status, summary, remedy, and why it is not judged."""
    if error:
        why = explain(error)
        kind = f"{why.kind}: " if why.kind else ""
        return CRITICAL, f"not renewed, {until}; {kind}{error}", why.remedy, ""
    if lineage.linked and lineage.linked < lineage.newest:
        text = f"{lineage.live} leads to version {lineage.linked}, though {lineage.newest} exists"
        remedy = f"If nothing is wrong with version {lineage.newest}, run certbot, which links it."
        return WARNING, f"{text}; {until}", remedy, ""
    if not lineage.automatic:
        return OK, until, "", "autorenew is off in its renewal file, so certbot never renews it"
    if renewed:
        return OK, f"renewed: {until}", "", ""
    ends = lineage.certificate.not_after if lineage.certificate else now
    if ends <= now:
        return CRITICAL, f"{until}, and not renewed", _LATE, ""
    due = due_at(lineage, certbot)
    if due is None:
        setting = f"renew_before_expiry is {lineage.renew_before!r}, which certbot alone knows"
        return OK, until, "", setting
    if now > due + (ends - due) / 2:
        return WARNING, f"due since {due:%Y-%m-%d}, and not renewed yet; {until}", _LATE, ""
    if due <= now:
        return OK, f"due since {due:%Y-%m-%d}; {until}", "", ""
    return OK, f"due on {due:%Y-%m-%d}; {until}", "", ""


def assess_schedule(schedule: Schedule, thresholds: Thresholds) -> Check:
    """Whether certbot runs by itself."""
    failed = schedule.failed
    if schedule.works:
        by = [*schedule.active_timers, *(schedule.cron if schedule.cron_runs else ())]
        text = f"certbot runs by {', '.join(by)}"
        if failed:
            text += f"; its last run failed ({failed.result or failed.active})"
            remedy = f"'journalctl -u {failed.name}' and certbot's log say why."
            return thresholds.verdict(TIMER, WARNING, text, remedy=remedy)
        if timer := schedule.ends_with_this_boot:
            text = f"{timer} runs certbot, but is not enabled: it will not after a restart"
            remedy = f"Let it start with the host: 'systemctl enable {timer}'."
            return thresholds.verdict(TIMER, WARNING, text, remedy=remedy)
        return thresholds.verdict(TIMER, OK, text)
    if schedule.timers:
        shown = ", ".join(f"{one.name} is {one.active or one.load}" for one in schedule.timers)
        remedy = f"Switch it on: 'systemctl enable --now {schedule.timers[0].name}'."
        return thresholds.verdict(TIMER, WARNING, f"Nothing runs certbot: {shown}", remedy=remedy)
    if schedule.cron:
        text = f"{schedule.cron[0]} would run certbot, but cron does not run"
        remedy = "Start it, and switch it on: 'systemctl enable --now cron'."
        return thresholds.verdict(TIMER, WARNING, text, remedy=remedy)
    if schedule.unseen:
        text = f"Whether anything runs certbot cannot be seen: {schedule.unseen[0]} is closed"
        return thresholds.verdict(TIMER, UNKNOWN, text, remedy="Run this with 'become: true'.")
    text = "Nothing runs certbot regularly: there is neither a timer nor an entry in cron"
    return thresholds.verdict(TIMER, WARNING, text, remedy=_ENABLE)


def assess_rehearsal(answers: dict[str, Answer], thresholds: Thresholds) -> list[Check]:
    """How the dry run of each certificate ended."""
    return [_rehearsed(name, answer, thresholds) for name, answer in answers.items()]


def _rehearsed(name: str, answer: Answer, thresholds: Thresholds) -> Check:
    attempt = answer.attempts.get(name)
    error = (attempt.error if attempt else "") or answer.error
    hooks = [*(attempt.hooks if attempt else ()), *answer.hooks]
    if error:
        why = explain(error)
        kind = f"{why.kind}: " if why.kind else ""
        text = f"the dry run failed: {kind}{error}"
        return thresholds.verdict(REHEARSAL, CRITICAL, text, subject=name, remedy=why.remedy)
    if hooks:
        text = f"the dry run got a certificate, but {failed_hooks(hooks)}"
        return thresholds.verdict(REHEARSAL, CRITICAL, text, subject=name)
    text = "a renewal would succeed, deploy hooks included"
    if not answer.ran_deploy_hooks:
        text = "a renewal would succeed; this certbot cannot rehearse its deploy hooks"
    return thresholds.verdict(REHEARSAL, OK, text, subject=name)


def failed_hooks(hooks: Sequence[HookFailure]) -> str:
    """``deploy-hook /etc/…/nginx failed (exit code 1): nginx: …``."""
    shown = [
        f"{one.command} failed (exit code {one.code}){f': {one.words}' if one.words else ''}"
        for one in hooks
    ]
    return f"{pluralize(len(hooks), 'hook')} failed: {'; '.join(shown)}"
