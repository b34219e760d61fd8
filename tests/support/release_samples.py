"""Releases as plain data, for tests of what is decided about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backend import Live
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.collect import Snapshot
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.guards import Facts
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.layout import Layout
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    GOOD,
    Release,
    Switch,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.store import Store
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.target import Target

THRESHOLDS = Thresholds(CHECKS)
OLD = Release("v1", "v1", "/srv/releases/v1", status=GOOD, built=1.0, verified=1.0)
NEW = Release("v2", "v2", "/srv/releases/v2", status=GOOD, built=2.0, verified=2.0)
BACK = Options(name="app", state="rolled_back")
FORWARD = Options(name="app", state="deployed", version="v3")


@dataclass
class Files:
    """The files of a release; a folder's names are those of the files in it."""

    content: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str:
        return self.content.get(path, "")

    def names(self, folder: str) -> list[str]:
        start = f"{folder}/"
        return [name[len(start) :] for name in self.content if name.startswith(start)]


def snapshot(*releases: Release, checkout: bool = False, **changes: Any) -> Snapshot:
    """v2 is live, after v1."""
    given = {release.id: release for release in (OLD, NEW, *releases)}
    found = Snapshot(
        Live("/srv/current", (NEW.path,), 2, "22.1.0"),
        Layout(Store("/srv"), checkout),
        given["v2"],
        given,
        [Switch(1.0, "deploy", "", "v1"), Switch(2.0, "deploy", "v1", "v2")],
    )
    return replace(found, **changes)


def target(release: Release = OLD, *, exists: bool = True, **files: str) -> Target:
    content = {name.replace("__", "/"): text for name, text in files.items()}
    return Target(release, exists, Files(content))


def facts(goal: Target, migrations: tuple[str, ...] | None = (), **changes: Any) -> Facts:
    found = Facts(snapshot(), goal, 5 << 30, migrations, variables=frozenset(("PORT", "URL")))
    return replace(found, **changes)
