"""A leak grows beyond what V8 lets pile up; a heap that warms up does not."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.growth import (
    assess_files,
    assess_growth,
    growth,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.signs import (
    HEAP,
    Sign,
)
from tests.support.app_watch import MIB, THRESHOLDS, snapshot, trend

#: As measured, one figure a second.
LEAK = [10, 17, 22, 38, 37, 57, 55, 72, 80, 101, 92, 120, 97, 116, 144]
LOADED = [10, 12, 17, 15, 17, 16, 21, 15, 23, 16, 20, 25, 24, 21, 28]
WARM = [19, 29, 20, 23, 36, 39, 26, 32, 36, 41, 44, 31, 34, 40, 43]
RESIDENT = [84, 106, 114, 130, 148, 161, 166, 192, 214, 228, 238, 250, 249, 249, 272]
#: Between two full collections, the garbage of a large healthy heap looks like a leak.
LARGE = [200 + 6 * number for number in range(15)]


def test_a_leak_is_named_with_the_time_that_is_left() -> None:
    leak = trend(used=LEAK, total=[each + 30 for each in LEAK], resident=RESIDENT)
    check = assess_growth(snapshot(leak, trend(pm_id=1, used=[10] * 15)), THRESHOLDS)
    assert check.status == "critical"
    assert "its JavaScript heap grows by" in check.summary
    assert "1 of 2 instances grow; at this rate it reaches its limit of 300 MiB in" in check.summary
    assert "heap snapshot" in check.remedy


@pytest.mark.parametrize("used", [LOADED, WARM, [50] * 15, [200, 120] * 7 + [200]])
def test_a_healthy_app_under_load_is_not_accused(used: list[int]) -> None:
    healthy = trend(used=used, total=used, resident=[each + 60 for each in used])
    check = assess_growth(snapshot(healthy), THRESHOLDS)
    assert (check.status, bool(check.not_judged)) == ("ok", True)
    assert growth(healthy) is None


def test_garbage_of_a_large_heap_is_not_judged_in_a_short_window() -> None:
    sizes = [each + 60 for each in LARGE]
    large = trend(used=LARGE, total=LARGE, resident=sizes, limit=400 * MIB)
    check = assess_growth(snapshot(large), THRESHOLDS)
    assert check.status == "ok"
    assert "only a full garbage collection tells" in check.not_judged
    longer = trend(used=LARGE, total=LARGE, resident=sizes, limit=400 * MIB, seconds=300.0)
    assert assess_growth(snapshot(longer), THRESHOLDS).status == "critical"


def test_a_heap_that_has_run_out_of_memory_before_is_judged() -> None:
    large = trend(used=LARGE, total=LARGE, resident=[each + 60 for each in LARGE])
    check = assess_growth(snapshot(large, signs=[Sign(HEAP, "heap", 1)]), THRESHOLDS)
    assert check.status == "critical"


def test_memory_outside_the_heap() -> None:
    buffers = trend(used=[20] * 15, total=[30] * 15, resident=[80 + 5 * each for each in range(15)])
    check = assess_growth(snapshot(buffers), THRESHOLDS)
    assert check.status == "critical"
    assert "outside the JavaScript heap" in check.summary
    assert "native add-ons" in check.remedy


def test_a_heap_of_which_pm2_tells_late() -> None:
    """It seems to grow outside, where a heap snapshot would show nothing."""
    real = [64 + each * each // 2 for each in range(15)]
    told = [64] * 4 + real[:-4]
    late = trend(used=[45] * 15, total=told, resident=[40 + each for each in real])
    assert growth(late) is None
    buffers = trend(used=[45] * 15, total=told, resident=[40 + 3 * each for each in real])
    assert growth(buffers) is not None, "most of it is outside"


def test_without_the_figures_of_the_heap() -> None:
    warming = trend(
        resident=[80, 89, 90, 99, 107, 109, 110, 112, 113, 115, 116, 126, 128, 131, 141]
    )
    assert growth(warming) is None
    assert growth(trend(resident=[80 + 30 * each for each in range(15)])) is not None


def test_growth_without_a_limit() -> None:
    leak = trend(used=LEAK, total=LEAK, resident=RESIDENT, limit=None)
    assert "there is no limit" in assess_growth(snapshot(leak), THRESHOLDS).not_judged


def test_restarts_at_the_limit_are_remembered() -> None:
    check = assess_growth(
        snapshot(trend(used=[20] * 15), signs=[Sign(HEAP, "heap", 3)]), THRESHOLDS
    )
    assert "has run out of memory 3 times before" in check.summary


def test_open_files() -> None:
    full = trend(files=dict.fromkeys(range(1000), "socket:[9]"), file_limit=1024)
    check = assess_files(snapshot(full), THRESHOLDS)
    assert check.status == "critical"
    assert check.summary == "id 0 has 1,000 of 1,024 open files and sockets"
    assert check.evidence[0]["connections"] == "1 to 127.0.0.1:5432"
    assert assess_files(snapshot(trend(files=None)), THRESHOLDS).status == "unknown"
    assert assess_files(snapshot(trend(file_limit=None)), THRESHOLDS).not_judged
