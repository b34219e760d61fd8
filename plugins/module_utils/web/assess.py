# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endpoints have to answer, and the verdicts on what they did answer. Knows no sockets: see `http_client`."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.errors import UsageError
from ..core.text import MASK, redact, shorten
from ..core.thresholds import Thresholds
from ..core.units import format_value
from ..net.url import Url, host_port, is_address, mask_url

#: The check that judges the time of each kind of endpoint.
TIMING = {"api": "web.response_time_p95", "page": "web.page_load_time"}
MAX_CONCURRENCY = 16
MAX_SAMPLES = 100
MAX_REDIRECTS = 20
MAX_BODY = 1 << 26

#: What to do about problems that are neither the app's nor nginx's, by the beginning of their text.
_REMEDIES = {
    "TLS:": "Look at the certificate: cert_check says what is wrong with it. Renew or complete it, then 'nginx -t && systemctl reload nginx'.",
    "the name": "Check the DNS record of that name ('dig NAME') and the name servers in /etc/resolv.conf.",
    "redirects": "Follow the redirects with 'curl -sIL URL' and put them right in nginx's configuration or in the app.",
    "more than": "Follow the redirects with 'curl -sIL URL' and put them right in nginx's configuration or in the app.",
    "the proxy": "Check the proxy, or name the host in NO_PROXY, or set use_proxy to false.",
}


@dataclass(frozen=True)
class Endpoint:
    """One URL and what it has to answer."""

    subject: str
    """How the checks call it: its name, or its URL without secrets."""
    url: Url
    kind: str = "api"
    method: str = "GET"
    statuses: tuple[int, ...] = (200,)
    json: Mapping[str, Any] | None = None
    """Values by dotted path; an empty mapping asks for any JSON."""
    contains: str = ""
    matches: re.Pattern[str] | None = None
    max_redirects: int = 5
    """0: a redirect is an answer like any other."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    address: str = ""
    """The IP address to connect to, where it is not to be looked up."""
    samples: int = 10
    """How many requests follow the first."""
    concurrency: int = 4

    @property
    def timing(self) -> str:
        return TIMING[self.kind]


@dataclass(frozen=True)
class Answer:
    """What came of one request, redirects included."""

    failure: str = ""
    """Why there was no answer; everything else is then empty."""
    status: int = 0
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    charset: str = "utf-8"
    cut_at: int = 0
    """The body is longer than this, and only so much of it was read; 0 where it is whole."""
    seconds: float = 0.0
    """From the request to the complete answer, without the time that opening the connection took."""
    opening: float | None = None
    """Seconds for name resolution, TCP and TLS, where a connection had to be opened."""
    url: str = ""
    """Where the answer came from in the end, without secrets."""
    redirects: int = 0
    peer: str = ""
    tls: str = ""


@dataclass(frozen=True)
class Sample:
    """One request, judged."""

    seconds: float
    problem: str = ""
    excerpt: str = ""
    """The beginning of an answer that was not as expected."""
    pending: bool = False
    """Had no answer yet when the probe's time was up."""


@dataclass
class Observation:
    """All that was learned about one endpoint."""

    endpoint: Endpoint
    first: Answer | None = None
    samples: list[Sample] = field(default_factory=list)
    """In the order of their answers; the first request, which opens the connection, is the first of them."""


def endpoints_from(
    given: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
) -> list[Endpoint]:
    """The given endpoints with what the module's other options say of them, checked; `UsageError` says what makes no sense."""
    if not given:
        raise UsageError("endpoints: the list is empty; name at least one URL")
    _within("samples", options["samples"], 0, MAX_SAMPLES)
    _within("concurrency", options["concurrency"], 1, MAX_CONCURRENCY)
    _within("max_body", options["max_body"], 1, MAX_BODY)
    if not 0 < options["request_timeout"] <= 3600:
        raise UsageError(
            f"request_timeout: {options['request_timeout']:g} is not a number of seconds above 0 and up to 3600"
        )
    endpoints: list[Endpoint] = []
    taken: Counter[str] = Counter()
    for number, one in enumerate(given):
        endpoint = _endpoint(
            f"endpoints[{number}]", one, options["samples"], options["concurrency"]
        )
        taken[endpoint.subject] += 1
        if taken[endpoint.subject] > 1:
            endpoint = replace(endpoint, subject=f"{endpoint.subject} ({taken[endpoint.subject]})")
        endpoints.append(endpoint)
    return endpoints


