# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a verdict on the 95th percentile takes. Pure.

If p95 is exactly at a limit, 5 % of all requests take longer. Of n requests, k are then slow with
a probability that the binomial distribution gives, and so a few slow ones prove nothing:

- Certain: so many are slow that this would happen in at most 0.1 % of the runs if p95 were at the
  limit (3 of 4, 4 of 9, 6 of 24, 14 of 100).
- Ruled out: so few are slow that this would happen in at most 1 % of the runs if 15 % of all
  requests were slow (1 of 42, 2 of 53, 6 of 93).

While none is slow, sampling ends with the number of requests that was asked for. A fifth of the
requests being slow stays unnoticed in 0.8**10 = 11 % of the runs with ten requests, and in 1.2 %
with twenty: fewer cannot tell. Once one is slow, sampling goes on until one of the two is reached.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from ..core.check import CRITICAL, OK
from ..core.definition import Threshold

#: Share of requests that may take longer than p95.
BEYOND = 0.05
#: Share of slow requests that must not go unnoticed once sampling goes on.
NOTICED = 0.15
_CERTAIN, _RULED_OUT = 0.001, 0.01
#: Maximum number of requests to one endpoint.
MOST = 100


@cache
def at_least(slow: int, requests: int, share: float) -> float:
    """Probability of so many slow requests or more, if this share of all requests is slow."""
    return math.fsum(
        math.comb(requests, count) * share**count * (1 - share) ** (requests - count)
        for count in range(slow, requests + 1)
    )


def certain(slow: int, requests: int) -> bool:
    """Whether p95 is certainly beyond the limit."""
    return slow > 0 and at_least(slow, requests, BEYOND) <= _CERTAIN


def ruled_out(slow: int, requests: int) -> bool:
    """Whether there are certainly not many slow requests."""
    return 1 - at_least(slow + 1, requests, NOTICED) <= _RULED_OUT


def slow_requests(times: Sequence[float], threshold: Threshold) -> dict[str, int]:
    """How many of the times are beyond the limits: the lower one, and the critical one."""
    statuses = [threshold.status_of(seconds) for seconds in times]
    beyond = len(statuses) - statuses.count(OK)
    return {"slow": beyond, "critical": statuses.count(CRITICAL)}


def enough(times: Sequence[float], wanted: int, threshold: Threshold, failed: int = 0) -> bool:
    """Whether the requests so far allow a verdict."""
    if len(times) + failed >= max(MOST, wanted):
        return True
    counts = slow_requests(times, threshold).values()
    if not any(counts):
        return len(times) + failed >= wanted
    return all(decided(slow, len(times), wanted) for slow in counts)


def decided(slow: int, requests: int, wanted: int) -> bool:
    """Whether so many slow requests allow a verdict."""
    if slow == 0 and requests >= wanted:
        return True
    return certain(slow, requests) or ruled_out(slow, requests)


def lower_bound(times: Sequence[float]) -> float | None:
    """The time that p95 is certainly not below; none if there are too few times to say.

    An order statistic: so many of the sorted times are at or beyond it that this would not happen
    if p95 were smaller.
    """
    for position in range(len(times) - 1, -1, -1):
        if certain(len(times) - position, len(times)):
            return times[position]
    return None
