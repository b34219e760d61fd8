# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions that only people can answer, and what an answer means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.text import redact, shorten

#: Values of the module's option ``moment``.
BEFORE, AFTER = "before", "after"

#: Questions of the runbook's Change Management lists that no machine can answer, by their name.
QUESTIONS: dict[str, dict[str, str]] = {
    BEFORE: {
        "code_review": "Code review completed",
        "tests": "Tests passing (unit and end to end)",
        "staging": "Tested on staging",
        "migrations": "Database migrations reviewed",
        "rollback_plan": "Rollback plan documented",
        "notified": "Stakeholders notified",
        "low_traffic": "Deployed during low-traffic hours",
    },
    AFTER: {
        "acceptance": "User acceptance testing done",
        "documented": "Changes documented",
    },
}
#: The question that the clock answers, if the hours are known.
LOW_TRAFFIC = "low_traffic"
YES, NO = "yes", "no"
_YES = frozenset((YES, "true", "y", "ok", "done"))
_NO = frozenset((NO, "false", "n"))
_LONGEST = 200


def normalized(answer: Any) -> str:
    """``yes``, ``no`` or the text of an answer; empty if it is none."""
    text = shorten(redact("" if answer is None else str(answer)), _LONGEST)
    if text.lower() in _YES:
        return YES
    return NO if text.lower() in _NO else text


def given(answers: Mapping[str, Any]) -> dict[str, str]:
    """The answers that are any, normalized."""
    texts = {str(name): normalized(answer) for name, answer in answers.items()}
    return {name: text for name, text in texts.items() if text}
