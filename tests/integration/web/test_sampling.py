"""How often a site is found slow, by a real server that is slow by a seeded rule."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.assess import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.client import Client
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.collect import collect
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.options import Options
from tests.support.throwaway import Http, site
from tests.support.web import HEALTH, parsed

RUNS = 15
SLOW = 0.15
LIMITS = {"web.response_time_p95": {"warning": 0.08, "critical": 0.1}}


@pytest.mark.parametrize(
    ("share", "status", "least"), [(0.0, "ok", 14), (0.03, "ok", 13), (0.2, "critical", 13)]
)
def test_a_site_is_judged_by_its_share_of_slow_requests(
    share: float, status: str, least: int
) -> None:
    rule, lock = random.Random(11), threading.Lock()

    def serve(handler: Http) -> None:
        with lock:
            slow = rule.random() < share
        time.sleep(SLOW if slow else 0)
        handler.answer(*HEALTH)

    thresholds = Thresholds(CHECKS, LIMITS)
    with site({"/api": serve}) as web:
        options = Options(parsed({"url": web.url("/api")}))
        client = Client(options)
        limits = {
            endpoint.subject: thresholds.of("web.response_time_p95")
            for endpoint in options.endpoints
        }
        verdicts: Counter[str] = Counter()
        for _run in range(RUNS):
            seen = collect(options, client.fetch, 9.0, limits)
            checks = list(assess(seen, options, thresholds))
            verdicts[checks[1].status] += 1
            assert checks[0].status == "ok"
        requests = len(web.seen)
    assert verdicts[status] >= least, verdicts
    if share < 0.1:
        assert verdicts["critical"] == 0, verdicts
    assert share or requests <= RUNS * 30, "a fast site costs 21 requests"
