# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of an app's variables, and which of them are empty; never their values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """How the variables of an app compare with its example file."""

    empty: tuple[str, ...]
    """Those with a value in the example and none here."""
    extra: tuple[str, ...]
    """Those in the app's own files that the example does not name."""


def compare(
    example: Mapping[str, bool], files: Mapping[str, bool], app: Mapping[str, str]
) -> Names:
    """``example`` and ``files`` say for each variable whether it has a value there."""
    set_anywhere = {name for name in (*files, *app) if files.get(name) or app.get(name)}
    present = {*files, *app} - set_anywhere
    empty = [name for name, has_value in example.items() if has_value and name in present]
    return Names(tuple(sorted(empty)), tuple(sorted(set(files) - set(example))))