def _endpoint(what: str, options: Mapping[str, Any], samples: int, concurrency: int) -> Endpoint:
    url = Url.parse(f"{what}.url", options["url"])
    samples = samples if options["samples"] is None else options["samples"]
    concurrency = concurrency if options["concurrency"] is None else options["concurrency"]
    _within(f"{what}.samples", samples, 0, MAX_SAMPLES)
    _within(f"{what}.concurrency", concurrency, 1, MAX_CONCURRENCY)
    _within(f"{what}.max_redirects", options["max_redirects"], 1, MAX_REDIRECTS)
    for status in options["status"]:
        _within(f"{what}.status", status, 100, 599)
    address = (options["address"] or "").strip("[]")
    if address and not is_address(address):
        raise UsageError(f"{what}.address: {address!r} is not an IP address")
    if options["method"] == "HEAD" and (
        options["json"] is not None or options["contains"] or options["matches"]
    ):
        raise UsageError(
            f"{what}: the answer to a HEAD request has no content, so json, contains and matches cannot be checked; use method GET"
        )
    return Endpoint(
        subject=options["name"] or mask_url(options["url"]),
        url=url,
        kind=options["kind"],
        method=options["method"],
        statuses=tuple(options["status"]) or (200,),
        json=options["json"],
        contains=options["contains"] or "",
        matches=_pattern(f"{what}.matches", options["matches"]),
        max_redirects=options["max_redirects"] if options["follow_redirects"] else 0,
        headers=_headers(f"{what}.headers", options["headers"]),
        address=address,
        samples=samples,
        concurrency=concurrency,
    )


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"{what}: {value} is out of range; it can be {least} to {most}")


def _pattern(what: str, pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise UsageError(f"{what}: {pattern!r} is not a regular expression: {error}") from None


def _headers(what: str, given: Mapping[str, Any] | None) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in (given or {}).items()}
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise UsageError(f"{what}: {name!r} is not a header's name")
        if value != value.strip() or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise UsageError(
                f"{what}: the value of {name} begins or ends with a space, or holds a line break"
            )
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise UsageError(
                f"{what}: the value of {name} holds characters that HTTP cannot carry"
            ) from None
    return headers


def masked(given: Mapping[str, Any]) -> dict[str, Any]:
    """An endpoint's options without their secrets."""
    headers = given.get("headers")
    return {
        **given,
        "url": mask_url(given["url"]),
        "headers": dict.fromkeys(headers, MASK) if headers else headers,
    }


# --- one answer -------------------------------------------------------------------------------------------------------


def problem_with(endpoint: Endpoint, answer: Answer) -> str:
    """What is wrong with an answer, empty where it is as expected."""
    if answer.failure:
        return answer.failure
    if answer.status not in endpoint.statuses:
        return f"HTTP {answer.status} instead of {' or '.join(map(str, endpoint.statuses))}"
    if endpoint.json is None and not endpoint.contains and not endpoint.matches:
        return ""
    if endpoint.json is not None:
        problem = _json_problem(endpoint.json, answer)
        if problem:
            return problem
    text = text_of(answer)
    part = f" in its first {format_value(answer.cut_at, 'bytes')}" if answer.cut_at else ""
    if endpoint.contains and endpoint.contains not in text:
        return f"the answer does not contain {shorten(endpoint.contains, 60)!r}{part}"
    if endpoint.matches and not endpoint.matches.search(text):
        return f"nothing in the answer matches {shorten(endpoint.matches.pattern, 60)!r}{part}"
    return ""


