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
from .client import Npm, quote
from .lockfile import NAMES, entry_of, version_of
from .options import Options
from .snapshot import Package, Snapshot, Vulnerability

_DIRECT = ("dependencies", "optionalDependencies", "devDependencies")
#: Status and name of a package that npm asked for; the registry's address can have a path, too.
_FETCHED = re.compile(
    r"npm http fetch GET (\d{3}) \S+?/((?:@[^\s/]+(?:/|%2f))?[^\s/?@]+)(?:\?\S*)? "
)
#: Lowest HTTP status of an error.
_FAILED = 400
_OLD = "Use npm 7 or newer, and a registry that audits."
_SEVERITIES = ("info", "low", "moderate", "high", "critical")

Fact = TypeVar("Fact")


def collect(options: Options, deadline: Deadline) -> Snapshot:
    """Everything; raises `NotCollected` if there is no app, and `DeadlineExceeded`."""
    path = options.path
    package = _json_file(path, "package.json")
    if package is None:
        raise NotCollected(
            f"{path} has no readable package.json",
            "Set the path to the folder of the app, and run this as a user who can read it.",
        )
    ranges = {
        name: str(wanted)
        for kind in _DIRECT
        for name, wanted in dict(package.get(kind) or {}).items()
    }
    packages = os.path.join(path, "node_modules")
    development = set(package.get("devDependencies") or {}) - set(package.get("dependencies") or {})
    omitted = bool(development) and not any(
        os.path.lexists(os.path.join(packages, name)) for name in development
    )
    npm = Npm(options, deadline)
    node = npm.node_version()
    told: dict[str, int] = {}
    totals: dict[str, Any] = {}
    outdated = _fact(lambda: _outdated(npm, _lockfile(path), ranges, told))
    asked = {_asked(name, wanted): name for name, wanted in ranges.items()}
    return Snapshot(
        node=node,
        problems=_fact(lambda: _problems(npm, omitted)),
        installed=not ranges or os.path.isdir(packages),
        development_omitted=omitted,
        outdated=outdated,
        unknown_packages={name: status for name, status in told.items() if status >= _FAILED},
        not_compared=tuple(sorted(asked[name] for name in asked if name not in told)),
        direct=len({*asked, *told}),
        audit=_fact(lambda: _audit(npm, path, totals)) if options.audit else None,
        totals=totals,
    )


def _asked(name: str, wanted: str) -> str:
    """The name that npm asks the registry for: a range can name another package."""
    if not wanted.startswith("npm:"):
        return name
    other = wanted[len("npm:") :]
    return other[: other.rfind("@")] if other.rfind("@") > 0 else other


def _is_compared(wanted: str) -> bool:
    """Whether a range is one of the registry's versions, not an address or a folder."""
    return wanted.startswith("npm:") or not re.search(r"[:/]", wanted)


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


def _lockfile(folder: str) -> Mapping[str, Any]:
    return next(filter(None, (_json_file(folder, name) for name in NAMES)), {})


def _problems(npm: Npm, omitted: bool) -> tuple[str, ...]:
    """What npm finds wrong, without the packages for development if none of them is there."""
    answer = npm.ask("ls", "--all", "--json", *(["--omit=dev"] if omitted else [])).content
    return tuple(quote(str(problem)) for problem in answer.get("problems") or [])


def _outdated(
    npm: Npm, lock: Mapping[str, Any], ranges: Mapping[str, str], told: dict[str, int]
) -> tuple[Package, ...]:
    """Direct dependencies with newer versions, those of workspaces too.

    npm names the installed version only; of a package that is not installed it is the lockfile's.
    npm says nothing about a package that it cannot find; ``told`` gets the status of each answer.
    """
    answer = npm.ask("outdated", "--json", "--long")
    told.update((unquote(name), int(status)) for status, name in _FETCHED.findall(answer.log))
    if not told and any(map(_is_compared, ranges.values())):
        raise NotCollected("npm does not say which packages it compared")
    found = [
        _package(name, row, lock)
        for name, rows in answer.content.items()
        for row in (rows if isinstance(rows, list) else [rows])
    ]
    return tuple(sorted(found, key=lambda one: one.name))


def _package(name: str, row: Mapping[str, Any], lock: Mapping[str, Any]) -> Package:
    installed = str(row.get("current") or "")
    return Package(
        name,
        installed or version_of(lock, name.partition(":")[0]),  # alias:name@range
        str(row.get("wanted") or ""),
        str(row.get("latest") or ""),
        development=row.get("type") == "devDependencies",
        installed=bool(installed),
    )


def _audit(npm: Npm, path: str, totals: dict[str, Any]) -> tuple[Vulnerability, ...]:
    answer = npm.ask("audit", "--json").content
    if answer.get("auditReportVersion") != 2:
        message = quote(str(answer.get("message") or "its report has a form that is not known"))
        raise NotCollected(f"npm did not audit the packages: {message}", _OLD)
    totals.update(answer["metadata"]["vulnerabilities"])
    lock = _lockfile(path)
    found = [
        _vulnerability(name, row, lock)
        for name, row in answer["vulnerabilities"].items()
        if any(isinstance(via, dict) for via in row["via"])
    ]
    order = _SEVERITIES.index
    return tuple(sorted(found, key=lambda one: (-order(one.severity), one.package)))


def _vulnerability(name: str, row: Mapping[str, Any], lock: Mapping[str, Any]) -> Vulnerability:
    own = [via for via in row["via"] if isinstance(via, dict)]
    advisories = {_advisory(via): str(via.get("title") or "") for via in own}
    severities = {_advisory(via): str(via["severity"]) for via in own}
    entries = [entry_of(lock, node) for node in row.get("nodes") or []]
    # "devOptional" is used in production, too, where it can be installed.
    development = bool(entries) and all(entry.get("dev") for entry in entries)
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
