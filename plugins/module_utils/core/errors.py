# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of this collection. Library code raises them; only a module's outermost layer turns them into its result."""

from __future__ import annotations


class RunbookError(Exception):
    """Something went wrong in a way that the text explains, in a sentence for the operator."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy
        """What to do about it; empty where the check's own remedy is right."""


class UsageError(RunbookError):
    """The operator asked for something that makes no sense; the text says what and how to correct it."""


class Unreachable(RunbookError):
    """The service gave no answer."""


class Refused(RunbookError):
    """The service answered, and refused."""


class NotCollected(RunbookError):
    """Something that should be visible could not be read; the text says why."""
