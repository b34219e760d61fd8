# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements as evidence, without their literals. Pure."""

from __future__ import annotations

import re

from ..core.text import redact, shorten

#: Characters of a statement that evidence shows.
LENGTH = 200

_TOKEN = re.compile(
    r"""
      (?P<comment>   --[^\n]*  |  /\*.*?(?:\*/|\Z) )
    | (?P<escaped>   \b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z) )
    | (?P<string>    (?:\b[uU]&|\b[bBxXnN])?'(?:[^']|'')*(?:'|\Z) )
    | (?P<dollars>   \$\$.*?(?:\$\$|\Z)  |  \$(?P<tag>[^\W\d]\w*)\$.*?(?:\$(?P=tag)\$|\Z) )
    | (?P<name>      "(?:[^"]|"")*(?:"|\Z) )
    | (?P<parameter> \$\d+ )
    | (?P<word>      [^\W\d][\w$]* )
    | (?P<number>    \.?\d[\w.]* )
    """,
    re.VERBOSE | re.DOTALL,
)


def without_literals(statement: str) -> str:
    """A statement with ``?`` for each string and number, without comments.

    A statement may have been truncated anywhere, and the meaning of a backslash before a quote
    depends on standard_conforming_strings; from where the end of a string is unclear, nothing is
    shown.
    """
    shown: list[str] = []
    position = 0
    for token in _TOKEN.finditer(statement):
        shown.append(statement[position : token.start()])
        position = token.end()
        kind = token.lastgroup
        if kind == "string" and "\\'" in token[0]:
            return "".join([*shown, "? …"])
        if kind in ("name", "parameter", "word"):
            shown.append(token[0])
        else:
            shown.append(" " if kind == "comment" else "?")
    return "".join([*shown, statement[position:]])


def shape(statement: str | None) -> str:
    """A statement as evidence shows it: in one line, without literals and secrets."""
    return shorten(redact(without_literals(statement or "")), LENGTH)
