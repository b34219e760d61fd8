# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on each endpoint. Pure: what was seen comes from `collect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ..core.check import CRITICAL, OK, STATUSES, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from ..net.url import host_port
from .options import Endpoint, Options
from .rate_limit import EXEMPT
from .response_time import assess_response_time
from .snapshot import Answer, EndpointSnapshot, Sample, Snapshot

_CACHE_REMEDY = (
    "Keep this URL out of the cache: let the app send 'Cache-Control: no-store', or except the URL"
    " in the CDN or in nginx (proxy_no_cache, proxy_cache_bypass); or ask the server itself with"
    " address."
)


def assess(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Iterator[Check]:
    """The checks of all endpoints: one of its answers, one of its response time."""
    for endpoint, seen in zip(options.endpoints, snapshot.endpoints):
        samples = _conclusive_samples(endpoint, seen, thresholds)
        if not samples:
            yield _not_requested(endpoint, thresholds, snapshot.seconds)
            continue
        yield _assess_cache(endpoint, seen, thresholds) or _assess_answers(
            endpoint, seen, samples, thresholds
        )
        response_time = assess_response_time(endpoint, seen, samples, thresholds)
        if response_time:
            yield response_time


def no_answer(timeout: float, thresholds: Thresholds) -> Check:
    """The check that says that the probe ran out of time altogether."""
    summary = f"the probe got no answer within {timeout:g} s; raise timeout"
    return thresholds.verdict("web.endpoint", UNKNOWN, summary)


def _conclusive_samples(
    endpoint: Endpoint, seen: EndpointSnapshot, thresholds: Thresholds
) -> list[Sample]:
    """The samples that prove something.

    A request without an answer when the probe ran out of time counts as failed only where it had
    waited for longer than the critical response time.
    """
    limit = thresholds.of(endpoint.response_time_check, endpoint.subject).critical or 1.0
    samples = []
    for sample in seen.samples:
        if not sample.pending:
            samples.append(sample)
        elif sample.seconds > limit:
            waited = format_value(sample.seconds, "seconds")
            problem = f"no answer within {waited}, when the probe ran out of time"
            samples.append(Sample(sample.seconds, problem))
    return samples


def _not_requested(endpoint: Endpoint, thresholds: Thresholds, seconds: float) -> Check:
    budget = format_value(seconds, "seconds")
    return thresholds.verdict(
        "web.endpoint",
        UNKNOWN,
        f"not requested: the other endpoints used up all of the probe's {budget}",
        subject=endpoint.subject,
        evidence=[{"url": endpoint.url.shown}],
        remedy="Check the slow endpoints; raise timeout, or lower samples or request_timeout.",
    )


def _assess_cache(
    endpoint: Endpoint, seen: EndpointSnapshot, thresholds: Thresholds
) -> Check | None:
    """The verdict if a cache answered and the app does not, or may not; none otherwise."""
    if not seen.cached:
        return None
    evidence = [{**_request_evidence(endpoint, seen.first), "cache": seen.cached}]
    failed = seen.uncached if seen.uncached and seen.uncached.problem else None
    if failed:
        evidence += [{"past the cache": failed.problem, "answer": failed.excerpt}]
        text = f"a cache answers ({seen.cached}), the app does not: {failed.problem}"
        status, remedy = CRITICAL, failed.remedy
    elif seen.still_cached and endpoint.kind == "api":
        text = f"a cache answers ({seen.cached}): that says nothing about the app now"
        status, remedy = UNKNOWN, _CACHE_REMEDY
    else:
        return None
    return thresholds.verdict(
        "web.endpoint",
        status,
        text,
        subject=endpoint.subject,
        evidence=evidence,
        remedy=remedy,
    )


def _assess_answers(
    endpoint: Endpoint, seen: EndpointSnapshot, samples: Sequence[Sample], thresholds: Thresholds
) -> Check:
    first = seen.first
    problems = Counter(sample.problem for sample in samples if sample.problem)
    evidence = [_request_evidence(endpoint, first), *_problem_evidence(problems, samples)]
    if seen.limited:
        refused = {"refused by a rate limit": len(seen.limited), "status": seen.limited[-1]}
        evidence.append({**refused, "to exempt the probe": EXEMPT})
    if not problems:
        return thresholds.verdict(
            "web.endpoint",
            OK,
            _ok_summary(endpoint, seen, len(samples)),
            subject=endpoint.subject,
            evidence=evidence,
        )
    commonest = problems.most_common(1)[0][0]
    failed = sum(problems.values())
    status = CRITICAL if failed * 2 >= len(samples) else WARNING
    levels = {sample.level for sample in samples if sample.problem}
    if "" not in levels:
        status = max(levels, key=STATUSES.index)
    return thresholds.verdict(
        "web.endpoint",
        status,
        commonest + _other_problems(len(problems) - 1) + _share(failed, len(samples)),
        subject=endpoint.subject,
        evidence=evidence,
        remedy=_sample_with(commonest, samples).remedy,
    )


def _problem_evidence(problems: Counter[str], samples: Sequence[Sample]) -> list[dict[str, Any]]:
    rows = []
    for problem, count in problems.most_common(5):
        row: dict[str, Any] = {"problem": problem, "requests": count}
        excerpt = _sample_with(problem, samples).excerpt
        if excerpt:
            row["answer"] = excerpt
        rows.append(row)
    return rows


def _sample_with(problem: str, samples: Sequence[Sample]) -> Sample:
    return next(sample for sample in samples if sample.problem == problem)


def _other_problems(count: int) -> str:
    if count == 0:
        return ""
    return " (and one other problem)" if count == 1 else f" (and {count} other problems)"


def _share(failed: int, requests: int) -> str:
    if requests == 1:
        return ""
    if failed == requests:
        return f", all {failed} times"
    return f"; {failed} of {requests} requests failed"


def _ok_summary(endpoint: Endpoint, seen: EndpointSnapshot, requests: int) -> str:
    first = seen.first
    if first is None:
        return f"as expected, {pluralize(requests, 'time')}"
    parts = [f"HTTP {first.status} in {format_value(first.seconds, 'seconds')}"]
    if endpoint.json is not None:
        parts.append("JSON as expected")
    if endpoint.contains or endpoint.matches:
        parts.append("content as expected")
    if first.redirects:
        parts.append(f"{pluralize(first.redirects, 'redirect')} to {first.url}")
    if first.tls:
        parts.append(first.tls)
    if first.unreadable:
        parts.append(f"content not read ({first.unreadable})")
    if seen.cached:
        parts.append("from a cache" if seen.still_cached else "from a cache, fresh as well")
    if seen.limited:
        refused = pluralize(len(seen.limited), "further request")
        parts.append(f"a rate limit refused {refused} (HTTP {seen.limited[-1]})")
    return ", ".join(parts)


def _request_evidence(endpoint: Endpoint, first: Answer | None) -> dict[str, Any]:
    row: dict[str, Any] = {"url": endpoint.url.shown, "asked": endpoint.method}
    if endpoint.address:
        row["pinned_to"] = host_port(endpoint.address, endpoint.url.port)
    if first is None or first.failure:
        return row
    row.update(status=first.status, first_seconds=round(first.seconds, 6))
    if first.peer:
        row["address"] = first.peer
    if first.tls:
        row["tls"] = first.tls
    if first.redirects:
        row["final_url"] = first.url
    if first.connect_seconds is not None:
        row["opening_seconds"] = round(first.connect_seconds, 6)
    return row
