# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of log messages: the same for messages that differ only in their values."""

from __future__ import annotations

import re

from ..core.text import redact, shorten

#: Maximum number of characters of a fingerprint.
LENGTH = 160

_VALUES = re.compile(
    r"(?P<time>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<quoted>(?<!\w)(?:\"[^\"]*\"|'[^']*'|`[^`]*`)(?!\w))"
    r"|(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b)"
    r"|(?P<id>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b0x[0-9a-fA-F]+\b)"
    r"|(?P<word>[\w-]{8,})"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
)
_PLACEHOLDERS = {
    "time": "<time>",
    "quoted": "'…'",
    "email": "<email>",
    "ip": "<ip>",
    "id": "<id>",
    "number": "<n>",
}
_NUMBER = re.compile(r"\d+")
_HEX = re.compile(r"[0-9a-fA-F]+$")


def fingerprint(message: str) -> str:
    """The message with placeholders for numbers, ids, addresses and quoted text.

    One line of at most `LENGTH` characters, free of secrets and personal data.
    """
    return shorten(_VALUES.sub(_placeholder, redact(message)), LENGTH)


def _placeholder(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind == "word":
        return _mask_word(match.group())
    return _PLACEHOLDERS[kind]


def _mask_word(word: str) -> str:
    """A long word: an id or a number as placeholder, anything else without its digits."""
    digits = sum(char.isdigit() for char in word)
    if digits == len(word):
        return "<n>"
    mixed_case = word not in (word.lower(), word.upper())
    is_token = len(word) >= 20 and digits > 0 and mixed_case
    is_hex = digits > 0 and _HEX.match(word)
    if digits >= 3 or is_token or is_hex:
        return "<id>"
    return _NUMBER.sub("<n>", word)
