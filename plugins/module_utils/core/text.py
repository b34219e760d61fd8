# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from elsewhere: without the secrets that they may hold, and cut to a length."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]*:[^\s@]*@", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"""(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key|authorization)[\w-]*)(['"]?\s*[=:]\s*['"]?)(?:(?:bearer|basic)\s+)?[^\s'",;&]+"""
)
MASK = "***"


def redact(text: str, secrets: Iterable[str | None] = ()) -> str:
    """The text without the given secrets, in whatever encoding a URL may carry them, and without credentials in any URL."""
    for secret in secrets:
        if secret:
            for form in sorted(
                {
                    secret,
                    unquote(secret),
                    quote(secret, safe=""),
                    quote(secret),
                    quote_plus(secret),
                },
                key=len,
                reverse=True,
            ):
                text = text.replace(form, MASK)
    text = _CREDENTIALS.sub(rf"\1{MASK}@", text)
    return _ASSIGNED.sub(rf"\1\2{MASK}", text)


def shorten(text: str, length: int) -> str:
    """One line of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
