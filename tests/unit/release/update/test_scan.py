"""What Snyk says, by its exit code and its output.

A program in its place that answers as Snyk 1.658 does, which needs an account; it refuses any other
call.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.client import Npm
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.options import (
    Options as NpmOptions,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.scan import (
    ask_snyk,
    parts,
)

FOUND = [
    {"id": "S-1", "packageName": "a", "version": "1", "severity": "low"},
    {"id": "S-2", "packageName": "b", "version": "1", "severity": "high", "fixedIn": ["2"]},
    {"id": "S-2", "packageName": "b", "version": "1", "severity": "high", "fixedIn": ["2"]},
]
SLOW = "slow"


@pytest.mark.parametrize(
    ("code", "output", "status", "text"),
    [
        (0, {"ok": True, "vulnerabilities": []}, "ok", "Snyk knows no vulnerability"),
        (
            1,
            {"ok": False, "vulnerabilities": FOUND},
            "warning",
            "Snyk finds 2 vulnerabilities in the packages, the worst of severity high",
        ),
        (1, [{"vulnerabilities": FOUND[:1]}, {"vulnerabilities": []}], "warning", "1 vuln"),
        (
            2,
            {"ok": False, "error": "Authentication failed for t0psecret"},
            "unknown",
            "Snyk failed with exit code 2: Authentication failed for ***",
        ),
        (3, {"ok": False, "error": "no files"}, "unknown", "no project that it supports: no files"),
        (1, {"ok": False, "error": "no files"}, "unknown", "Snyk failed with exit code 1"),
        (0, None, "unknown", "Snyk failed with exit code 0"),
        (0, SLOW, "unknown", "Snyk was not done within 0.5 s"),
    ],
)
def test_what_snyk_says(tmp_path: Path, code: int, output: Any, status: str, text: str) -> None:
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "said").write_text("" if output is None else json.dumps(output))
    program = tmp_path / "snyk"
    program.write_text(
        f"""#!/bin/sh
        [ "$*" = "test --json" ] && [ "$SNYK_TOKEN" = t0psecret ] || exit 99
        [ -f package-lock.json ] || exit 98
        {"exec sleep 600" if output == SLOW else "cat said"}; exit {code}
        """
    )
    program.chmod(0o755)
    options = Options(
        "/srv/app",
        snyk=str(program),
        snyk_token="t0psecret",
        timeout=0.5 if output == SLOW else 60.0,
    )
    check = ask_snyk(options, str(tmp_path), Thresholds(CHECKS))
    assert (check.status, text in check.summary) == (status, True), check.summary
    assert "t0psecret" not in repr(check)


def test_a_token_without_the_program(tmp_path: Path) -> None:
    options = Options("/srv/app", snyk="/nowhere/snyk", snyk_token="t0psecret")
    check = ask_snyk(options, str(tmp_path), Thresholds(CHECKS))
    assert (check.status, check.summary) == ("unknown", "The program /nowhere/snyk is not there")


def test_a_list_of_parts_that_comes_too_late_is_left_out(tmp_path: Path) -> None:
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    assert parts(Npm(NpmOptions(str(tmp_path), str(program)), Deadline(0.2))) == ""
