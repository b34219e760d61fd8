# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on an endpoint's response time. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..core.check import CRITICAL, OK, WARNING, Check
from ..core.definition import Threshold
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .options import Endpoint
from .rate_limit import EXEMPT_BRIEFLY
from .sampling import MOST, decided, lower_bound, slow_requests
from .snapshot import EndpointSnapshot, Sample

#: How much faster a request alone is if a rate limit delays those that come together.
_MUCH_FASTER = 10


def assess_response_time(
    endpoint: Endpoint, seen: EndpointSnapshot, samples: Sequence[Sample], thresholds: Thresholds
) -> Check | None:
    """The verdict on the response time; none if no request was answered as expected.

    `web.endpoint` then already says all there is to say. The first request opens the connection,
    so it does not count.
    """
    later = samples[1:]
    times = sorted(sample.seconds for sample in later if not sample.problem)
    if not times:
        if not samples or samples[0].problem:
            return None
        return _single(endpoint, seen, samples[0], thresholds)
    threshold = thresholds.of(endpoint.response_time_check, endpoint.subject)
    p95 = nearest_rank(times, 95)
    more: dict[str, Any] = {
        "subject": endpoint.subject,
        "window": f"{pluralize(len(times), 'request')} of this run",
        "evidence": [_evidence(times, len(later) - len(times), seen)],
    }
    summary = f"p95 {format_value(p95, 'seconds')} over {pluralize(len(times), 'request')}"
    if threshold.status_of(p95) != OK:
        return _doubtful(endpoint, seen, times, thresholds, more)
    summary += f", median {format_value(nearest_rank(times, 50), 'seconds')}"
    summary += _missing(len(later) - len(times), len(later), endpoint.samples, bool(seen.limited))
    if seen.limited and len(later) < endpoint.samples:
        return thresholds.not_judged(
            endpoint.response_time_check, summary, _limit_reason(seen), value=p95, **more
        )
    return thresholds.evaluate(endpoint.response_time_check, p95, summary, **more)


def _single(
    endpoint: Endpoint, seen: EndpointSnapshot, first: Sample, thresholds: Thresholds
) -> Check:
    """A page that was requested once: its time is no percentile."""
    if seen.limited:
        reason = _limit_reason(seen)
    elif endpoint.samples:
        reason = "no time was left for more requests"
    else:
        reason = "requested only once (samples: 0)"
    return thresholds.not_judged(
        endpoint.response_time_check,
        f"{format_value(first.seconds, 'seconds')} for the only request",
        reason,
        value=first.seconds,
        subject=endpoint.subject,
        window="1 request of this run",
    )


def _limit_reason(seen: EndpointSnapshot) -> str:
    """Why a rate limit left too few requests, and what to do about it."""
    status = seen.limited[-1]
    return f"a rate limit refused further requests (HTTP {status}); {EXEMPT_BRIEFLY}"


def _doubtful(
    endpoint: Endpoint,
    seen: EndpointSnapshot,
    times: Sequence[float],
    thresholds: Thresholds,
    more: dict[str, Any],
) -> Check:
    """The verdict if p95 of what was measured is beyond a limit: is it p95 of all requests?"""
    name, requests, p95 = endpoint.response_time_check, len(times), nearest_rank(times, 95)
    threshold = thresholds.of(name, endpoint.subject)
    bound = lower_bound(times)
    certain = OK if bound is None else threshold.status_of(bound)
    slow, limit = _slow(times, threshold, certain == CRITICAL)
    more["evidence"] = [{**more["evidence"][0], "slow": slow, "limit": limit}]
    text = f"{slow} of {requests} requests took longer than {format_value(limit, 'seconds')}"
    text += f", median {format_value(nearest_rank(times, 50), 'seconds')}"
    if certain != OK and _delayed(seen, times, threshold):
        alone = format_value(max(seen.alone), "seconds")
        reason = (
            f"a request alone takes {alone}, so a rate limit delays the probe; {EXEMPT_BRIEFLY}"
        )
        return thresholds.not_judged(name, text, reason, value=max(seen.alone), **more)
    if bound is not None and certain != OK:
        summary = f"p95 is at least {format_value(bound, 'seconds')} (99 % certain): {text}"
        return thresholds.evaluate(name, bound, summary, **more)
    if bound is not None and decided(slow, requests, endpoint.samples):
        summary = f"{text}; that is not enough to say that p95 is above it"
        return thresholds.evaluate(name, bound, summary, **more)
    if requests < MOST:
        reason = _limit_reason(seen) if seen.limited else "too few requests to be certain of p95"
        return thresholds.not_judged(name, text, reason, value=p95, **more)
    summary = f"p95 {format_value(p95, 'seconds')}: {text}; likely, but not certain"
    return replace(thresholds.evaluate(name, p95, summary, **more), status=WARNING)


def _delayed(seen: EndpointSnapshot, times: Sequence[float], threshold: Threshold) -> bool:
    """Whether requests were slow only because the probe sent several of them.

    An app that works on several requests at once is not many times slower than with one.
    """
    if len(seen.alone) < 2 or threshold.status_of(max(seen.alone)) != OK:
        return False
    return max(seen.alone) * _MUCH_FASTER < nearest_rank(times, 50)


def _slow(times: Sequence[float], threshold: Threshold, critical: bool) -> tuple[int, float | None]:
    """How many times are beyond the limit in question, and that limit."""
    counts = slow_requests(times, threshold)
    if critical or threshold.warning is None:
        return counts["critical"], threshold.critical
    return counts["slow"], threshold.warning


def _missing(failed: int, requests: int, wanted: int, limited: bool) -> str:
    """What is said of requests that failed or that were never sent."""
    text = ""
    if failed:
        share = format_value(100 * failed / requests, "percent")
        text += f"; {failed} of {requests} failed ({share})"
    if requests < wanted and not limited:
        text += f"; no time left for {wanted - requests} more"
    return text


def _evidence(times: Sequence[float], failed: int, seen: EndpointSnapshot) -> dict[str, Any]:
    first = seen.first
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
