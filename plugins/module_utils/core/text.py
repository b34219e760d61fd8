# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for people: quantities as they are read, and texts from elsewhere without the secrets they may hold."""

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


def counted(count: int, what: str, more: str = "") -> str:
    """A count with its noun: ``1 table``, ``1,200 tables``; ``more`` is a plural that does not just end in s."""
    return f"{count:,} {what if count == 1 else more or what + 's'}"


def shorten(text: str, length: int) -> str:
    """One line of at most so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def human(value: float | None, unit: str = "") -> str:
    """A quantity as people read it: ``1.5 GiB``, ``12 ms``, ``93 %``, ``1,300,000``."""
    if value is None:
        return "–"
    if unit == "bytes":
        return _bytes(value)
    if unit == "seconds":
        return _seconds(value)
    number = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:.3g}"
    return {"percent": f"{number} %", "days": f"{number} day{'' if number == '1' else 's'}"}.get(
        unit, number
    )


def _bytes(value: float) -> str:
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return (
                f"{value:.0f} {name}" if name == "B" or abs(value) >= 100 else f"{value:.3g} {name}"
            )
        value /= 1024
    return f"{value:,.1f} TiB"


def _seconds(value: float) -> str:
    size = abs(value)
    if size < 0.001 and size > 0:
        return f"{value * 1e6:.0f} µs"
    if size < 1:
        return f"{value * 1000:.3g} ms"
    if size < 120:
        return f"{value:.3g} s"
    if size < 7200:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.0f} h" if size < 172800 else f"{value / 86400:,.0f} days"
