"""All verdicts on an app, and whether there is evidence at all."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.assess import (
    assess,
    is_collected,
    unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.signs import (
    HEAP,
    LEAK,
    Sign,
)
from tests.support.app_watch import NOW, THRESHOLDS, connection, snapshot, trend

OPTIONS = Options("/pm2", ("web",))
IDLE = trend(database=[connection(5, 4)], used=[20] * 15, figures={"delay": 0.01})


def test_a_healthy_app() -> None:
    checks = list(assess([snapshot(IDLE)], OPTIONS, THRESHOLDS))
    assert {check.status for check in checks} == {"ok"}
    assert is_collected(checks)


def test_an_app_that_is_not_there() -> None:
    for name in ("", "web"):
        options = Options("/pm2", (name,) if name else ())
        (check,) = assess([], options, THRESHOLDS)
        assert (check.status, check.subject) == ("unknown", name)
        assert not is_collected([check])
    assert not is_collected([unreachable("no socket", OPTIONS, THRESHOLDS)])


def test_an_app_without_an_instance_to_watch() -> None:
    for seen, text in (
        (snapshot(), "no instance is online"),
        (replace(snapshot(), replaced=(0,)), "every instance was restarted"),
        (replace(snapshot(), hidden=True), "in another container"),
    ):
        checks = list(assess([seen], OPTIONS, THRESHOLDS))
        assert text in checks[0].summary
        assert not is_collected(checks)


def test_messages_in_the_logs() -> None:
    for kind, status in ((HEAP, "critical"), (LEAK, "warning")):
        seen = snapshot(IDLE, signs=[Sign(kind, "text", 2, NOW, NOW)])
        check = next(
            each for each in assess([seen], OPTIONS, THRESHOLDS) if each.name == "app.log_signs"
        )
        assert (check.status, check.value) == (status, 2)
    (check,) = [
        each
        for each in assess([snapshot(IDLE, unread=["/log: denied"])], OPTIONS, THRESHOLDS)
        if each.name == "app.log_signs"
    ]
    assert check.status == "unknown"
