# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which logs can be rotated while they stay open; this process stands for PM2's daemon."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.snapshot import Log
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.writers import (
    cuttable,
    writers_by_log,
    written_by_pm2,
)
from tests.support.rotation import needs_cut


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="runbook-pm2-") as folder:
        (Path(folder) / "pm2.pid").write_text(str(os.getpid()))
        (Path(folder) / "a.log").write_text("x")
        yield Path(folder)


def found(home: Path, options: Options, before: frozenset[str] = frozenset()) -> bool:
    log = home / "a.log"
    logs = {"a": [Log(str(log), log.stat().st_size, "deploy")]}
    return bool(cuttable(logs, writers_by_log([str(log)]), options, before))


@contextmanager
def writer(log: Path, mode: str) -> Iterator[int]:
    """A process that has a log open."""
    with log.open(mode) as stream, subprocess.Popen(["sleep", "60"], stdout=stream) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@needs_cut
def test_logs_of_pm2_to_which_all_append(home: Path) -> None:
    options, log = Options(pm2_home=str(home), keep_free=0), home / "a.log"
    assert not found(home, options), "no one writes it"
    assert found(home, options, frozenset({"a"})), "while PM2 does not run, it is as before"
    with writer(log, "a") as process:
        assert found(home, options)
        assert not found(home, replace(options, pm2_reload=True))
        assert not found(home, replace(options, keep_free=1 << 60)), "no space for a copy"
        assert not found(home, replace(options, pm2_home=""))
        with writer(log, "r+"):
            assert not found(home, options), "what it writes next would leave a hole"
        (home / "pm2.pid").write_text(str(process + 1))
        assert not found(home, options), "PM2 is another process"


def test_without_its_process_all_may_be_logs_of_pm2(home: Path) -> None:
    paths = [str(home / "a.log"), str(home / "b.log")]
    assert written_by_pm2(paths, {}, str(home)) == set(paths)
    assert written_by_pm2(paths, {}, "") == set()
    with writer(home / "a.log", "a"):
        assert written_by_pm2(paths, writers_by_log(paths), str(home)) == {paths[0]}
