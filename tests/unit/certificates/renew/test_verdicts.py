"""The verdicts on renewals."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.certbot import (
    Answer,
    Attempt,
    HookFailure,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.lineage import (
    Lineage,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.verdicts import (
    assess_lineage,
    assess_rehearsal,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from tests.support.certificates import NOW, certificate

THRESHOLDS = Thresholds(CHECKS)


def assessed(left: float = 60, renewed: bool = False, error: str = "", **more: Any) -> Check:
    lineage = Lineage("a", **{"certificate": certificate(left), "linked": 1, "newest": 1, **more})
    return assess_lineage(lineage, (5, 8), renewed, error, THRESHOLDS, NOW)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({}, "ok", "due on 2026-12-23; 60 days left"),
        ({"left": 20}, "ok", "due since 2026-11-13; 20 days left"),
        ({"left": 14}, "warning", "due since 2026-11-07, and not renewed yet; 14 days left"),
        ({"left": -2}, "critical", "expired on 2026-11-21, and not renewed"),
        ({"left": -2, "renew_before": "soon"}, "critical", "and not renewed"),
        ({"left": 90, "renewed": True}, "ok", "renewed: 90 days left"),
        ({"left": 20, "error": "Timeout"}, "critical", "20 days left, until 2026-12-13; the auth"),
        ({"left": -2, "error": "Timeout"}, "critical", "expired on 2026-11-21"),
        ({"newest": 2}, "warning", "leads to version 1, though 2 exists"),
        ({"automatic": False}, "ok", "not judged: autorenew is off"),
        ({"renew_before": "soon"}, "ok", "not judged: renew_before_expiry is 'soon'"),
        ({"certificate": None, "problem": "broken"}, "critical", "cannot renew it: broken"),
    ],
)
def test_a_certificate(given: dict[str, Any], status: str, words: str) -> None:
    check = assessed(**given)
    assert check.status == status
    assert words in check.summary


def test_a_rehearsal() -> None:
    answers = {
        "good": Answer(0, {"good": Attempt()}, ran_deploy_hooks=True),
        "old": Answer(0, {"old": Attempt()}),
        "hook": Answer(0, {"hook": Attempt(hooks=(HookFailure("deploy-hook x", 3, "no"),))}),
        "bad": Answer(1, {"bad": Attempt("Some challenges have failed.")}),
        "none": Answer(1, error="Another instance of Certbot is already running."),
    }
    checks = assess_rehearsal(answers, THRESHOLDS)
    assert [one.status for one in checks] == ["ok", "ok", "critical", "critical", "critical"]
    assert "cannot rehearse its deploy hooks" in checks[1].summary
    assert "deploy-hook x failed (exit code 3): no" in checks[2].summary
    assert "the challenge failed" in checks[3].summary
