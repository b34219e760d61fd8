# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what an app says of its version is the release that is meant. Pure but for one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..core.text import shorten
from .record import Release

#: Characters of a hash that name a commit for certain.
_ENOUGH = 7


def mismatch(content: Mapping[str, Any], release: Release) -> str:
    """What is wrong with an answer of the version endpoint; empty if it names this release.

    A commit decides where both are known, as a version may be the same in two builds.
    """
    commit, version = content.get("commit"), content.get("version")
    if isinstance(commit, str) and len(commit) >= _ENOUGH and release.commit:
        said, known = commit.lower(), release.commit.lower()
        if said.startswith(known) or known.startswith(said):
            return ""
        return f"it says commit {shorten(commit[:12], 12)}, not {release.commit[:12]}"
    if isinstance(version, str) and version:
        wanted = expected_versions(release)
        if version.removeprefix("v") in wanted:
            return ""
        return f"it says version {shorten(version, 40)}, not {' or '.join(sorted(wanted))}"
    return "it names neither a version nor a commit"


def expected_versions(release: Release) -> set[str]:
    """What the app may call this release: what it was asked for as, and what its package says."""
    found = {release.version.removeprefix("v")}
    with suppress(OSError, ValueError):
        with open(os.path.join(release.path, "package.json"), encoding="utf-8") as stream:
            content = json.load(stream)
        if isinstance(content, dict) and isinstance(content.get("version"), str):
            found.add(content["version"].removeprefix("v"))
    return found - {""}
