# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``confirm``: the operator names what is to be changed.

What is confirmed and is something else is always an error, in check mode as well: a plan would hide
that nothing was done, and why.
"""

from __future__ import annotations

from .errors import UsageError


def require_match(given: str, what: str, *names: str) -> None:
    """Raise `UsageError` if something was confirmed that has none of the names.

    ``what`` is what the names are of: ``app``, ``database``.
    """
    if given and given not in names:
        are = f"{what} is" if len(names) == 1 else f"{what}s are"
        raise UsageError(
            f"confirm: it is '{given}', but the {are} {', '.join(names)}; nothing was changed"
        )


def require_confirmation(given: str, what: str, name: str) -> None:
    """Raise `UsageError` unless the name was confirmed."""
    if not given:
        raise UsageError(f"confirm: is missing; give {name}, the name of the {what}")
    require_match(given, what, name)
