"""Which functions a profile names."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.profile.cpu import (
    assess_profile,
    summarize,
    with_stacks,
)
from tests.support.app_watch import THRESHOLDS

FUNCTIONS = ["(root)", "(program)", "(idle)", "(garbage collector)", "serve", "rank", "rank"]


def profile(**samples: int) -> dict[str, Any]:
    """``rank`` calls itself, and ``serve`` calls it; milliseconds by the name of the node."""
    nodes = [
        {
            "id": number,
            "callFrame": {
                "functionName": name,
                "url": "file:///srv/web/src/a%20b.js" if number >= 4 else "",
                "lineNumber": number,
            },
            "children": {0: [1, 2, 3, 4], 4: [5], 5: [6]}.get(number, []),
        }
        for number, name in enumerate(FUNCTIONS)
    ]
    order = {"idle": 2, "garbage": 3, "serve": 4, "rank": 5, "inner": 6}
    found = [order[name] for name, count in samples.items() for _ in range(count)]
    return {"nodes": nodes, "samples": found, "timeDeltas": [1000] * len(found)}


def test_time_in_a_function_and_in_what_it_calls() -> None:
    found = summarize(profile(idle=50, serve=10, rank=30, inner=10), "/srv/web")
    assert (found.idle, round(found.seconds, 3)) == (50, 0.1)
    rank, *others = found.functions
    assert (rank.name, rank.place, rank.own, rank.total) == ("rank", "src/a b.js:6", 30, 40)
    assert [(each.name, each.own, each.total) for each in others if each.name == "serve"] == [
        ("serve", 10, 50)
    ]


def test_one_function_takes_the_time() -> None:
    check = assess_profile(summarize(profile(serve=3, rank=97)), "web id 0", THRESHOLDS, "/p")
    assert check.status == "warning"
    assert "most of it in one function: rank (/srv/web/src/a b.js:6) with 97 %" in check.summary
    assert check.remedy.startswith("Correct rank in")
    assert check.evidence[-1]["place"] == "/p"


def test_garbage_collection_takes_the_time() -> None:
    check = assess_profile(summarize(profile(garbage=40, rank=60)), "web", THRESHOLDS)
    assert check.status == "warning"
    assert check.summary.startswith("garbage collection takes 40 %")


def test_an_idle_process_and_a_busy_one_without_a_dominant_function() -> None:
    check = assess_profile(summarize(profile(idle=90, rank=10)), "web", THRESHOLDS)
    assert (check.status, check.value) == ("ok", 10)
    check = assess_profile(summarize(profile(serve=34, rank=33, inner=33)), "web", THRESHOLDS)
    assert check.status == "warning"
    assert "the busiest function is serve" in check.summary


def test_a_profile_without_samples() -> None:
    assert assess_profile(summarize({}), "web", THRESHOLDS).status == "unknown"


def frame(name: str, line: int) -> dict[str, Any]:
    return {"functionName": name, "url": "file:///srv/web/src/a%20b.js", "lineNumber": line}


def test_code_that_the_profiler_does_not_know_is_found_by_halting_the_process() -> None:
    """V8 takes its caller for it."""
    stacks = [[frame("loop", 9), frame("serve", 4)]] * 4 + [[frame("serve", 4)]]
    found = with_stacks(summarize(profile(serve=100)), stacks)
    check = assess_profile(found, "web id 0", THRESHOLDS)
    assert "most of it in one function: loop (/srv/web/src/a b.js:10) with 100 %" in check.summary
    assert check.evidence[-1]["place"].startswith("loop (/srv/web/src/a b.js:10) < serve (")


def test_stacks_that_agree_with_the_profile_or_with_nothing() -> None:
    seen = summarize(profile(serve=100))
    assert with_stacks(seen, []) == seen
    for stacks in ([[frame("serve", 4)]], [[frame(name, 9)] for name in "abcd"]):
        assert with_stacks(seen, stacks).functions == seen.functions
