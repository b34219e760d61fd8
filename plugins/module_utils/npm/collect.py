# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask npm about the installed packages, newer versions and known vulnerabilities."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

from ..core.deadline import Deadline
from ..core.errors import NotCollected
from .client import Npm
from .options import Options
from .snapshot import Package, Snapshot, Vulnerability

_DIRECT = ("dependencies", "optionalDependencies", "devDependencies")
_FETCHED = re.compile(r"npm http fetch GET (\d{3}) (\S+)")
#: Lowest HTTP status of an error.
_FAILED = 400
_SEVERITIES = ("info", "low", "moderate", "high", "critical")

Fact = TypeVar("Fact")


def collect(options: Options, deadline: Deadline) -> Snapshot:
    """Everything; raises `NotCollected` if there is no app, and `DeadlineExceeded`."""
    package = _json_file(options.path, "package.json")
    if package is None:
        raise NotCollected(
            f"{options.path} has no readable package.json",
            "Set the path to the folder of the app, and run this as a user who can read it.",
        )
    names = {name for kind in _DIRECT for name in package.get(kind) or {}}
    npm = Npm(options, deadline)
    node = npm.node_version()
    told: dict[str, int] = {}
    totals: dict[str, Any] = {}
    outdated = _fact(lambda: _outdated(npm, package, names, told))
    return Snapshot(
        node=node,
        problems=_fact(lambda: _problems(npm)),
        installed=not names or os.path.isdir(os.path.join(options.path, "node_modules")),
        outdated=outdated,
        unknown_packages={name: status for name, status in told.items() if status >= _FAILED},
        not_compared=tuple(sorted(names - set(told))),
        direct=len(names),
        audit=_fact(lambda: _audit(npm, options.path, totals)) if options.audit else None,
        totals=totals,
    )


def _fact(read: Callable[[], Fact]) -> Fact | NotCollected:
    try:
        return read()
    except NotCollected as error:
        return error
    except (AttributeError, KeyError, TypeError, ValueError):
        return NotCollected("npm answered in a form that is not known")


def _json_file(folder: str, name: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _problems(npm: Npm) -> tuple[str, ...]:
    try:
        answer = npm.ask("ls", "--all", "--json").content
    except NotCollected as error:
        # npm reports a tree with problems as an error, beside the tree.
        if "ELSPROBLEMS" not in str(error):
            raise
        return (str(error),)
    return tuple(str(problem) for problem in answer.get("problems") or [])


def _outdated(
    npm: Npm, package: Mapping[str, Any], names: set[str], told: dict[str, int]
) -> tuple[Package, ...]:
    """Direct dependencies with newer versions.

    npm says nothing about a package that it cannot find; ``told`` gets the status of each answer.
    """
    answer = npm.ask("outdated", "--json", "--long")
    for status, url in _FETCHED.findall(answer.log):
        path = unquote(url.split("?", 1)[0])
        known = [name for name in names if path.endswith(f"/{name}")]
        if known:
            told[max(known, key=len)] = int(status)
    development = set(package.get("devDependencies") or {})
    found = []
    for name, rows in answer.content.items():
        row = rows[0] if isinstance(rows, list) else rows
        found.append(
            Package(
                name,
                str(row.get("current") or ""),
                str(row.get("wanted") or ""),
                str(row.get("latest") or ""),
                development=name in development,
            )
        )
    return tuple(sorted(found, key=lambda one: one.name))


def _audit(npm: Npm, path: str, totals: dict[str, Any]) -> tuple[Vulnerability, ...]:
    answer = npm.ask("audit", "--json").content
    if answer.get("auditReportVersion") != 2:
        message = str(answer.get("message") or "no report")
        raise NotCollected(f"the registry did not audit the packages: {message}")
    totals.update(answer["metadata"]["vulnerabilities"])
    lock = _json_file(path, "package-lock.json") or {}
    packages = lock.get("packages") or {}
    found = [
        _vulnerability(name, row, packages)
        for name, row in answer["vulnerabilities"].items()
        if any(isinstance(via, dict) for via in row["via"])
    ]
    order = _SEVERITIES.index
    return tuple(sorted(found, key=lambda one: (-order(one.severity), one.package)))


def _vulnerability(name: str, row: Mapping[str, Any], packages: Mapping[str, Any]) -> Vulnerability:
    own = [via for via in row["via"] if isinstance(via, dict)]
    advisories = {_advisory(via): str(via.get("title") or "") for via in own}
    severities = {_advisory(via): str(via["severity"]) for via in own}
    entries = [packages.get(node) or {} for node in row.get("nodes") or []]
    development = bool(entries) and all(
        entry.get("dev") or entry.get("devOptional") for entry in entries
    )
    worst = max(severities.values(), key=_SEVERITIES.index)
    return Vulnerability(
        name, worst, advisories, severities, development, _fix(row.get("fixAvailable"))
    )


def _advisory(via: Mapping[str, Any]) -> str:
    """Its id: the end of its address at GitHub, else the number that the registry gives it."""
    url = str(via.get("url") or "")
    return url.rstrip("/").rpartition("/")[2] or str(via.get("source") or "")


def _fix(available: Any) -> str:
    if isinstance(available, dict):
        jump = ", a major update" if available.get("isSemVerMajor") else ""
        return f"{available.get('name')}@{available.get('version')}{jump}"
    return "npm audit fix" if available else ""
