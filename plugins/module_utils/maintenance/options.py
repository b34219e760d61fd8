# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks maintenance_run for, and what is known on the controller."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from ..core.errors import UsageError
from ..core.hours import Hours
from ..core.options import checked_seconds, none_chosen
from .record import Controller

BEGUN, PART, FAILED, ENDED, FINISHED = "begun", "part", "failed", "ended", "finished"
PART_ENDED = "part_ended"
STATES = (BEGUN, PART, FAILED, PART_ENDED, ENDED, FINISHED)

DEPENDENCIES, DATABASE, LOGS, CERTIFICATES = "dependencies", "database", "logs", "certificates"
#: All parts, in the order in which they are done.
PARTS = (DEPENDENCIES, DATABASE, LOGS, CERTIFICATES)
#: Maximum seconds of each part, unless the option ``limits`` says otherwise.
LIMITS = {DEPENDENCIES: 1800.0, DATABASE: 3600.0, LOGS: 900.0, CERTIFICATES: 900.0}
LONGEST = 604800


@dataclass(frozen=True)
class Finding:
    """A health check that is critical, on any host."""

    host: str
    name: str
    subject: str
    summary: str

    @property
    def key(self) -> str:
        """How the option ``despite`` names it."""
        return f"{self.name} {self.subject}".rstrip()

    @property
    def text(self) -> str:
        return f"{self.key} on {self.host}: {self.summary}"


#: Name, subject and status of a health check.
Health = tuple[str, str, str]


@dataclass(frozen=True)
class Observed:
    """What the action plugin knows on the controller."""

    host: str = ""
    """This host's name in the inventory."""
    run: str = ""
    """The run that has begun; empty before."""
    dead: str = ""
    """A run of this controller whose process does not exist any more."""
    critical: tuple[Finding, ...] = ()
    """The health checks that are critical, of all hosts."""
    alone: bool = False
    """Whether the play has no other host, for whose parts the first one of this host would wait."""
    declined: tuple[str, ...] = ()
    """The hosts on which the run could not begin."""
    health: tuple[Health, ...] = ()
    """The health checks of this host as they are now."""
    before: tuple[Health, ...] = ()
    """The same before the maintenance."""
    problems: tuple[str, ...] = ()
    """Why steps of the part that has just ended failed."""
    doubts: tuple[tuple[str, str], ...] = ()
    """Status and text of the checks of that part which are critical or unknown, worst first."""
    changed: bool = False
    """Whether that part changed anything."""
    ran: bool = True
    """Whether any step of it did something at all."""
    checked: bool = True
    """Whether ``health`` was checked after the parts; it is not if none changed anything."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Observed:
        given = {key: value for key, value in values.items() if value is not None}
        given["critical"] = tuple(Finding(**each) for each in given.get("critical", ()))
        for name in ("health", "before"):
            given[name] = tuple((str(a), str(b), str(c)) for a, b, c in given.get(name, ()))
        given["doubts"] = tuple((str(a), str(b)) for a, b in given.get("doubts", ()))
        for name in ("declined", "problems"):
            given[name] = tuple(given.get(name, ()))
        return cls(**given)


@dataclass(frozen=True)
class Options:
    """The options of maintenance_run, validated."""

    state: str
    parts: tuple[str, ...] = PARTS
    """Those to be done, as far as the host has them."""
    part: str = ""
    reason: str = ""
    read_only: frozenset[str] = frozenset()
    """Parts that change nothing, which nothing but the window stops."""
    window: tuple[Hours, ...] = ()
    limits: Mapping[str, float] = field(default_factory=lambda: LIMITS)
    despite: frozenset[str] = frozenset()
    """Checks that stop nothing: ``backup.age``, or ``host.disk_used /backup``."""
    resume_within: float = 24.0
    """Hours since a killed run began for which the next one goes on with it."""
    take_over: str = ""
    """A run that is known to be dead."""
    locks: tuple[str, ...] = ()
    state_dir: str = ""
    observed: Observed = field(default_factory=Observed)
    controller: Controller = field(default_factory=Controller)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        state = params["state"]
        if state == PART and not params["part"]:
            raise UsageError("part: which part begins")
        if not params["parts"]:
            raise UsageError(none_chosen("parts", PARTS))
        if params["resume_within"] < 0:
            raise UsageError("resume_within: must be a number of hours, and not below 0")
        known = {each.name for each in fields(Controller)}
        given = {key: value for key, value in params["controller"].items() if key in known}
        return cls(
            state=state,
            parts=tuple(
                part for part in PARTS if part in params["parts"] and part in params["host_parts"]
            ),
            part=params["part"] or "",
            reason=params["reason"],
            read_only=frozenset(params["read_only"]),
            window=tuple(Hours.parse("window", text) for text in params["window"]),
            limits={**LIMITS, **_limits(params["limits"])},
            despite=frozenset(params["despite"]),
            resume_within=params["resume_within"],
            take_over=params["take_over"],
            locks=tuple(params["locks"]),
            state_dir=params["state_dir"] or "",
            observed=Observed.of(params["observed"]),
            controller=Controller(**given),
        )


def unknown_part(option: str, names: Iterable[object]) -> str:
    """What is wrong with names of parts; empty if nothing is."""
    for name in names:
        if name not in PARTS:
            close = get_close_matches(str(name), PARTS, n=1, cutoff=0.5)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            return f"{option}: there is no part '{name}', only {', '.join(PARTS)}{hint}"
    return ""


def _limits(given: Mapping[str, Any]) -> dict[str, float]:
    limits = {}
    for part, seconds in given.items():
        wrong = unknown_part("limits", [part])
        if wrong:
            raise UsageError(wrong)
        try:
            number = float(seconds)
        except (TypeError, ValueError):
            raise UsageError(f"limits: {seconds!r} for {part} is not a number of seconds") from None
        limits[part] = checked_seconds("limits", number, LONGEST)
    return limits
