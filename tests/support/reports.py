"""Whole reports for tests: a bad morning, a good one, a plan, work done, and a hostile one."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Action, Check
from tests.support import report_samples as samples

Report = dict[str, Any]
BAD = samples.report(samples.bad_morning())
GOOD = samples.report(samples.healthy())
PLAN = samples.report(samples.maintenance(True), check_mode=True, limit="db1")
DONE = samples.report(samples.maintenance(False))
ALL = [BAD, GOOD, PLAN, DONE]

HOSTILE = (
    "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> `|*_[a](javascript:b) "
    '\x1b[2J\x00\u202e ]]> & \\ \\" {{ 7 * 7 }} {% raw %} @all'
)


def hostile() -> Report:
    """A report in which every text that can come from elsewhere is an attack."""
    check = Check(
        "host.cpu",
        "critical",
        HOSTILE,
        HOSTILE,
        99,
        "percent",
        80,
        95,
        HOSTILE,
        HOSTILE,
        ({HOSTILE: HOSTILE, "n": [HOSTILE]},),
    )
    action = Action("pg.vacuum", "failed", HOSTILE, HOSTILE, HOSTILE, {"x": HOSTILE}, 1.0, 5)
    steps = {
        "__x": samples.step(check),
        "__y": samples.done(action),
        "__z": {"failed": True, "msg": HOSTILE},
    }
    return samples.report(
        {HOSTILE: steps, "other": {"__x": samples.step(check)}}, title=HOSTILE, limit=HOSTILE
    )


def many(number: int = 20) -> Report:
    """The same problem on many hosts."""
    return samples.report(
        {f"app{n}": {"__host_health": samples.host_health(93.4)} for n in range(1, number + 1)}
    )
