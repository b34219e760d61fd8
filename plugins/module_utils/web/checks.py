# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the web: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import BENCHMARKS, Definition, above

CHECKS: dict[str, Definition] = {
    "web.endpoint": Definition(
        "The URL answers with the expected status and content over verified TLS.",
        "See the answer in the evidence and with 'curl -iv URL' from the same host; then the app's"
        " error log and nginx's error.log for the time of the request.",
    ),
    "web.response_time_p95": Definition(
        "95th percentile of the time from the request to an API endpoint to its complete answer;"
        " beyond a limit only if enough requests prove it.",
        "Check slow queries, then the app's CPU usage and its connection pool.",
        "seconds",
        above(0.5, 1.0),
        f"{BENCHMARKS} (API Response); the critical limit is that of System Metrics to Monitor",
    ),
    "web.page_load_time": Definition(
        "95th percentile of the time from the request for a page to its complete answer; beyond a"
        " limit only if enough requests prove it.",
        "Check slow queries and the size of the page; add caching where appropriate.",
        "seconds",
        above(1.0, 2.0),
        f"{BENCHMARKS} (Homepage Load)",
    ),
}
