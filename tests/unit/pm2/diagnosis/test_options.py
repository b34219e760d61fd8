"""The options of app_diagnosis."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.options import Options

PARAMS: dict[str, Any] = {
    "pm2_home": "/pm2",
    "app": ["web", "web"],
    "namespace": None,
    "window": 15.0,
    "log_hours": 24.0,
    "database_ports": [6000],
}


def test_valid_options() -> None:
    options = Options.from_params(PARAMS)
    assert (options.names, options.subject, options.ports) == (("web",), "web", (6000,))


@pytest.mark.parametrize(
    "wrong",
    [{"window": 2.0}, {"window": 601.0}, {"log_hours": 0.0}, {"database_ports": [0]}],
)
def test_values_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))}: "):
        Options.from_params({**PARAMS, **wrong})
