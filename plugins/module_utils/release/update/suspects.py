# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package of an update makes a command fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable


def narrow(
    packages: Sequence[str], breaks: Callable[[Sequence[str]], bool], in_time: Callable[[], bool]
) -> tuple[str, ...]:
    """The packages that are enough to make it fail, halved as long as there is time.

    ``breaks`` says whether an update of just these packages fails. Empty if no part of the update
    fails by itself, so that it is their combination, or if there was no time for a first half.
    """
    suspects, proven = tuple(packages), True
    while len(suspects) > 1 and in_time():
        half, rest = suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]
        if breaks(half):
            suspects, proven = half, True
        else:
            suspects, proven = rest, False
    if len(suspects) == len(packages) > 1:
        return ()
    return suspects if proven or (in_time() and breaks(suspects)) else ()
