# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on an endpoint's response time. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core.check import Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .options import Endpoint
from .snapshot import Answer, Sample


def assess_response_time(
    endpoint: Endpoint, first: Answer | None, samples: Sequence[Sample], thresholds: Thresholds
) -> Check | None:
    """The verdict on the response time; none if no request was answered as expected.

    `web.endpoint` then already says all there is to say. The first request opens the connection,
    so it counts only where it is the only one that was answered.
    """
    if endpoint.samples == 0 or not samples:
        return None
    later = samples[1:]
    times = sorted(sample.seconds for sample in later if not sample.problem)
    failed = len(later) - len(times)
    if times:
        requests = pluralize(len(times), "request")
        median = format_value(nearest_rank(times, 50), "seconds")
        p95 = format_value(nearest_rank(times, 95), "seconds")
        summary = f"p95 {p95} over {requests}, median {median}"
    elif not samples[0].problem:
        times, requests = [samples[0].seconds], "1 request"
        duration = format_value(times[0], "seconds")
        summary = f"{duration} for the first request, the only one that was answered"
    else:
        return None
    return thresholds.evaluate(
        endpoint.response_time_check,
        nearest_rank(times, 95),
        summary + _missing(failed, len(later), endpoint.samples),
        subject=endpoint.subject,
        window=f"{requests} of this run",
        evidence=[_evidence(times, failed, first)],
    )


def _missing(failed: int, requests: int, wanted: int) -> str:
    """What is said of requests that failed or that were never sent."""
    text = ""
    if failed:
        share = format_value(100 * failed / requests, "percent")
        text += f"; {failed} of {requests} failed ({share})"
    if requests < wanted:
        text += f"; no time left for {wanted - requests} more"
    return text


def _evidence(times: Sequence[float], failed: int, first: Answer | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "requests": len(times),
        "failed": failed,
        "fastest": round(times[0], 6),
        "p95": round(nearest_rank(times, 95), 6),
        "slowest": round(times[-1], 6),
    }
    if first is not None and not first.failure:
        row["first"] = round(first.seconds, 6)
        if first.connect_seconds is not None:
            row["opening"] = round(first.connect_seconds, 6)
    return row


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The smallest of the sorted values that at least so many percent of them do not exceed.

    Always a value that was measured.
    """
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]
