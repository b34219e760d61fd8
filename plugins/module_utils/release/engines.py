# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a version of Node.js is one of those that package.json asks for. Pure."""

from __future__ import annotations

import re

_PART = re.compile(
    r"(?P<sign>>=|<=|>|<|=|\^|~)?\s*v?(?P<numbers>\d+(?:\.(?:\d+|[xX*]))*|[xX*])(?:[-+][\w.+-]*)?"
)
Version = tuple[int, ...]


def allows(wanted: str, version: str) -> bool | None:
    """Whether a range such as ``>=20.12 || ^24`` has a version; none if not understood."""
    have = _numbers(version.lstrip("v").split("-")[0])
    if have is None:
        return None
    found = [_alternative(part.strip(), _three(have)) for part in wanted.split("||")]
    if any(found):
        return True
    return None if None in found else False


def _alternative(text: str, have: Version) -> bool | None:
    hyphen = re.fullmatch(r"(\S+)\s+-\s+(\S+)", text)
    if hyphen:
        text = f">={hyphen[1]} <={hyphen[2]}"
    rest = _PART.sub("", text)
    if rest.strip():
        return None
    return all(_fits(match["sign"] or "", match["numbers"], have) for match in _PART.finditer(text))


def _fits(sign: str, text: str, have: Version) -> bool:
    given = tuple(int(part) for part in text.split(".") if part.isdigit())
    low, beyond = _three(given), _next(given)
    if not given:
        return True
    if sign == "^":
        return low <= have < _next(given[:1] if given[0] else given[:2])
    if sign == "~":
        return low <= have < _next(given[:2])
    if sign == ">=":
        return have >= low
    if sign == ">":
        return have >= beyond
    if sign == "<":
        return have < low
    if sign == "<=":
        return have < beyond
    return low <= have < beyond


def _next(given: Version) -> Version:
    """The first version that a prefix does not cover: (20, 12) ends before (20, 13, 0)."""
    return _three((*given[:-1], given[-1] + 1)) if given else (0, 0, 0)


def _three(given: Version) -> Version:
    return (*given, 0, 0, 0)[:3]


def _numbers(text: str) -> Version | None:
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else None
