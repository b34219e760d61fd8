# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked for: endpoints, what each must answer, and how to send requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.errors import UsageError
from ..core.options import checked_seconds, unique_names
from ..core.text import MASK
from ..net.url import Url, is_address, mask_url

#: The check that judges the response time of each kind of endpoint.
RESPONSE_TIME = {"api": "web.response_time_p95", "page": "web.page_load_time"}
#: Requests after the first, unless the operator says how many: at least so many to each URL, and
#: so many to each server. `sampling` says what these can tell.
SAMPLES_PER_URL, SAMPLES_PER_SERVER = 10, 20
MAX_CONCURRENCY = 16
MAX_SAMPLES = 100
MAX_REDIRECTS = 20
MAX_BODY = 1 << 26

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Pages that are often protected against guessing passwords, so they are requested once.
_SIGN_IN = re.compile(r"/(log|sign)[-_]?(in|on)/?(\?.*)?$", re.IGNORECASE)
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Endpoint:
    """One URL and what it must answer."""

    subject: str
    """Its name in the checks, or its URL without secrets."""
    url: Url
    kind: str = "api"
    """``api`` or ``page``."""
    method: str = "GET"
    statuses: tuple[int, ...] = (200,)
    json: Mapping[str, Any] | None = None
    """Expected values by dotted path; an empty mapping accepts any JSON."""
    contains: str = ""
    matches: re.Pattern[str] | None = None
    max_redirects: int = 5
    """0: a redirect is an answer like any other."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    address: str = ""
    """The IP address to connect to; empty to resolve the host of the URL."""
    samples: int = 10
    """Number of requests after the first, while none of them is slow."""
    concurrency: int = 4

    @property
    def server(self) -> tuple[str, str, int, str]:
        """Whose requests are counted together."""
        return (*self.url.origin, self.address)

    @property
    def response_time_check(self) -> str:
        """Name of the check that judges its response time."""
        return RESPONSE_TIME[self.kind]


@dataclass(frozen=True)
class Options:
    """What the operator asked for, validated."""

    endpoints: tuple[Endpoint, ...]
    concurrency: int = 4
    """Maximum number of requests under way at once, over all endpoints."""
    request_timeout: float = 5.0
    """Seconds that one request may take."""
    max_body: int = 1 << 20
    """Bytes of an answer that are read."""
    validate_certs: bool = True
    ca_file: str | None = None
    use_proxy: bool = True

    @classmethod
    def from_params(
        cls, params: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]]
    ) -> Options:
        """The module's parameters, validated; raises `UsageError`.

        ``endpoints`` are those that the operator gave; the ones in ``params`` are masked.
        """
        if not endpoints:
            raise UsageError("endpoints: the list is empty; name at least one URL")
        if params["samples"] is not None:
            _check_range("samples", params["samples"], 0, MAX_SAMPLES)
        _check_range("concurrency", params["concurrency"], 1, MAX_CONCURRENCY)
        _check_range("max_body", params["max_body"], 1, MAX_BODY)
        checked_seconds("request_timeout", params["request_timeout"])
        parsed = [
            _parse_endpoint(f"endpoints[{number}]", given, params["samples"], params["concurrency"])
            for number, given in enumerate(endpoints)
        ]
        subjects = unique_names(endpoint.subject for endpoint in parsed)
        return cls(
            endpoints=tuple(
                replace(endpoint, subject=subject)
                for endpoint, subject in zip(_with_samples(parsed), subjects)
            ),
            concurrency=params["concurrency"],
            request_timeout=params["request_timeout"],
            max_body=params["max_body"],
            validate_certs=params["validate_certs"],
            ca_file=params["ca_file"],
            use_proxy=params["use_proxy"],
        )


def _with_samples(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Fill in the number of samples where the operator named none."""
    open_ones = [endpoint for endpoint in endpoints if _is_sampled_by_default(endpoint)]
    servers = Counter(endpoint.server for endpoint in open_ones)
    filled = []
    for endpoint in endpoints:
        samples: int | None = endpoint.samples
        if _is_sampled_by_default(endpoint):
            share = -(-SAMPLES_PER_SERVER // servers[endpoint.server])
            samples = max(SAMPLES_PER_URL, share)
        filled.append(replace(endpoint, samples=samples or 0))
    return filled


def _is_sampled_by_default(endpoint: Endpoint) -> bool:
    return endpoint.samples is None and not _SIGN_IN.search(endpoint.url.path)


def mask_endpoint(given: Mapping[str, Any]) -> dict[str, Any]:
    """An endpoint as the operator gave it, without its secrets."""
    headers = given.get("headers")
    return {
        **given,
        "url": mask_url(given["url"]),
        "headers": dict.fromkeys(headers, MASK) if headers else headers,
    }


def _parse_endpoint(
    option: str, given: Mapping[str, Any], samples: int | None, concurrency: int
) -> Endpoint:
    url = Url.parse(f"{option}.url", given["url"])
    if given["samples"] is not None:
        samples = given["samples"]
    if given["concurrency"] is not None:
        concurrency = given["concurrency"]
    if samples is not None:
        _check_range(f"{option}.samples", samples, 0, MAX_SAMPLES)
    _check_range(f"{option}.concurrency", concurrency, 1, MAX_CONCURRENCY)
    _check_range(f"{option}.max_redirects", given["max_redirects"], 1, MAX_REDIRECTS)
    for status in given["status"]:
        _check_range(f"{option}.status", status, 100, 599)
    _check_method(option, given)
    return Endpoint(
        subject=given["name"] or mask_url(given["url"]),
        url=url,
        kind=given["kind"],
        method=given["method"],
        statuses=tuple(given["status"]) or (200,),
        json=given["json"],
        contains=given["contains"] or "",
        matches=_parse_pattern(f"{option}.matches", given["matches"]),
        max_redirects=given["max_redirects"] if given["follow_redirects"] else 0,
        headers=_parse_headers(f"{option}.headers", given["headers"]),
        address=_parse_address(f"{option}.address", given["address"]),
        samples=samples,  # type: ignore[arg-type]  # filled in by _with_samples
        concurrency=concurrency,
    )


def _check_range(option: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise UsageError(f"{option}: {value} is out of range; it can be {lowest} to {highest}")


def _check_method(option: str, given: Mapping[str, Any]) -> None:
    content_expected = given["json"] is not None or given["contains"] or given["matches"]
    if given["method"] == "HEAD" and content_expected:
        raise UsageError(
            f"{option}: the answer to a HEAD request has no content,"
            " so json, contains and matches cannot be checked; use method GET"
        )


def _parse_address(option: str, given: str | None) -> str:
    address = (given or "").strip("[]")
    if address and not is_address(address):
        raise UsageError(f"{option}: {address!r} is not an IP address")
    return address


def _parse_pattern(option: str, pattern: str | None) -> re.Pattern[str] | None:
    if not pattern:
        return None
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{option}: {pattern!r} is not a regular expression: {error}") from None


def _parse_headers(option: str, given: Mapping[str, Any] | None) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in (given or {}).items()}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"{option}: {name!r} is not a valid header name")
        if value != value.strip() or _CONTROL_CHARACTER.search(value):
            raise UsageError(
                f"{option}: the value of {name} starts or ends with a space,"
                " or holds a line break; remove it"
            )
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise UsageError(
                f"{option}: the value of {name} holds characters outside Latin-1,"
                " which HTTP headers cannot carry"
            ) from None
    return headers
