# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports the configuration, and changes it so that it survives a restart."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.check import CRITICAL, OK, PLANNED, UNKNOWN, WARNING, Action, Check
from ...core.errors import RunbookError
from ...core.operation import Outcome
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..exclusive import take_turn
from ..server import Server
from .apply import REWRITE, planned_actions, rewrite, set_all
from .collect import collect
from .options import Options
from .plan import (
    Change,
    Snapshot,
    cautions,
    changes,
    drift,
    foreign,
    not_in_file,
    refusals,
    scope,
)

CONFIG, DRIFT, PERSISTED = "redis.config", "redis.config_drift", "redis.config_persisted"
_SHOWN = 5


def run(options: Options, thresholds: Thresholds, check_mode: bool) -> Outcome:
    """Report or change; never raises because of the server."""
    server = Server(options.endpoint, options.timeout)
    outcome = Outcome(results={"persistent": None})
    try:
        if options.settings and not check_mode:
            take_turn(server, CONFIG)
        _run(server, options, thresholds, check_mode, outcome)
    except RunbookError as error:
        outcome.problem = outcome.problem or f"{error}. {error.remedy}".strip()
        check = thresholds.verdict(CONFIG, CRITICAL, str(error), remedy=error.remedy)
        outcome.checks = [each for each in outcome.checks if each.name != CONFIG] + [check]
    finally:
        server.close()
    return outcome


def _run(
    server: Server, options: Options, thresholds: Thresholds, check_mode: bool, outcome: Outcome
) -> None:
    before = collect(server)
    planned = changes(before, options)
    reasons = list(refusals(before, planned, options))
    if reasons:
        outcome.problem = f"Nothing was changed: {'; '.join(reasons)}"
        outcome.checks = [
            thresholds.verdict(CONFIG, CRITICAL, outcome.problem, value=len(planned)),
            _drift(before, thresholds),
        ]
        return
    if check_mode:
        outcome.actions = planned_actions(planned)
        outcome.checks = [_config(before, [], options, thresholds), _drift(before, thresholds)]
        if _has_to_be_written(before, planned, options):
            problem = _obstacle(before, options)
            if problem:
                outcome.checks.append(_persisted(before, problem, options, thresholds)[0])
            else:
                outcome.actions.append(
                    Action(REWRITE, PLANNED, "so that a restart keeps them", _where(before))
                )
        return
    _carry_out(server, before, planned, options, thresholds, outcome)


def _carry_out(
    server: Server,
    before: Snapshot,
    planned: list[Change],
    options: Options,
    thresholds: Thresholds,
    outcome: Outcome,
) -> None:
    if planned:
        set_all(server, planned, _sets_several(before), outcome.actions)
    problem = ""
    if _has_to_be_written(before, planned, options):
        problem = _obstacle(before, options)
        problem = problem or rewrite(server, _where(before), outcome.actions)
    after = collect(server) if outcome.actions else before
    left = changes(after, options)
    if left:
        names = ", ".join(each.name for each in left)
        outcome.problem = f"{names} did not take the value that was set"
    outcome.checks = [_config(after, left, options, thresholds), _drift(after, thresholds)]
    if options.settings and options.persist:
        check, outcome.results["persistent"] = _persisted(after, problem, options, thresholds)
        outcome.checks.append(check)


def _sets_several(snapshot: Snapshot) -> bool:
    """Whether CONFIG SET takes several settings at once."""
    major = str(snapshot.info.get("redis_version", "")).partition(".")[0]
    return major.isdigit() and int(major) >= 7


def _where(snapshot: Snapshot) -> str:
    return snapshot.file.path or "no file"


def _has_to_be_written(snapshot: Snapshot, planned: Sequence[Change], options: Options) -> bool:
    """Whether the file does not say what is wanted; if it cannot be read, whenever one changes."""
    if not options.persist or not options.settings:
        return False
    return bool(planned or not_in_file(snapshot, options) or not snapshot.file.path)


def _obstacle(snapshot: Snapshot, options: Options) -> str:
    """Why CONFIG REWRITE must not or cannot run; empty if it may."""
    if not snapshot.file.path:
        return (
            f"{snapshot.file.problem}: put the settings where it is started, such as the command "
            "line of its container, or its parameter group"
        )
    others = foreign(snapshot, options)
    if others:
        return (
            f"CONFIG REWRITE would also make permanent what others have set: {_listed(others)}; "
            "name these settings as well, or set them back to what the file says"
        )
    return ""


def _listed(found: Sequence[Change]) -> str:
    shown = [f"{each.name} '{each.before}' (file: '{each.after}')" for each in found[:_SHOWN]]
    more = len(found) - _SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _config(
    snapshot: Snapshot, left: Sequence[Change], options: Options, thresholds: Thresholds
) -> Check:
    if not options.settings:
        text = "No setting is asked for"
        return thresholds.not_judged(CONFIG, text, "settings is empty", value=0)
    concerns = list(cautions(snapshot, options))
    differ = len(changes(snapshot, options))
    text = f"{pluralize(len(options.settings), 'setting')} as asked for"
    if differ and not left:  # check mode
        text = f"{pluralize(differ, 'setting')} would be changed"
    if left:
        text = f"{len(left)} of {pluralize(len(options.settings), 'setting')} not as asked for: "
        text += ", ".join(each.name for each in left)
    text = "; ".join(each for each in (text, scope(snapshot), *concerns) if each)
    status = WARNING if left or concerns else OK
    remedy = "Choose a value that avoids this." if concerns else ""
    return thresholds.verdict(CONFIG, status, text, value=len(left), remedy=remedy)


def _drift(snapshot: Snapshot, thresholds: Thresholds) -> Check:
    file = snapshot.file
    if not file.path:
        return thresholds.not_judged(DRIFT, "There is no file to compare with", file.problem)
    if file.settings is None:
        remedy = "Run this on the server's own host, with become, so that the file can be read."
        text = f"Whether the file agrees is not known: {file.problem}"
        return thresholds.verdict(DRIFT, UNKNOWN, text, remedy=remedy)
    found = drift(snapshot)
    text = f"{file.path} agrees with what is running"
    if found:
        text = f"A restart would change {pluralize(len(found), 'setting')}: {_listed(found)}"
    rows = [{"setting": each.name, "running": each.before, "file": each.after} for each in found]
    return thresholds.evaluate(DRIFT, len(found), text, evidence=rows)


def _persisted(
    snapshot: Snapshot, problem: str, options: Options, thresholds: Thresholds
) -> tuple[Check, bool | None]:
    """Whether a restart keeps the settings; none if the file cannot be seen."""
    if problem:
        text = f"A restart loses these settings: {problem}"
        return thresholds.verdict(PERSISTED, WARNING, text), False
    if snapshot.file.settings is None:
        text = "Whether a restart keeps these settings cannot be seen from here"
        return thresholds.not_judged(PERSISTED, text, snapshot.file.problem), None
    lost = not_in_file(snapshot, options)
    if lost:
        text = f"A restart would lose {_listed([Change(e.name, e.after, e.before) for e in lost])}"
        return thresholds.verdict(PERSISTED, WARNING, text), False
    return thresholds.verdict(PERSISTED, OK, f"{snapshot.file.path} has these settings"), True
