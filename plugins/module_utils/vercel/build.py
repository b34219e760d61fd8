# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a deployment was built, and if not, what its build log says."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.check import CRITICAL, EVIDENCE_ROWS, OK, UNKNOWN, WARNING, Check
from ..core.deadline import DeadlineExceeded
from ..core.errors import RunbookError
from ..core.text import redact, shorten
from ..core.thresholds import Thresholds
from ..core.units import format_duration
from .client import Client
from .snapshot import READY, Deployment

_FAILED = ("ERROR", "BLOCKED")
#: Lines of the log that are read, the last ones.
_LINES = 100
_LENGTH = 300
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SUSPECT = re.compile(r"\berr(or)?\b|\bfail\w*|not found|cannot|exited with", re.IGNORECASE)


def build_log(client: Client, deployment: Deployment) -> list[dict[str, Any]]:
    """The last events of the build, the oldest first."""
    events = client.get_list(
        *("v3", "deployments", deployment.id, "events"),
        builds=1,
        direction="backward",
        follow=0,
        limit=_LINES,
    )
    return sorted(
        (each for each in events if isinstance(each, dict)),
        key=lambda each: float(each.get("created") or each.get("date") or 0),
    )


def telling_lines(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last lines that look like the cause; the last of all if none do. Secrets are masked."""
    lines, suspect = [], []
    for each in events:
        payload = each.get("payload")
        text = each.get("text") or (payload.get("text") if isinstance(payload, Mapping) else "")
        line = shorten(redact(_ESCAPES.sub("", str(text or ""))), _LENGTH)
        if not line:
            continue
        lines.append(line)
        if each.get("type") in ("stderr", "fatal") or _SUSPECT.search(line):
            suspect.append(line)
    return (suspect or lines)[-EVIDENCE_ROWS:]


def build_check(client: Client, deployment: Deployment, thresholds: Thresholds) -> Check:
    """vercel.build; asks for the log only if the build failed."""
    name, subject = "vercel.build", deployment.url
    if deployment.state == READY:
        text = f"{deployment.shown} was built"
        return thresholds.verdict(name, OK, text, subject=subject)
    if deployment.state not in _FAILED:
        since = format_duration(time.time() - deployment.created)
        text = f"{deployment.shown} is {deployment.state or 'in no state'}, made {since} ago"
        status = WARNING if deployment.state else UNKNOWN
        return thresholds.verdict(name, status, text, subject=subject)
    text = f"the build of {deployment.shown} failed"
    text += f": {shorten(redact(deployment.error), _LENGTH)}" if deployment.error else ""
    rows: list[dict[str, str]] = []
    try:
        rows = [{"line": line} for line in telling_lines(build_log(client, deployment))]
    except RunbookError as problem:
        text += f"; its log cannot be read: {problem}"
    except DeadlineExceeded:
        text += "; its log could not be read in time"
    return thresholds.verdict(name, CRITICAL, text, subject=subject, evidence=tuple(rows))
