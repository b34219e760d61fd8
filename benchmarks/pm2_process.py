"""A run of pm2_process that has nothing to do, against ``pm2 jlist`` alone.

``pm2 jlist`` is what every other way to find out about an app under PM2 begins with. Each side is a
process of its own, as on a target; the two are measured alternately.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

from benchmarks.measurement import MeasurementFailed, Setup, seconds_of
from tests.conftest import finish, start_module
from tests.support.pm2 import Pm2, own_pm2

PROMISE = 2.5


def measure(setup: Setup) -> None:
    with own_pm2() as own:
        app = {"name": "web", "exec_mode": "cluster", "instances": 2, "cwd": str(own.folder)}
        own.start(app)
        file = str(own.folder / "ecosystem.json")
        described = {"script": "app.js", "cwd": app["cwd"], "exec_mode": "cluster"}
        ways = {
            "by options": {**described, "instances": 2},
            "by an ecosystem file": {"config": file},
        }
        for way, options in ways.items():
            _compare(setup, own, way, options)


def _compare(setup: Setup, own: Pm2, way: str, options: dict[str, Any]) -> None:
    ours: list[float] = []
    theirs: list[float] = []
    # The first rounds warm the caches.
    for number in range(setup.rounds + 2):
        pair = (_seconds(own, options), seconds_of(lambda: own.cli("jlist", "--silent")))
        if number >= 2:
            ours.append(pair[0])
            theirs.append(pair[1])
    mine, other = statistics.median(ours), statistics.median(theirs)
    setup.promises.at_most(
        f"unchanged run of pm2_process, described {way} / pm2 jlist",
        mine / other,
        PROMISE,
        f"{mine:.2f} s / {other:.2f} s",
    )


def _seconds(own: Pm2, options: dict[str, Any]) -> float:
    given = {
        "name": "web",
        "state": "present",
        "pm2_home": str(own.home),
        "pm2_executable": str(own.package / "bin" / "pm2"),
        **options,
    }
    answer: list[str] = []

    def run() -> None:
        answer.append(finish(start_module("pm2_process", given), 60)[0])

    seconds = seconds_of(run)
    result = json.loads(answer[0])
    if result.get("failed") or result.get("changed") or not result.get("proven"):
        raise MeasurementFailed(f"pm2_process: {answer[0][:2000]}")
    return seconds
