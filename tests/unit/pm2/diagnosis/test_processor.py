"""Who uses the processor, and why."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.processor import (
    assess_cpu,
    assess_event_loop,
    is_blocked,
)
from tests.support.app_watch import THRESHOLDS, snapshot, trend

LOOP = {"busy": 1.0, "reads_a_second": 0, "reported": False}
IDLE = trend(pm_id=1)


def test_a_busy_loop_reads_nothing() -> None:
    found = snapshot(trend(**LOOP), IDLE)
    check = assess_event_loop(found, THRESHOLDS)
    assert check.status == "critical"
    assert check.summary.startswith("id 0 (1 of 2 instances) answered nothing for 15 s")
    assert "a busy loop" in assess_cpu(found, THRESHOLDS).summary


def test_a_busy_loop_on_a_host_without_a_free_processor() -> None:
    """It gets a quarter of one, and waits for it the rest of the time."""
    starved = trend(**{**LOOP, "busy": 0.25, "wanted": 1.0})
    assert is_blocked(starved)
    assert "waits for one for 75 % of the time" in assess_cpu(snapshot(starved), THRESHOLDS).summary


def test_a_busy_app_that_serves_is_no_loop() -> None:
    assert not is_blocked(trend(busy=1.0, reads_a_second=5, reported=False))


def test_an_app_that_reports_is_no_loop() -> None:
    """It computes by a timer, and reads from no one."""
    assert not is_blocked(trend(busy=1.0, reads_a_second=0, reported=True))


def test_a_short_window_is_no_proof() -> None:
    assert not is_blocked(trend(seconds=3.0, **LOOP))


def test_without_permission_to_see_what_it_reads() -> None:
    found = snapshot(trend(**{**LOOP, "reads_a_second": None}))
    assert assess_event_loop(found, THRESHOLDS).status == "unknown"


def test_an_app_that_may_be_stuck_does_not_count_as_turning() -> None:
    quiet = trend(reads_a_second=0, reported=False, figures={"delay": 0.001})
    check = assess_event_loop(snapshot(quiet, IDLE), THRESHOLDS)
    assert check.status == "unknown"
    assert "id 0 (1 of 2 instances) read nothing" in check.summary
    assert [row["turns"] for row in check.evidence] == ["unknown", "yes"]
    assert assess_event_loop(snapshot(trend(reads_a_second=0)), THRESHOLDS).status == "ok"


def test_load_on_all_instances() -> None:
    check = assess_cpu(snapshot(trend(busy=0.95), trend(pm_id=1, busy=0.9)), THRESHOLDS)
    assert check.status == "warning"
    assert check.summary.endswith("all 2 instances are busy and serve requests: load")
    assert "scale up" in check.remedy


def test_one_busy_instance_that_serves() -> None:
    check = assess_cpu(snapshot(trend(busy=0.95), IDLE), THRESHOLDS)
    assert "only 1 of 2 instances busy, and it still serves" in check.summary


def test_garbage_collection_and_system_calls() -> None:
    check = assess_cpu(snapshot(trend(busy=0.6, helpers=0.7)), THRESHOLDS)
    assert "70 % in other threads than the main one" in check.summary
    assert "V8Worker 101" in check.summary
    check = assess_cpu(snapshot(trend(busy=0.9, system=0.8)), THRESHOLDS)
    assert "80 % of that in the kernel" in check.summary
    assert "strace" in check.remedy


def test_the_delay_that_the_app_reports() -> None:
    slow = trend(figures={"delay": 0.25})
    check = assess_event_loop(snapshot(slow, IDLE), THRESHOLDS)
    assert (check.status, check.value) == ("warning", 0.25)
    assert assess_event_loop(snapshot(IDLE), THRESHOLDS).not_judged
