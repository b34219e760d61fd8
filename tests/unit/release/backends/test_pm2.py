"""How an app under PM2 moves into another release."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backend import Live
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backends import pm2
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.store import Store


def test_the_name_of_one_release_begins_like_that_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PM2 is in releases/v10 without the link, so it must be told the link."""
    for name in ("v1", "v10"):
        (tmp_path / "releases" / name).mkdir(parents=True)
    store = Store(str(tmp_path), str(tmp_path / "current"))
    told: dict[str, Any] = {}

    def reload_into(_process: Any, directory: str, *_rest: Any, cwd: str, **_more: Any) -> Any:
        told.update(directory=directory, cwd=cwd)
        return SimpleNamespace(problem="", checks=[])

    monkeypatch.setattr(pm2, "reload_into", reload_into)
    monkeypatch.setattr(pm2.Pm2, "live", lambda self: Live(str(tmp_path / "releases/v10")))
    monkeypatch.setattr(pm2.Pm2, "_await_idle", lambda self, report: None)
    target = Release("v1", "v1", str(tmp_path / "releases/v1"))
    switched = pm2.Pm2(Options("app")).activate(target, store, lambda text: None)
    assert switched.problem == ""
    assert told == {"directory": target.path, "cwd": store.link}
