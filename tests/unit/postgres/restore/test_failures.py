"""Errors of pg_restore: which ones leave the data whole."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.failures import (
    Failure,
    is_reported,
    is_tolerated,
    parse_cut_errors,
    parse_errors,
)

OUTPUT = """pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3; 1255 16390 FUNCTION f() gone
pg_restore: error: could not execute query: ERROR:  role "gone" does not exist
Command was: ALTER FUNCTION public.f() OWNER TO gone;

pg_restore: error: could not execute query: ERROR:  relation "b" already exists
Command was: CREATE TABLE public.b (
    x integer
);


pg_restore: warning: errors ignored on restore: 2"""


def test_each_statement_is_found() -> None:
    failures, rest = parse_errors(OUTPUT)
    assert [each.statement for each in failures] == [
        "ALTER FUNCTION public.f() OWNER TO gone;",
        "CREATE TABLE public.b (\n    x integer\n);",
    ]
    assert failures[1].message == 'relation "b" already exists'
    assert failures[0].shown == (
        'ALTER FUNCTION public.f() OWNER TO gone: role "gone" does not exist'
    )
    assert rest == ""


def test_what_is_no_refused_statement_is_kept() -> None:
    _failures, rest = parse_errors("pg_restore: error: could not read from input file\n" + OUTPUT)
    assert rest == "pg_restore: error: could not read from input file"


@pytest.mark.parametrize(
    ("statement", "sqlstate", "tolerated", "reported"),
    [
        ("ALTER TABLE public.a OWNER TO gone;", "42704", True, True),
        ("ALTER TABLE public.a OWNER TO gone;", "42P01", False, True),
        ("ALTER TABLE public.a OWNER TO gone;", "", False, True),
        ("GRANT SELECT ON TABLE public.b TO gone;", "42704", True, True),
        ("REVOKE ALL ON SCHEMA public FROM app;", "42501", True, True),
        ("COMMENT ON EXTENSION pgcrypto IS 'x';", "42501", True, False),
        ("COMMENT ON TABLE t IS 'x';", "42501", False, True),
        ("SET transaction_timeout = 0;", "42704", True, False),
        ("CREATE SCHEMA public;", "42P06", True, False),
        ("CREATE SCHEMA private;", "42P06", False, True),
        ("CREATE POLICY p ON t TO gone;", "42704", False, True),
        ("CREATE TABLE t (x gone);", "42704", False, True),
        ("ALTER TABLE t OWNER TO a;" + "x" * 900 + "...", "42704", False, True),
    ],
)
def test_an_error_is_judged_by_statement_and_sqlstate(
    statement: str, sqlstate: str, tolerated: bool, reported: bool
) -> None:
    failure = replace(Failure(statement, "words in any language"), sqlstate=sqlstate)
    assert is_tolerated(failure) is tolerated
    assert is_reported(failure) is reported


def test_the_statement_that_was_cut_is_left_out() -> None:
    one = (
        'pg_restore: error: could not execute query: ERROR:  role "gone" does not exist\n'
        "Command was: ALTER TABLE public.t{} OWNER TO gone;\n\n"
    )
    text = "".join(one.format(number) for number in range(100))
    half = 2000
    cut = text[:half] + text[-half:]
    assert (
        any("pg_restore" in each.statement or each.is_cut for each in parse_errors(cut)[0])
        or (parse_errors(cut)[1])
    ), "it is not the plain case"
    found = parse_cut_errors(cut, half)
    assert len(found) > 20
    statement = re.compile(r"ALTER TABLE public\.t\d+ OWNER TO gone;")
    assert [each for each in found if not statement.fullmatch(each.statement)] == []
