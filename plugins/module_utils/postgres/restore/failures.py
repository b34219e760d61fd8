# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of pg_restore: which ones leave the data whole, and are reported instead. Pure.

pg_restore says what failed, but not with which SQLSTATE; `load` finds that out by running the
statement once more in a transaction that is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BLOCK = re.compile(
    r"pg_restore: error: could not execute query: (?:ERROR|FATAL):  (?P<message>.*?)\n"
    r"Command was: (?P<statement>.*?)\n*(?=\npg_restore: |\Z)",
    re.S,
)
#: Lines that say where the errors are, and how many.
_FRAMES = re.compile(
    r"^pg_restore: (?:while |from TOC entry |warning: errors ignored on restore: ).*$", re.M
)
#: What pg_restore puts at the end of a statement that it has not shown as a whole.
CUT = "..."

UNDEFINED_OBJECT = "42704"
INSUFFICIENT_PRIVILEGE = "42501"
DUPLICATE_SCHEMA = "42P06"


@dataclass(frozen=True)
class Failure:
    """A statement of the archive that the server refused."""

    statement: str
    message: str
    sqlstate: str = ""

    @property
    def is_cut(self) -> bool:
        return self.statement.endswith(CUT)

    @property
    def shown(self) -> str:
        """As the report has it: ``ALTER TABLE public.users OWNER TO app: role … not exist``."""
        statement = " ".join(self.statement.rstrip("; \n").split())
        shown = statement if len(statement) <= 120 else f"{statement[:119]}…"
        return f"{shown}: {self.message.splitlines()[0]}"


@dataclass(frozen=True)
class _Tolerated:
    """Statements that may fail with these SQLSTATEs, because no data depends on them."""

    statement: re.Pattern[str]
    sqlstates: Sequence[str]
    silent: bool = False
    """Whether there is nothing to report."""


_ACCESS = (UNDEFINED_OBJECT, INSUFFICIENT_PRIVILEGE)
_TOLERATED = (
    _Tolerated(re.compile(r"ALTER .* OWNER TO ", re.S), _ACCESS),
    _Tolerated(re.compile(r"(GRANT|REVOKE) "), _ACCESS),
    _Tolerated(re.compile(r"ALTER DEFAULT PRIVILEGES "), _ACCESS),
    _Tolerated(re.compile(r"SET SESSION AUTHORIZATION "), _ACCESS),
    _Tolerated(re.compile(r"COMMENT ON EXTENSION "), (INSUFFICIENT_PRIVILEGE,), silent=True),
    # A parameter that a newer program sets and an older server does not have.
    _Tolerated(re.compile(r"SET \w+ = "), (UNDEFINED_OBJECT,), silent=True),
    _Tolerated(re.compile(r"CREATE SCHEMA public;"), (DUPLICATE_SCHEMA,), silent=True),
)


def parse_errors(text: str) -> tuple[list[Failure], str]:
    """The refused statements in pg_restore's error output, and what else it says."""
    failures = [
        Failure(found["statement"].strip(), found["message"].strip())
        for found in _BLOCK.finditer(text)
    ]
    rest = _FRAMES.sub("", _BLOCK.sub("", text))
    return failures, "\n".join(line for line in rest.splitlines() if line.strip())


def parse_cut_errors(text: str, half: int) -> list[Failure]:
    """The refused statements in an error output of which the middle was dropped.

    ``half`` is the number of bytes before it; the statement that was cut there is left out.
    """
    data = text.encode()
    before, _rest = parse_errors(data[:half].decode(errors="replace"))
    after, _rest = parse_errors(data[half:].decode(errors="replace"))
    return before[:-1] + after


def is_tolerated(failure: Failure) -> bool:
    """Whether the data is whole without the statement."""
    return _rule(failure) is not None


def is_reported(failure: Failure) -> bool:
    """Whether something is missing after all, such as an owner or a grant."""
    rule = _rule(failure)
    return rule is None or not rule.silent


def _rule(failure: Failure) -> _Tolerated | None:
    if failure.is_cut:
        return None
    return next(
        (
            rule
            for rule in _TOLERATED
            if rule.statement.match(failure.statement) and failure.sqlstate in rule.sqlstates
        ),
        None,
    )
