"""The verdicts on logs and their rotation."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.open_files import OpenFile
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.plan import Declined, Plan
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.sharing import Shared
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.snapshot import (
    Log,
    Snapshot,
)

THRESHOLDS = Thresholds(CHECKS)
OPTIONS = Options(("/l/*.log",), pm2_home="/p")
LOG = Log("/l/a.log", 5, "deploy")
DAY = 86400.0
HOLDER = OpenFile(7, "node", "deploy", "/l/a.log.1", True, True, (1, 2), 9, 3 << 30)


def verdicts(plan: Plan, **facts: Any) -> dict[str, tuple[str, str]]:
    found = Snapshot(**{"program": "/usr/sbin/logrotate", "now": 10 * DAY, **facts})
    checks = assess.assess(found, plan, OPTIONS, THRESHOLDS)
    return {check.name.removeprefix("logs."): (check.status, check.summary) for check in checks}


def test_nothing_is_wrong() -> None:
    found = verdicts(Plan("x", managed=[LOG]), last_run=9.5 * DAY)
    assert {status for status, _summary in found.values()} == {"ok"}
    assert found["schedule"][1] == "logrotate last ran 12 h ago"


@pytest.mark.parametrize(
    ("plan", "facts", "check", "status", "text"),
    [
        (Plan("x"), {"program": ""}, "configuration", "warning", "logrotate is not installed"),
        (Plan("x"), {"installed": "y"}, "configuration", "warning", "not written by this"),
        (
            Plan("x", managed=[LOG]),
            {"errors": ["error: other:3 unknown option 'dayli'"], "last_run": 9.5 * DAY},
            "schedule",
            "warning",
            "logrotate last ran 12 h ago, and fails each time: error: other:3 unknown",
        ),
        (Plan("x"), {"is_read": False}, "configuration", "warning", "Nothing rotates these logs"),
        (
            Plan("", [Declined("/l/*.log", "others do")]),
            {},
            "configuration",
            "warning",
            "others do",
        ),
        (
            Plan("x", [Declined("/m/*.log", "there is no folder /m", "/m")], keeps=True),
            {},
            "configuration",
            "critical",
            "/m/*.log is not rotated: there is no folder /m. /etc/logrotate.d/gpt-agent-runbook "
            "rotates other logs, and stays as it is: this run rotates nothing",
        ),
        (
            Plan("x", shared=[Shared("/l/*.log", {"/l/e.log": "/etc/f"}, [LOG], ["/l/a.log"])]),
            {},
            "configuration",
            "warning",
            "/etc/f rotates /l/e.log, so /etc/logrotate.d/gpt-agent-runbook names the other 1 log "
            "of /l/*.log one by one",
        ),
        (
            Plan("x", shared=[Shared("/l/*.log", {"/l/e.log": "/etc/f"}, unsafe=["/l/[.log"])]),
            {},
            "configuration",
            "critical",
            "Nothing rotates /l/[.log",
        ),
        (Plan("x"), {}, "schedule", "ok", "it should run within a day"),
        (Plan("x"), {}, "configuration", "ok", "no log of these names exists yet"),
        (Plan("x"), {"last_run": 7 * DAY}, "schedule", "warning", "3 days ago"),
        (Plan("x"), {"last_run": DAY}, "schedule", "critical", "9 days ago"),
        (Plan("x"), {}, "schedule", "ok", "not judged"),
        (Plan("x"), {"pm2_logrotate": True}, "pm2_logrotate", "warning", "loses what is written"),
        (Plan("x"), {"deleted": [HOLDER]}, "deleted_open", "warning", "process 7 (node"),
        (Plan("x"), {"unseen": 3}, "deleted_open", "ok", "of 3 processes the files cannot be seen"),
    ],
)
def test_what_is_wrong(
    plan: Plan, facts: dict[str, Any], check: str, status: str, text: str
) -> None:
    found = verdicts(plan, **facts)[check]
    assert found[0] == status
    assert text in found[1]


def test_writers_of_what_is_rotated() -> None:
    check = assess.released(["/l/a.log.1"], [HOLDER], False, THRESHOLDS)
    assert (check.status, check.value) == ("critical", 1)
    assert "process 7 (node, user deploy) still writes to 1 rotated log" in check.summary
    hidden = assess.released(["/l/a.log.1"], [], False, THRESHOLDS)
    assert "a process that this user cannot see" in hidden.summary
    assert assess.released([], [], True, THRESHOLDS).status == "unknown"
    assert assess.released([], [], False, THRESHOLDS).status == "ok"


def test_the_archive_and_no_logs() -> None:
    kept = Options(("/l/*.log",), archive_dir="/b")
    assert assess.archived([], 2, [], kept, THRESHOLDS).status == "ok"
    assert assess.archived([], 0, ["no space"], kept, THRESHOLDS).status == "critical"
    assert assess.archived([], 0, [], OPTIONS, THRESHOLDS).not_judged
    assert assess.no_logs(THRESHOLDS).not_judged
