# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer of the app comes from a deployment, by the version or commit that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .snapshot import SHORTEST_COMMIT, Deployment

#: Keys of a deployment's meta that name its version: ``vercel deploy --meta version=v1.2.0``.
_VERSION_KEYS = ("version", "tag", "release")


@dataclass(frozen=True)
class Comparison:
    """An empty text if the answer is of the deployment."""

    text: str = ""
    differs: bool = False
    """Whether it is of another one; otherwise a text says why that cannot be told."""


def compare(content: Mapping[str, Any], deployment: Deployment) -> Comparison:
    commit, version = str(content.get("commit") or ""), str(content.get("version") or "")
    if not commit and not version:
        return Comparison("the answer has neither version nor commit")
    if commit and deployment.commit:
        shorter, longer = sorted((commit.lower(), deployment.commit.lower()), key=len)
        if len(shorter) >= SHORTEST_COMMIT and longer.startswith(shorter):
            return Comparison()
        text = f"it answers as commit {commit[:12]}, not {deployment.commit[:12]}"
        return Comparison(text, differs=True)
    names = {deployment.id, deployment.url, *deployment.meta.values()}
    if {commit, version, f"v{version}"} & names:
        return Comparison()
    shown = f"version {version}" if version else f"commit {commit[:12]}"
    known = next((deployment.meta[key] for key in _VERSION_KEYS if key in deployment.meta), "")
    if known:
        return Comparison(f"it answers as {shown}, not {known}", differs=True)
    return Comparison(f"it answers as {shown}; Vercel knows no version of {deployment.shown}")
