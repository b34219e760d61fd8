"""What builds die of, by the output of real programs."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.causes import (
    cause_of,
    last_lines,
)

NPM = "npm error code"


@pytest.mark.parametrize(
    ("output", "text", "remedy"),
    [
        (
            "npm warn tar ENOSPC: no space left on device, write\n" + NPM + " ENOENT",
            "the disk is full",
            "Free",
        ),
        (
            f"{NPM} ECONNREFUSED\nnpm error syscall connect",
            "does not answer (ECONNREFUSED)",
            "proxy",
        ),
        ("npm ERR! code ENOTFOUND", "does not answer (ENOTFOUND)", "name resolution"),
        (f"{NPM} E401\nnpm error Unable to authenticate", "refuses the login (E401)", "token"),
        (f"{NPM} E404\nnpm error 404 Not Found", "does not have a package or version", "Correct"),
        (f"{NPM} E503", "answers with an error (E503)", "status page"),
        (
            f"{NPM} EBADENGINE\nnpm error engine Unsupported engine",
            "does not support this",
            "engines",
        ),
        (
            f"{NPM} EUSAGE\nnpm error `npm ci` can only install packages when your package.json and"
            " package-lock.json or npm-shrinkwrap.json are in sync.",
            "out of step with package.json",
            "commit package-lock.json",
        ),
        (
            f"{NPM} EUSAGE\nnpm error The `npm ci` command can only install with an existing"
            " package-lock.json or\nnpm error npm-shrinkwrap.json with lockfileVersion >= 1.",
            "is missing, or out of step",
            "npm install",
        ),
        ('npm error Missing script: "build"', "has no script 'build'", "app_release_build"),
        ("Error: Cannot find module './src/x'", "the file './src/x' is missing", ".gitignore"),
        (
            "Error: Cannot find module 'left-pad'",
            "package 'left-pad' is not installed",
            "npm install",
        ),
        (
            "Cannot find package 'pg' imported from /x",
            "package 'pg' is not installed",
            "npm install",
        ),
        ("sh: 1: next: not found", "the program 'next' is not installed", "dependencies"),
        (
            "bash: line 1: tsc: command not found",
            "the program 'tsc' is not installed",
            "dependencies",
        ),
        ("FATAL ERROR: JavaScript heap out of memory", "ran out of memory", "max-old-space-size"),
        ("npm error gyp ERR! stack Error: not found: make", "must be compiled", "build-essential"),
        (
            "SyntaxError: Unexpected token '}'",
            "an error: SyntaxError: Unexpected",
            "Fix the source",
        ),
        ("src/a.ts(1,1): error TS2322: Type", "the source has an error: error TS2322", "Fix"),
        ("'npm ci' has not ended after 30 min", "it took too long", "build_timeout"),
        ("the moon is gone", "", "Read the end of its output"),
    ],
)
def test_a_cause_is_recognised(output: str, text: str, remedy: str) -> None:
    cause = cause_of(output)
    assert text in cause.text
    assert remedy in cause.remedy
    assert bool(cause.text) == bool(text)


def test_the_line_that_says_why_is_shown_though_much_follows() -> None:
    output = "\n".join([f"{NPM} E401", *(f"at {number}" for number in range(50))])
    rows = last_lines(output, cause_of(output), 3)
    assert [row["output"] for row in rows] == [f"{NPM} E401", "…", "at 47", "at 48", "at 49"]
    assert last_lines("a\n\nb", cause_of("a")) == ({"output": "a"}, {"output": "b"})
