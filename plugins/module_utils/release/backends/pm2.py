# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app under PM2: where it runs, and how it moves into another release."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ...core.check import Check
from ...core.deadline import DeadlineExceeded
from ...core.errors import NotCollected, Unreachable, UsageError
from ...core.files import is_inside
from ...core.thresholds import Thresholds
from ...core.units import format_duration
from ...pm2.checks import CHECKS
from ...pm2.client import Client
from ...pm2.daemon import default_home
from ...pm2.process.collect import NotStarted, collect_app, require_idle
from ...pm2.process.options import Options as ProcessOptions
from ...pm2.process.switch import directory_of, reload_into
from ..adopt import adopt, repair
from ..backend import Live, Report, Switched
from ..build import build, remove, remove_unfinished
from ..collect import Snapshot, collect
from ..commands import inherited, shell
from ..guards import Facts, guard
from ..layout import locate
from ..options import Options
from ..program import Program, free_port
from ..record import Release
from ..store import Store
from ..target import Target, choose_target
from ..trial import trial
from .pm2_facts import facts
from .pm2_start import start_of
from .pm2_watch import Watch

#: Seconds for which an instance must stay up before the next one is reloaded.
_STABLE_FOR = 1.0
_POLL = 0.5


class Pm2:
    """A `Backend`: releases are folders, and a link leads to the live one."""

    manager = "PM2"

    def __init__(self, options: Options) -> None:
        self._options = options
        self.where = options.pm2_home
        self._process = ProcessOptions(
            home=options.pm2_home or default_home(),
            name=options.name,
            namespace=options.namespace,
            stable_for=_STABLE_FOR,
            timeout=options.timeout,
        )

    def prepare(self) -> None:
        cwd = self.live().cwd
        repair(self._options.root or f"{cwd}-releases", cwd)

    def snapshot(self) -> Snapshot:
        live = self.live()
        return collect(self._options, live, locate(self._options, live))

    def clean(self, store: Store) -> list[str]:
        return remove_unfinished(store)

    def target(self, snapshot: Snapshot, *, fetch: bool) -> Target:
        return choose_target(self._options, snapshot, fetch=fetch)

    def facts(self, snapshot: Snapshot, target: Target) -> Facts:
        return facts(self._options, snapshot, target)

    def guards(self, facts: Facts, thresholds: Thresholds) -> list[Check]:
        return guard(facts, self._options, thresholds)

    def output(self, release: Release, snapshot: Snapshot, command: str, seconds: float) -> str:
        environment = inherited(snapshot.live.environment)
        return shell(command, release.path, environment, seconds)

    def adopt(self, snapshot: Snapshot) -> None:
        adopt(snapshot.layout, snapshot.current)

    def build(self, snapshot: Snapshot, target: Target, report: Report) -> Release:
        if target.git is None:
            raise NotCollected("no repository is known")
        environment, store = snapshot.live.environment, snapshot.layout.store
        return build(self._options, store, target.git, target.release, environment, report)

    def trial(self, release: Release, report: Report) -> list[Check]:
        def start() -> Program:
            return Program(start_of(release, self._options), free_port())

        return trial(release, self._options, start, report)

    def watch(self, since: float | None) -> Watch:
        return Watch(self._options, since)

    def remove(self, store: Store, release: Release) -> None:
        remove(store, release)

    def live(self) -> Live:
        """Where the app runs; raises `NotCollected` or `Unreachable`."""
        rows = self._rows()
        env = rows[0]["pm2_env"]
        pids = [row["pid"] for row in rows if row.get("pid")]
        return Live(
            cwd=str(env.get("pm_cwd") or ""),
            folders=tuple(dict.fromkeys(filter(None, map(directory_of, pids)))),
            running=len(pids),
            node_version=str(env.get("node_version") or ""),
            environment=_environment(env),
        )

    def activate(
        self, release: Release, store: Store, report: Report, only_others: bool = False
    ) -> Switched:
        """Point the link to it, and let PM2 follow."""
        try:
            store.point(release.path)
        except OSError as error:
            return Switched(f"the link {store.link} cannot be changed: {error.strerror}")
        return self._reload(release, store.link, report, only_others)

    def _reload(self, release: Release, link: str, report: Report, only_others: bool) -> Switched:
        """Reload instance by instance; the first that does not come up ends it."""

        def show(newest: Mapping[str, Any]) -> None:
            for item in newest["work"]:
                report(f"{item['what']}: {item['phase']}")

        try:
            cwd = self.live().cwd
            # PM2 keeps a working directory that leads to the release; else it gets the link.
            leads_there = is_inside(os.path.realpath(cwd), release.path)
            cwd = cwd if leads_there else link
            directory = os.path.realpath(cwd)
            self._await_idle(report)
            outcome = reload_into(
                self._process, directory, show, cwd=cwd, only_others=only_others, try_first=False
            )
        except (Unreachable, NotCollected) as problem:
            return Switched(f"whether the app is back is not known: {problem}")
        except DeadlineExceeded:
            waited = format_duration(self._options.timeout)
            return Switched(f"PM2 did not answer within {waited}")
        except UsageError as problem:
            return Switched(str(problem))
        return Switched(outcome.problem, tuple(outcome.checks))

    def _await_idle(self, report: Report) -> None:
        """Wait until PM2 has ended what a killed run has begun; reload_into says if it does not."""
        end = time.monotonic() + self._options.start_within
        while self._is_busy() and time.monotonic() < end:
            report("waiting until PM2 has ended another reload")
            time.sleep(_POLL)

    def _is_busy(self) -> bool:
        thresholds = Thresholds(CHECKS)
        try:
            app, _then = collect_app(self._process, thresholds)
        except NotStarted:
            return False
        try:
            require_idle(app, self._process, thresholds)
        except NotStarted:
            return True
        return False

    def _rows(self) -> list[dict[str, Any]]:
        """PM2's rows of the app, by id."""
        with self._connect() as client:
            answer = client.call("getMonitorData", {})
        rows = [
            row
            for row in (answer[0] if answer and isinstance(answer[0], list) else [])
            if row.get("name") == self._options.name
            and self._options.namespace in (None, row["pm2_env"].get("namespace"))
        ]
        if not rows:
            raise NotCollected(
                f"PM2 has no app {self._options.name}",
                "Check the name with 'pm2 list', and start the app first.",
            )
        return sorted(rows, key=lambda row: int(row["pm2_env"].get("pm_id", 0)))

    def _connect(self) -> Client:
        return self._process.connect()


def _environment(env: Mapping[str, Any]) -> dict[str, str]:
    found = env.get("env")
    if not isinstance(found, dict):
        return {}
    return {str(name): str(value) for name, value in found.items() if not isinstance(value, dict)}
