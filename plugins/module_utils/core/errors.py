# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of this collection.

Library code raises them; only the outermost layer of a module turns them into its result.
"""

from __future__ import annotations


class RunbookError(Exception):
    """An error that its text explains to the operator in one sentence."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy
        """What to do about it; empty if the check's own remedy applies."""


class UsageError(RunbookError):
    """An option is wrong.

    The text starts with the option's name and a colon, then says what is wrong and how to correct
    it.
    """


class Unreachable(RunbookError):
    """The service gave no answer."""


class Refused(RunbookError):
    """The service answered, but refused."""


class NotCollected(RunbookError):
    """Something that should be readable could not be read; the text says why."""

    @classmethod
    def of(cls, error: OSError, remedy: str = "") -> NotCollected:
        """What the system says about a file."""
        return cls(f"{error.filename or 'a file'}: {error.strerror}", remedy)
