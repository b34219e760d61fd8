"""app.memory: against the limit at which PM2 restarts an instance."""

from __future__ import annotations

from tests.support.pm2_snapshots import MIB, assess, instance


def test_memory_is_judged_by_the_fullest_instance() -> None:
    rows = [
        instance(0, memory_limit=200 * MIB),
        instance(1, memory=90 * MIB, memory_limit=100 * MIB),
    ]
    check = assess(*rows)["app.memory"]
    assert (check.status, check.value, check.unit) == ("warning", 90.0, "percent")
    assert check.summary == (
        "id 1 uses 90 MiB of the 100 MiB at which PM2 restarts it, the highest share of 2 instances"
    )
    assert (
        assess(instance(0, memory=96 * MIB, memory_limit=100 * MIB))["app.memory"].status
        == "critical"
    )


def test_memory_without_a_limit_is_not_judged_and_without_a_measurement_unknown() -> None:
    check = assess(instance(0), instance(1, memory=70 * MIB))["app.memory"]
    assert (check.status, check.value) == ("ok", None)
    assert check.summary.startswith("id 1 uses 70 MiB, the most of 2 instances; not judged: ")
    assert "max_memory_restart" in check.not_judged
    assert (
        assess(instance(0, memory=0, memory_limit=100 * MIB))["app.memory"].status == "unknown"
    ), "0 is no measurement"


def test_an_app_that_does_not_run_uses_no_memory() -> None:
    assert "app.memory" not in assess(instance(0, "stopped", memory=0))
