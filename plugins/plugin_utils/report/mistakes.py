# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-core says of an option that it cannot use, in the words of our own modules.

Those start with the name of the option and a colon.
"""

from __future__ import annotations

import re

_KINDS = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
}
_UNDEFINED = re.compile(
    r"Finalization of task args for '[^']+' failed: "
    r"Error while resolving value for '(?P<option>\w+)': (?P<what>.*)",
    re.DOTALL,
)
_WRONG_TYPE = re.compile(
    r"(?:argument|Elements value for option) '(?P<option>\w+)'"
    r"(?: found in '(?P<outer>[^']+)')? is of type \S+"
    r"(?: found in '(?P<within>[^']+)'\.)? and we were unable to convert to (?P<kind>\w+): ",
)
_NO_CHOICE = re.compile(
    r"value of (?P<option>\w+) must be one (?:or more )?of: (?P<choices>.*?)"
    r"(?:, got|\. Got no match for): (?P<given>.*?)(?: found in (?P<within>.+))?$",
    re.DOTALL,
)
_MISSING = re.compile(r"missing required arguments: (?P<option>.+) found in (?P<within>\S+)$")
_UNKNOWN = re.compile(
    r"(?:Unsupported parameters for \([\w.]+\) module: )?(?P<within>\w+)\.(?P<given>[\w.]+)\. "
    r"Supported parameters include: (?P<choices>.*)\.$"
)


def in_our_words(message: str) -> str:
    """The message with the option in front; unchanged if it is about something else."""
    if found := _UNDEFINED.match(message):
        what = re.sub(r"^('[\w.]+' is undefined)", r"the variable \1", found["what"])
        return f"{found['option']}: {what}"
    if found := _WRONG_TYPE.match(message):
        within = found["outer"] or found["within"] or ""
        return _about(
            within, found["option"], f"must be {_KINDS.get(found['kind'], found['kind'])}"
        )
    if found := _NO_CHOICE.match(message):
        what = f"{found['given']!r} is not one of {found['choices']}"
        return _about(found["within"] or "", found["option"], what)
    if found := _MISSING.match(message):
        return f"{found['within']}: {found['option']} is missing"
    if found := _UNKNOWN.match(message):
        return f"{found['within']}: there is no option {found['given']!r}; use {found['choices']}"
    return message


def _about(within: str, option: str, what: str) -> str:
    if not within:
        return f"{option}: {what}"
    outer, *inner = within.split(" -> ")
    return f"{outer}: {'.'.join([*inner, option])}: {what}"
