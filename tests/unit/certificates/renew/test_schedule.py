"""Whether something runs certbot regularly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.schedule import (
    Schedule,
    read_schedule,
    runs_certbot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.verdicts import (
    assess_schedule,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import Unit

DEBIAN = "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && certbot renew"


def test_debians_entry_in_cron_does_nothing_under_systemd() -> None:
    assert runs_certbot(DEBIAN, under_systemd=False)
    assert not runs_certbot(DEBIAN, under_systemd=True)
    assert runs_certbot("5 3 * * * certbot -q renew", under_systemd=True)
    assert not runs_certbot("# 5 3 * * * certbot -q renew", under_systemd=False)


def test_files_of_cron(tmp_path: Path) -> None:
    folder = tmp_path / "etc" / "cron.d"
    folder.mkdir(parents=True)
    (folder / "mine").write_text("5 3 * * * root /usr/local/bin/certbot renew\n")
    assert read_schedule(str(tmp_path)).cron == (str(folder / "mine"),)


TIMER = Unit("certbot.timer", active="active")
NOW_ONLY = Unit("certbot.timer", active="active", enabled="disabled")
OFF = Unit("certbot.timer", active="inactive")
FAILED = Unit("certbot.service", active="failed", result="exit-code")


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"timers": (TIMER,)}, "ok", "certbot runs by certbot.timer"),
        ({"timers": (TIMER,), "services": (FAILED,)}, "warning", "its last run failed"),
        ({"timers": (NOW_ONLY,)}, "warning", "not enabled"),
        ({"timers": (NOW_ONLY,), "cron": ("/etc/cron.d/c",), "cron_runs": True}, "ok", "runs by"),
        ({"timers": (OFF,)}, "warning", "certbot.timer is inactive"),
        ({"cron": ("/etc/cron.d/c",), "cron_runs": True}, "ok", "by /etc/cron.d/c"),
        ({"cron": ("/etc/cron.d/c",)}, "warning", "cron does not run"),
        ({"unseen": ("/var/spool/cron/crontabs/root",)}, "unknown", "cannot be seen"),
        ({}, "warning", "neither a timer nor"),
    ],
)
def test_the_verdict(given: dict[str, Any], status: str, words: str) -> None:
    check = assess_schedule(Schedule(**given), Thresholds(CHECKS))
    assert check.status == status
    assert words in check.summary
