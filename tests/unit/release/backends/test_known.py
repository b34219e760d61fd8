"""An app that does not run under PM2: what works, and what says so."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backend import Backend
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backends.known import (
    backend_of,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.probe import probe
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.rebuild import (
    Rebuild,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch import (
    operation as watch,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.watch.options import (
    Options as WatchOptions,
)
from tests.support.release_samples import THRESHOLDS

WHERE = [("docker", "app runs under Docker"), ("vercel", "app runs on Vercel")]
#: Whatever were called of it would fail.
NOTHING = cast(Backend, object())


def test_each_has_its_own() -> None:
    assert backend_of(Options("app")).manager == "PM2"
    with pytest.raises(UsageError, match="compose_project_dir: is needed"):
        backend_of(Options("app", backend="docker"))


@pytest.mark.parametrize(("backend", "where"), WHERE)
def test_what_only_pm2_can_be_asked_is_unknown_elsewhere(backend: str, where: str) -> None:
    options = Options("app", backend=backend)
    watched = watch.Watch(WatchOptions(options), NOTHING, THRESHOLDS).run()
    rebuilt = Rebuild(options, NOTHING, THRESHOLDS).run()
    results: dict[str, Any] = {**watched.results, **rebuilt.results}
    assert results == {"healthy": False, "roll_back": False, "release": "", "builds": False}
    (found,) = probe(options, NOTHING, THRESHOLDS, Deadline(1))
    for check in (*watched.checks, *rebuilt.checks, found):
        assert check.status == "unknown"
        assert check.summary.endswith(f"{where}, and this needs PM2")
        assert "Vercel" in check.remedy or "vercel" in check.remedy
