# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text from other programs: secrets masked, and cut to a length."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

#: A user without a password too: it is often a password in the wrong place.
_CREDENTIALS = re.compile(
    r"([a-z][a-z0-9+.-]*://)(?:[^\s/@]*:[^\s@]*|[^\s/?#@'\"]+)@", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"""(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key|authorization)[\w-]*)"""
    r"""(['"]?\s*[=:]\s*['"]?)(?:(?:bearer|basic)\s+)?[^\s'",;&]+"""
)
MASK = "***"


def redact(text: str, secrets: Iterable[str | None] = ()) -> str:
    """The text with secrets masked.

    Masks the given ones, also as a URL may encode them, credentials in URLs, and values assigned
    to names such as password or token.
    """
    for secret in secrets:
        for form in _encodings(secret or ""):
            text = text.replace(form, MASK)
    text = _CREDENTIALS.sub(rf"\1{MASK}@", text)
    return _ASSIGNED.sub(rf"\1\2{MASK}", text)


def _encodings(secret: str) -> list[str]:
    """The ways to write a secret in a URL, longest first; none for an empty one."""
    forms = {secret, unquote(secret), quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return sorted(filter(None, forms), key=len, reverse=True)


def shorten(text: str, length: int) -> str:
    """The text as one line of at most ``length`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
