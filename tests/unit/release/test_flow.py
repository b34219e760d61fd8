"""The steps of a plan, one after the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import PLANNED, Action
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Unreachable
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.flow import Flow
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.plan import SWITCH, TRIAL
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release


def test_the_engine_stops_half_way() -> None:
    """The report says which step failed, and which ones were not reached."""

    def trial(*_arguments: Any) -> Any:
        raise Unreachable("Cannot connect to the Docker daemon")

    release = Release("v2", "v2", "/srv/v2")
    parts: dict[str, Any] = {
        "snapshot": SimpleNamespace(layout=SimpleNamespace(store=None)),
        "target": SimpleNamespace(release=release),
        "backend": SimpleNamespace(trial=trial),
    }
    flow = Flow(Options("app"), **parts, switcher=cast(Any, None), report=lambda text: None)
    planned = [Action(name, PLANNED, "", "v2") for name in (TRIAL, SWITCH)]
    problem = flow.carry_out(planned)
    assert problem == "Cannot connect to the Docker daemon"
    assert [each.status for each in flow.actions] == ["failed", "skipped"]
