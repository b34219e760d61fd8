# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tools say about the updated packages: npm's list of parts, and Snyk."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from ...core.check import OK, UNKNOWN, WARNING, Check
from ...core.deadline import Deadline, DeadlineExceeded
from ...core.errors import NotCollected
from ...core.processes import Command, Ended, run_pipeline, time_limit
from ...core.text import redact, shorten
from ...core.thresholds import Thresholds
from ...core.units import format_duration, pluralize
from ...npm.client import Npm
from .options import Options

SNYK = "npm.snyk"
_SEVERITIES = ("low", "medium", "high", "critical")
_INSTALL = "Install it there at a fixed version, or set snyk to its path; or give no token."
_TRY = "Run 'snyk test -d' in a checkout; check the token, and the way to Snyk's servers."
#: Exit codes of ``snyk test``.
_CLEAN, _FOUND, _NO_PROJECT = 0, 1, 3


def parts(npm: Npm) -> str:
    """The parts of the app in the format CycloneDX; empty if this npm does not make that."""
    try:
        content = npm.ask("sbom", "--sbom-format=cyclonedx", "--package-lock-only").content
    except (NotCollected, DeadlineExceeded):  # the update is proven without it
        return ""
    return json.dumps(content, indent=2) + "\n" if content.get("bomFormat") else ""


def ask_snyk(options: Options, folder: str, thresholds: Thresholds) -> Check:
    """``npm.snyk``; the token reaches the program in its environment only."""
    subject = options.path
    program = shutil.which(options.snyk, path=options.surroundings().get("PATH"))
    if not program:
        text = f"The program {options.snyk} is not there"
        return thresholds.verdict(SNYK, UNKNOWN, text, subject=subject, remedy=_INSTALL)
    try:
        ended, output = _run(program, options, folder)
    except DeadlineExceeded:
        text = f"Snyk was not done within {format_duration(options.timeout)}"
        return thresholds.verdict(SNYK, UNKNOWN, text, subject=subject, remedy=_TRY)
    try:
        content = json.loads(output)
    except ValueError:
        content = None
    results = [one for one in (content if isinstance(content, list) else [content]) if one]
    if ended.code not in (_CLEAN, _FOUND) or not results or any("error" in one for one in results):
        return _no_answer(options, ended, results, thresholds)
    rows = _rows(results)
    if ended.code == _CLEAN:
        text = "Snyk knows no vulnerability of the packages"
        return thresholds.verdict(SNYK, OK, text, subject=subject, value=0)
    worst = rows[0]["severity"] if rows else "unknown"
    text = f"Snyk finds {pluralize(len(rows), 'vulnerability', 'vulnerabilities')} in the packages"
    return thresholds.verdict(
        SNYK,
        WARNING,
        f"{text}, the worst of severity {worst}",
        subject=subject,
        value=len(rows),
        evidence=tuple(rows),
    )


def _run(program: str, options: Options, folder: str) -> tuple[Ended, str]:
    surroundings = {**options.surroundings(), "SNYK_TOKEN": options.snyk_token}
    with tempfile.TemporaryFile() as sink:
        (ended,) = run_pipeline(
            [Command(["env", "-C", folder, program, "test", "--json"], surroundings)],
            sink=sink,
            watch=time_limit(Deadline(options.timeout).remaining()),
        )
        sink.seek(0)
        return ended, sink.read().decode(errors="replace")


def _no_answer(options: Options, ended: Ended, results: list[Any], thresholds: Thresholds) -> Check:
    said = next((str(one["error"]) for one in results if "error" in one), ended.errors)
    said = shorten(redact(said, options.secrets), 200)
    if ended.code == _NO_PROJECT:
        text = "Snyk finds no project that it supports"
    else:
        text = f"Snyk failed with {ended.how}"
    text = f"{text}: {said}" if said else text
    return thresholds.verdict(SNYK, UNKNOWN, text, subject=options.path, remedy=_TRY)


def _rows(results: list[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The vulnerabilities, the worst first, each once."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for result in results:
        for one in result.get("vulnerabilities") or []:
            package, identity = str(one.get("packageName")), str(one.get("id"))
            found[package, identity] = {
                "package": package,
                "version": str(one.get("version") or ""),
                "severity": str(one.get("severity") or ""),
                "id": identity,
                "title": shorten(str(one.get("title") or ""), 100),
                "fixed in": ", ".join(map(str, one.get("fixedIn") or [])) or "nothing yet",
            }

    def rank(row: Mapping[str, str]) -> int:
        severity = row["severity"]
        return -_SEVERITIES.index(severity) if severity in _SEVERITIES else 1

    return sorted(found.values(), key=rank)
