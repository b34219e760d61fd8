"""Runs that are killed at random moments: the app answers, and the next run puts things right.

``RUNBOOK_KILLS=200 pytest tests/integration/release/test_kills.py`` tries more moments.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    GOOD,
    Switch,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.store import Store
from tests.conftest import RunModule
from tests.support.checkouts import SERVER, Checkout
from tests.support.pm2 import own_pm2
from tests.support.releases import ONLY_ON_TRIAL, answer_of, stream_of_requests

KILLS = int(os.environ.get("RUNBOOK_KILLS", "10"))
#: Runs that are killed one after the other, each of which finds what the ones before have left.
IN_A_ROW = 5
SOON = {"trial_for": 0.1, "bake": 0.1, "start_within": 4.0, "keep": 100}


class Killer:
    """Kills runs of an app at moments that are spread over what a whole run takes here."""

    def __init__(self, app: Checkout) -> None:
        self.app = app
        self.records = Path(f"{app.path}-releases") / ".runbook"
        self._moments = random.Random(11)
        self._whole = 3.0

    def kill(self, state: str, begin: float = 0.1, **options: Any) -> None:
        run = self.app.start(state, **{**SOON, **options})
        time.sleep(self._moments.uniform(begin * self._whole, self._whole))
        run.kill()
        run.communicate()

    def whole(self, state: str, **options: Any) -> dict[str, Any]:
        """A run that is left alone."""
        began = time.monotonic()
        answer = answer_of(self.app.start(state, **{**SOON, **options}))
        self._whole = time.monotonic() - began
        return answer

    def require_clean(self, version: str) -> None:
        assert self.app.version == version
        assert not (self.records / "pending.json").exists()
        assert not list(self.records.glob("releases/*.building"))
        (live,) = self.app.folders()
        assert live == os.path.realpath(self.app.path)


def test_at_any_moment(run_module: RunModule) -> None:
    """Each kind has an app of its own, and they share the time: most of it is spent waiting."""

    def carry_out(kind: Callable[[Killer], None]) -> None:
        with own_pm2() as pm2:
            kind(Killer(Checkout(pm2, run_module)))

    with ThreadPoolExecutor() as pool:
        for run in [pool.submit(carry_out, kind) for kind in (deploy, roll_back, go_back)]:
            run.result()


def deploy(killer: Killer) -> None:
    """The next one completes it, or takes it back and goes where it is told to.

    The first ones find a plain checkout, which they adopt.
    """
    with stream_of_requests(killer.app.url) as requests:
        for number in range(KILLS):
            version = killer.app.commit(f"2.{number}.0", server=SERVER)
            killer.kill("deployed", version=version)
            if number % IN_A_ROW == IN_A_ROW - 1 or number == KILLS - 1:
                answer = killer.whole("deployed", version=version)
                assert answer["proven"], answer
                killer.require_clean(version)
    assert requests.failures == []


def roll_back(killer: Killer) -> None:
    """Each goes further back or stays, and the next one completes it."""
    many = KILLS + KILLS // IN_A_ROW + 2
    newest = killer.app.commit(f"3.{many}.0", server=SERVER)
    assert killer.whole("deployed", version=newest)["proven"]
    were_live(killer, newest, many)
    proven = many
    with stream_of_requests(killer.app.url) as requests:
        for number in range(KILLS):
            killer.kill("rolled_back")
            # In the middle of a switch some instances are those of the release before.
            assert int(killer.app.version.split(".")[1]) <= proven, "it went forward"
            if number % IN_A_ROW == IN_A_ROW - 1 or number == KILLS - 1:
                answer = killer.whole("rolled_back")
                assert answer["proven"], answer
                now = int(killer.app.version.split(".")[1])
                assert now < proven
                proven = now
                killer.require_clean(f"v3.{now}.0")
    assert requests.failures == []


def were_live(killer: Killer, newest: str, many: int) -> None:
    """Older releases, which were good when they were live."""
    store = Store(str(killer.records.parent), str(killer.app.path))
    live = next(one for one in store.releases().values() if one.version == newest)
    switches = []
    for number in range(many):
        identity = f"v3.{number}.0"
        path = Path(live.path).with_name(identity)
        shutil.copytree(live.path, path)
        (path / "package.json").write_text(json.dumps({"version": identity[1:]}))
        store.write(
            replace(live, id=identity, version=identity, path=str(path), commit="", status=GOOD)
        )
        after = live.id if number == many - 1 else f"v3.{number + 1}.0"
        switches.append(Switch(float(number), "deploy", identity, after))
    (killer.records / "history.jsonl").unlink()
    for switch in switches:
        store.append(switch)


def go_back(killer: Killer) -> None:
    """The next run goes back, says why, and has done what it was asked for."""
    good = killer.app.commit("4.0.0", server=SERVER)
    assert killer.whole("deployed", version=good)["proven"]
    bad = killer.app.commit("4.1.0", server=ONLY_ON_TRIAL, real=SERVER)
    answer = killer.whole("deployed", version=bad)
    assert answer["msg"].endswith("is live again"), answer
    for _kill in range(max(1, KILLS // 3)):
        killer.kill("deployed", begin=0.4, version=bad)
        if (killer.records / "pending.json").exists():
            answer = answer_of(killer.app.start("rolled_back", **SOON))
            assert answer["proven"], answer
            (action,) = answer["actions"]
            assert "did not prove itself" in action["reason"] or "killed" in action["reason"]
        answer = answer_of(killer.app.start("deployed", version=good, **SOON))
        assert answer["proven"], answer
        killer.require_clean(good)
