"""The options of pm2_health, and its usage errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.options import Options
from ansible_collections.gpt_agent.runbook.plugins.modules import pm2_health as module

PARAMS = {
    "app": [],
    "namespace": None,
    "pm2_home": None,
    "instances": None,
    "window": 24.0,
    "error_logs": [],
    "timeout": 10.0,
}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"instances": 0}, "instances: 0 is not a number above 0"),
        ({"window": 0.0}, "window: 0 is not a number of hours"),
        ({"window": float("nan")}, "window: nan is not a number of hours"),
        ({"error_logs": ["/x"]}, "error_logs: needs the name of exactly one app in 'app'"),
        ({"error_logs": ["/x"], "app": ["a", "b"]}, "error_logs: needs the name of exactly one"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_sentence(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=f"^{sentence}"):
        Options.from_params({**PARAMS, **given})


def test_options_that_make_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PM2_HOME", "/srv/pm2")
    assert Options.from_params(PARAMS) == Options("/srv/pm2")
    given = {"app": ["web", "web"], "error_logs": ["/x"], "pm2_home": "/opt/pm2"}
    options = Options.from_params({**PARAMS, **given})
    assert options == Options("/opt/pm2", names=("web",), error_logs=("/x",))
    assert options.subject == "web"


def answer_of(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_module_fails_for_usage_errors_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer_of(capsys, pm2_home=str(tmp_path), instances=-1)["msg"].startswith(
        "instances: -1"
    )
    assert (
        "did you mean 'app.memory'"
        in answer_of(capsys, pm2_home=str(tmp_path), thresholds={"app.memry": {"warning": 1}})[
            "msg"
        ]
    )
    answer = answer_of(capsys, pm2_home=str(tmp_path), app=["gpt-agent"])
    assert "failed" not in answer
    assert [(check["name"], check["status"], check["subject"]) for check in answer["checks"]] == [
        ("app.process", "critical", "gpt-agent")
    ]
    assert list(tmp_path.iterdir()) == []
