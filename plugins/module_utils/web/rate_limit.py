# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rate limit that answers in the place of the app, because of the probe's own requests."""

from __future__ import annotations

import re
import time

from .snapshot import Answer

#: Seconds to wait if the server does not say for how long; nginx's slowest usual rate is 1r/s.
DEFAULT_PAUSE = 1.0
_SHORTEST = 0.25
_TOO_MANY = re.compile(rb"too many requests|rate[ -]?limit", re.IGNORECASE)

EXEMPT_BRIEFLY = (
    "exempt this probe's address (in nginx: geo, map, and an empty key for limit_req_zone)"
)
EXEMPT = (
    "in nginx, give its address an empty key: 'geo $limited { default 1; ADDRESS 0; }',"
    " 'map $limited $limit_key { 0 \"\"; 1 $binary_remote_addr; }' and"
    " 'limit_req_zone $limit_key …'"
)
REMEDY = (
    f"Exempt the address that the probe comes from: {EXEMPT}; or lower samples and concurrency. If"
    " users are refused as well, check that the limit counts by the client's address"
    " (X-Forwarded-For), not by that of the proxy."
)


def pause_after(answer: Answer, served_before: bool) -> float | None:
    """Seconds to wait if a rate limit refused the request; none if it did not.

    503 is nginx's default (limit_req, limit_conn), but that of a failing app as well. So it counts
    only after a good answer, and only as nginx itself or a limit says it.
    """
    if answer.failure or not _refused(answer, served_before):
        return None
    return max(_SHORTEST, _stated_pause(answer))


def _refused(answer: Answer, served_before: bool) -> bool:
    if answer.status == 429:
        return True
    if answer.status not in (403, 503) or not served_before:
        return False
    headers = answer.headers
    if "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining")):
        return True
    if "retry-after" in headers or _TOO_MANY.search(answer.body[:2000]):
        return True
    return answer.status == 503 and b"<center>nginx" in answer.body[:2000]


def _stated_pause(answer: Answer) -> float:
    given = answer.headers.get("retry-after") or answer.headers.get("ratelimit-reset") or ""
    given = given.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", given):
        return float(given)
    stated = _time(given)
    if stated is None:
        return DEFAULT_PAUSE
    # By the clock of the server, which need not be that of this machine.
    sent = _time(answer.headers.get("date", ""))
    return stated - (time.time() if sent is None else sent)


def _time(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # needed only after a refusal

    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