def _json_problem(expected: Mapping[str, Any], answer: Answer) -> str:
    if answer.cut_at:
        return f"the answer is longer than max_body ({format_value(answer.cut_at, 'bytes')}), so its JSON cannot be read"
    text = text_of(answer).strip()
    if not text:
        return "an empty answer where JSON is due"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if "html" in answer.content_type or text.startswith("<"):
            return "HTML where JSON is due"
        return f"the answer is no JSON ({answer.content_type or 'without a content type'})"
    for path, due in expected.items():
        found, value = look_up(data, path)
        if not found:
            return f"JSON: there is no {path!r}"
        if value != due or isinstance(value, bool) != isinstance(due, bool):
            return f"JSON: {path} is {_shown_value(value)}, {_shown_value(due)} was due"
    return ""


def look_up(data: Any, path: str) -> tuple[bool, Any]:
    """The value at a dotted path, such as ``checks.0.state``, and whether there is one."""
    for step in path.split(".") if path else []:
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return False, None
    return True, data


def _shown_value(value: Any) -> str:
    return shorten(redact(json.dumps(value, ensure_ascii=False, default=str)), 60)


def text_of(answer: Answer) -> str:
    try:
        return answer.body.decode(answer.charset, "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def excerpt_of(answer: Answer) -> str:
    """The beginning of an answer in plain text, without secrets."""
    text = answer.body[:2000].decode("utf-8", "replace")
    return shorten(redact(re.sub(r"<[^>]*>", " ", text)), 120)


# --- the verdicts -----------------------------------------------------------------------------------------------------


def assess(
    observations: Iterable[Observation], thresholds: Thresholds, seconds: float
) -> Iterator[Check]:
    """The checks of all endpoints; ``seconds`` is how long the probe had for asking."""
    for observation in observations:
        samples = _counted(observation, thresholds)
        yield _endpoint_check(observation, samples, thresholds, seconds)
        timing = _timing_check(observation, samples, thresholds)
        if timing:
            yield timing


def _counted(observation: Observation, thresholds: Thresholds) -> list[Sample]:
    """The requests that say something. One without an answer when time was up does so only if it had waited for long."""
    endpoint = observation.endpoint
    patience = thresholds.of(endpoint.timing, endpoint.subject).critical or 1.0
    counted = []
    for sample in observation.samples:
        if not sample.pending:
            counted.append(sample)
        elif sample.seconds > patience:
            counted.append(
                Sample(
                    sample.seconds,
                    f"no answer within {format_value(sample.seconds, 'seconds')}, when the probe's time was up",
                )
            )
    return counted


def _endpoint_check(
    observation: Observation, samples: list[Sample], thresholds: Thresholds, seconds: float
) -> Check:
    endpoint, first = observation.endpoint, observation.first
    if not samples:
        return thresholds.verdict(
            "web.endpoint",
            UNKNOWN,
            f"not asked: the other endpoints took all of the {format_value(seconds, 'seconds')} that the probe had",
            subject=endpoint.subject,
            evidence=[{"url": endpoint.url.shown}],
            remedy="Look at the endpoints that are slow; raise timeout, or lower samples or request_timeout.",
        )
    problems = Counter(sample.problem for sample in samples if sample.problem)
    failed = sum(problems.values())
    evidence = [_evidence(endpoint, first)]
    for problem, count in problems.most_common(5):
        excerpt = next((sample.excerpt for sample in samples if sample.problem == problem), "")
        evidence.append(
            {"problem": problem, "requests": count, **({"answer": excerpt} if excerpt else {})}
        )
    if not failed:
        return thresholds.verdict(
            "web.endpoint",
            OK,
            _fine(endpoint, first, samples),
            subject=endpoint.subject,
            evidence=evidence,
        )
    worst = problems.most_common(1)[0][0]
    share = (
        ""
        if len(samples) == 1
        else f", all {failed} times"
        if failed == len(samples)
        else f"; {failed} of {len(samples)} requests failed"
    )
    further = (
        f" (and {len(problems) - 1} other problems)"
        if len(problems) > 2
        else " (and one other problem)"
        if len(problems) == 2
        else ""
    )
    status = CRITICAL if failed * 2 >= len(samples) else WARNING
    remedy = next((words for start, words in _REMEDIES.items() if worst.startswith(start)), "")
    return thresholds.verdict(
        "web.endpoint",
        status,
        f"{worst}{further}{share}",
        subject=endpoint.subject,
        evidence=evidence,
        remedy=remedy,
    )


def _fine(endpoint: Endpoint, first: Answer | None, samples: list[Sample]) -> str:
    if first is None:
        return f"as expected, {len(samples)} times"
    seen = [f"HTTP {first.status} in {format_value(first.seconds, 'seconds')}"]
    if endpoint.json is not None:
        seen.append("JSON as expected")
    if endpoint.contains or endpoint.matches:
        seen.append("content as expected")
    if first.redirects:
        seen.append(
            f"{first.redirects} redirect{'s' if first.redirects > 1 else ''} to {first.url}"
        )
    if first.tls:
        seen.append(first.tls)
    return ", ".join(seen)


def _evidence(endpoint: Endpoint, first: Answer | None) -> dict[str, Any]:
    row: dict[str, Any] = {"url": endpoint.url.shown, "asked": endpoint.method}
    if endpoint.address:
        row["pinned_to"] = host_port(endpoint.address, endpoint.url.port)
    if first is None or first.failure:
        return row
    row.update(status=first.status, first_seconds=round(first.seconds, 6))
    more = {
        "address": first.peer,
        "tls": first.tls,
        "final_url": first.url if first.redirects else "",
    }
    row.update({key: value for key, value in more.items() if value})
    if first.opening is not None:
        row["opening_seconds"] = round(first.opening, 6)
    return row


def _timing_check(
    observation: Observation, samples: list[Sample], thresholds: Thresholds
) -> Check | None:
    """The verdict on the time, or none where no request was answered as expected: `web.endpoint` then says all there is to say."""
    endpoint, first = observation.endpoint, observation.first
    if endpoint.samples == 0 or not samples:
        return None
    later = samples[1:]
    times = sorted(sample.seconds for sample in later if not sample.problem)
    only_first = not times and not samples[0].problem
    if only_first:
        times = [samples[0].seconds]
    if not times:
        return None
    p95 = nearest_rank(times, 95)
    failed = len(later) - len(times) if not only_first else len(later)
    requests = f"{len(times)} request{'s' if len(times) > 1 else ''}"
    summary = f"p95 {format_value(p95, 'seconds')} over {requests}, median {format_value(nearest_rank(times, 50), 'seconds')}"
    if only_first:
        summary = (
            f"{format_value(p95, 'seconds')} for the first request, the only one that was answered"
        )
    missing = endpoint.samples - len(later)
    if failed:
        summary += f"; {failed} of {len(later)} failed ({format_value(100 * failed / len(later), 'percent')})"
    if missing > 0:
        summary += f"; no time was left for {missing} more"
    row: dict[str, Any] = {
        "requests": len(times),
        "failed": failed,
        "fastest": round(times[0], 6),
        "p95": round(p95, 6),
        "slowest": round(times[-1], 6),
    }
    if first is not None and not first.failure:
        row["first"] = round(first.seconds, 6)
        if first.opening is not None:
            row["opening"] = round(first.opening, 6)
    return thresholds.evaluate(
        endpoint.timing,
        p95,
        summary,
        subject=endpoint.subject,
        window=f"{requests} of this run",
        evidence=[row],
    )


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The smallest of the sorted values that at least so many percent of them do not exceed; always a value that was measured."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]
