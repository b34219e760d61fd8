# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the containers of an app after a switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...core.check import CRITICAL, OK, UNKNOWN, Check
from ...core.errors import NotCollected, Unreachable
from ...core.thresholds import Thresholds
from ...core.units import pluralize
from ..record import Release
from .container import Container
from .project import Project

Look = Mapping[str, Sequence[Container]]


class Watch:
    """Checks the containers as often as it is told to, and judges what it saw."""

    def __init__(self, project: Project, app: str) -> None:
        self._project = project
        self._app = app
        self._looks: list[Look] = []
        self.unreachable = ""

    @property
    def running(self) -> int:
        return sum(map(len, self._looks[-1].values())) if self._looks else 0

    def look(self) -> None:
        try:
            self._looks.append(self._project.containers())
        except (NotCollected, Unreachable) as problem:
            self.unreachable = str(problem)

    def problem(self, release: Release) -> str:
        return containers_problem(self._looks, release)

    def check_process(self, release: Release, thresholds: Thresholds) -> Check:
        name = "release.process"
        problem = self.problem(release)
        status, text = CRITICAL, problem
        if not problem and (self.unreachable or not self._looks):
            status, text = UNKNOWN, f"Docker could not be asked each time: {self.unreachable}"
        elif not problem:
            many = pluralize(self.running, "container")
            status, text = OK, f"{many} of {self._app} run {release.id}, with no restart"
            return thresholds.verdict(name, OK, text, subject=self._app, value=self.running)
        remedy = "Read 'docker compose logs'; if the release stays live, roll it back."
        return thresholds.verdict(name, status, text, subject=self._app, remedy=remedy)

    def check_errors(self, thresholds: Thresholds) -> Check:
        return thresholds.not_judged(
            "release.errors",
            "error messages not compared",
            "the log of a container is gone with it",
            subject=self._app,
        )


def containers_problem(looks: Sequence[Look], release: Release) -> str:
    """What was wrong with an app's containers at any of these looks; empty if nothing was."""
    first = {one.id: one for found in looks[0].values() for one in found} if looks else {}
    for look in looks:
        for service, found in look.items():
            if not found:
                return f"service {service} has no container"
            for one in found:
                problem = _problem(one, first, release)
                if problem:
                    return f"{one.name}: {problem}"
    return ""


def _problem(one: Container, first: Mapping[str, Container], release: Release) -> str:
    if one.image != release.path:
        return f"it runs {one.reference or one.image}, not {release.image}"
    if one.problem:
        return one.problem
    if one.id not in first:
        return "it was made anew while it was watched"
    many = one.restarts - first[one.id].restarts
    return f"it restarted {pluralize(many, 'time')} while it was watched" if many > 0 else ""
