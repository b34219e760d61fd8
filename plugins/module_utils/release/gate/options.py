# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks deployment_gate for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...core.errors import UsageError
from ...core.hours import Hours
from ...core.options import checked_seconds
from ..options import DEPLOYED, LISTED, VERCEL
from ..options import Options as ReleaseOptions
from .questions import AFTER, BEFORE, LOW_TRAFFIC, QUESTIONS, given


@dataclass(frozen=True)
class Options:
    """The options of deployment_gate, validated."""

    release: ReleaseOptions
    moment: str = BEFORE
    questions: Mapping[str, str] = field(default_factory=lambda: QUESTIONS[BEFORE])
    """What must be answered, by name."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """``yes``, ``no`` or a text, by question; only those that were given."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Commands that answer a question: yes if they end with exit code 0."""
    hours: tuple[Hours, ...] = ()
    valid_for: float = 24.0
    """Hours for which an answer counts."""
    command_timeout: float = 600.0

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        release = ReleaseOptions.from_params({**params, "state": LISTED})
        if release.backend == VERCEL:
            raise UsageError(
                "backend: answers are kept beside the releases on a host, and Vercel has none;"
                " deploy without require_gate"
            )
        if release.version:
            release = replace(release, state=DEPLOYED)
        moment = params["moment"]
        questions = {str(name): str(text) for name, text in params["questions"].items()}
        options = cls(
            release,
            moment,
            questions or QUESTIONS[moment],
            given(params["answers"]),
            {str(name): str(command) for name, command in params["commands"].items() if command},
            tuple(Hours.parse("hours", text) for text in params["hours"])
            if moment == BEFORE
            else (),
            params["valid_for"],
            checked_seconds("command_timeout", params["command_timeout"], 14400),
        )
        _require_known(options)
        if options.answers and not release.owner:
            raise UsageError("owner: an answer is recorded with the name of who gave it")
        if options.valid_for <= 0:
            raise UsageError("valid_for: must be a number of hours above 0")
        return options

    @property
    def asked(self) -> dict[str, str]:
        """The questions for people; the clock answers that for the hours, if they are known."""
        clock = {LOW_TRAFFIC} if self.hours else set()
        return {name: text for name, text in self.questions.items() if name not in clock}


def _require_known(options: Options) -> None:
    """A mistyped name must not leave a question open without a word."""
    known = {*options.questions, *QUESTIONS[BEFORE], *QUESTIONS[AFTER]}
    for option in ("answers", "commands"):
        strange = sorted(set(getattr(options, option)) - known)
        if strange:
            names = ", ".join(options.questions)
            raise UsageError(f"{option}: there is no question '{strange[0]}', only {names}")
