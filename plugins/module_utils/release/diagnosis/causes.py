# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a build failed, by what it wrote. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...core.text import shorten

_REFUSED = "the package registry does not answer ({0})"
_CHECK_REGISTRY = (
    "Check name resolution, proxy and firewall of the host, and the registry's status page; then"
    " deploy again. Leave node_modules of the live release as it is."
)
_UNKNOWN_REMEDY = "Read the end of its output in the evidence, fix the cause, and deploy again."


@dataclass(frozen=True)
class Cause:
    """What a build died of."""

    text: str
    """Empty if it is not recognised."""
    remedy: str
    line: str = ""
    """The line that says so."""


_NETWORK = "ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNRESET|ERR_SOCKET_TIMEOUT|EHOSTUNREACH"
#: In the order in which they are tried: a full disk explains all that follows from it.
_CAUSES = [
    (
        r"ENOSPC|[Nn]o space left on device|EDQUOT|[Dd]isk quota exceeded",
        "the disk is full",
        "Free space where releases are built, and in npm's cache: remove old releases, 'npm cache"
        " verify'. The daily checklist lists every disk with its space and inodes.",
    ),
    (
        r"JavaScript heap out of memory|Cannot allocate memory|ENOMEM",
        "it ran out of memory",
        "Build with more memory (NODE_OPTIONS=--max-old-space-size=4096 in the build command), or"
        " on another host.",
    ),
    (
        r"npm (?:error|ERR!) code EBADENGINE|npm error engine Unsupported engine",
        "the release does not support this version of Node.js or npm",
        "Install the version that 'engines' in package.json asks for, or correct 'engines'.",
    ),
    (
        r"`npm ci` (?:can only install|command can only install)",
        "package-lock.json is missing, or out of step with package.json",
        "Run 'npm install' in a checkout, and commit package-lock.json.",
    ),
    (
        rf"npm (?:error|ERR!) code ({_NETWORK})",
        _REFUSED,
        _CHECK_REGISTRY,
    ),
    (
        r"npm (?:error|ERR!) code (E401|E403|ENEEDAUTH)",
        "the package registry refuses the login ({0})",
        "Renew the token in the .npmrc of the app's user.",
    ),
    (
        r"npm (?:error|ERR!) code (E404|ETARGET|ENOVERSIONS)",
        "the package registry does not have a package or version ({0})",
        "Correct its name or version in package.json, or check the registry in .npmrc.",
    ),
    (
        r"npm (?:error|ERR!) code (E5\d\d)",
        "the package registry answers with an error ({0})",
        "See the registry's status page, and deploy again once it works.",
    ),
    (
        r"npm (?:error|ERR!) code EINTEGRITY",
        "a package is not the one that package-lock.json names",
        "Find out who changed it before you trust it; then 'npm cache verify', and run 'npm"
        " install' in a checkout.",
    ),
    (
        r"Missing script: \"([^\"]+)\"",
        "package.json has no script '{0}'",
        "Add the script to package.json, or correct the build commands (app_release_build).",
    ),
    (
        r"Cannot find module '(\.[^']*|/[^']*)'",
        "the file '{0}' is missing",
        "Commit the file, and check that .gitignore does not leave it out.",
    ),
    (
        r"Cannot find (?:module|package) '([^']+)'",
        "the package '{0}' is not installed",
        "Add it to the dependencies ('npm install NAME' in a checkout), and commit"
        " package-lock.json.",
    ),
    (
        r"(?:^|: )(?:\d+: )?([\w.-]+): (?:command )?not found",
        "the program '{0}' is not installed",
        "Add its package to the dependencies, or install it on the host.",
    ),
    (
        r"gyp ERR!",
        "a package must be compiled, and the host cannot do that",
        "Install the packages build-essential and python3 on the host.",
    ),
    (
        r"(EACCES|EPERM)\b.*",
        "the build lacks permission ({0})",
        "Let the app's user own the folder of the releases and its npm cache.",
    ),
    (
        r"(SyntaxError: [^\n]+|error TS\d+: [^\n]+|Type error: [^\n]+)",
        "the source has an error: {0}",
        "Fix the source, and deploy the new version.",
    ),
    (
        r"has not ended after",
        "it took too long",
        "Find out what it waits for, or raise build_timeout (app_release_build_timeout).",
    ),
]


def cause_of(output: str) -> Cause:
    """What a build died of; the text is empty if nothing in its output is recognised."""
    for expression, text, remedy in _CAUSES:
        match = re.search(expression, output, re.MULTILINE)
        if match:
            start = output.rfind("\n", 0, match.start()) + 1
            line = output[start:].split("\n", 1)[0]
            named = shorten(match[1], 120) if match.groups() else ""
            return Cause(text.format(named), remedy, line.strip())
    return Cause("", _UNKNOWN_REMEDY)


def last_lines(output: str, cause: Cause, count: int = 12) -> tuple[dict[str, str], ...]:
    """The end of an output as evidence, and the line that says why, if that is before it."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    shown = lines[-count:]
    if cause.line and cause.line not in [line.strip() for line in shown]:
        shown = [cause.line, "…", *shown]
    return tuple({"output": shorten(line, 200)} for line in shown)
