# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an update ended, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..diagnosis.causes import cause_of
from .packages import Change, summary
from .trial import Failure

_SHOWN = 3


def offered(changes: Sequence[Change], where: str, *, tested: bool, again: bool) -> str:
    """``The app works with 2 packages: …; offered as /…/x.patch``."""
    how = "was offered before as" if again else "is offered as"
    if tested:
        return f"The app works with the update of {summary(changes)}; it {how} {where}"
    return (
        f"The update of {summary(changes)} {how} {where}, but nothing has tested it: package.json "
        "has no script 'test'"
    )


def proven(*, tested: bool) -> str:
    """Why an update is offered."""
    return "the app works with them" if tested else "installed in a copy; nothing has tested it"


def remedy_of(*, tested: bool) -> str:
    """What to do about an offer."""
    return "" if tested else "Name the commands that test the app (app_update_commands)."


def failed(failure: Failure, changes: Sequence[Change]) -> tuple[str, str]:
    """Why nothing is offered, and what to do."""
    why = cause_of(failure.output).text
    what = f"'{failure.command}' fails" + (f" ({why})" if why else "")
    if failure.surroundings:
        text = f"Nothing was offered: {what} because of the host or the registry, not the update"
        return text, "Read the end of its output in the evidence, and run this again."
    if failure.also_without:
        text = f"Nothing was offered: {what} without the update as well"
        return text, (
            "Make the app's tests pass first. They run in a copy without the live app's variables "
            "(app_update_environment) and without files that git does not have."
        )
    text = f"Nothing was offered: {what} with the update of {summary(changes)}"
    if failure.also_without is False:
        text += "; it works without"
    if not failure.suspects:
        return (
            text,
            "Read the end of its output in the evidence, and fix the app or the test.",
        )
    steps = {
        change.package: f"{change.package} {change.before} → {change.after}" for change in changes
    }
    names = [steps.get(name, name) for name in failure.suspects[:_SHOWN]]
    more = len(failure.suspects) - _SHOWN
    listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    one_by_one = "breaks" if len(failure.suspects) == 1 else "break"
    text += f"; {listed} {one_by_one} it"
    return text, (
        f"Fix the app for {', '.join(failure.suspects[:_SHOWN])}; or leave it as it is "
        "(app_update_exclude), to get the other updates."
    )
