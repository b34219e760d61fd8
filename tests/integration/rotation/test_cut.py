"""Logs that stay open: copied by the real logrotate, and then shortened, at full speed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from itertools import chain

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.config_file import (
    Group,
    cut_patterns,
    render,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.cut import begin, pending
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.options import Options
from demo.processes import wait_until
from tests.conftest import start_module
from tests.support.pm2 import own_pm2
from tests.support.rotation import (
    BUSY,
    Place,
    actions,
    as_cron,
    kill_all,
    logrotate,
    needs_cut,
    needs_logrotate,
    rotated_file,
    status_of,
)

pytestmark = [needs_logrotate, needs_cut]


def test_every_line_of_apps_at_full_speed_under_pm2_is_in_one_place(place: Place) -> None:
    """In both modes of PM2, and with logrotate, or what it has started, killed at any moment."""
    chance = random.Random(41)
    with own_pm2() as pm2:
        (pm2.folder / "busy.js").write_text(BUSY)
        stop = pm2.folder / "stop"
        logs = [place.logs / f"{mode}.log" for mode in ("fork", "cluster")]
        pm2.start(
            *(
                {"name": log.stem, "exec_mode": log.stem, "script": "./busy.js", "merge_logs": True}
                | {"out_file": str(log), "error_file": str(log), "args": [str(stop), str(part)]}
                for part, log in enumerate(logs)
            )
        )
        assert wait_until(lambda: all(log.exists() and log.stat().st_size for log in logs), 30)
        options = {"force": True, "pm2_home": str(pm2.home)}
        first = place.run(keep=0, **options)
        assert not first.get("failed"), first
        assert {("done", log.name) for log in logs} <= set(actions(first, "rotate"))
        assert sorted(cut_patterns(place.config.read_text())) == [str(place.logs / "*.log")]
        for _attempt in range(6):
            with start_module("log_rotation", place.options(keep=0, **options)) as module:
                time.sleep(chance.random() * 0.8)
                kill_all(module.pid, chance)
            with subprocess.Popen([*as_cron(place), "--force", str(place.config)]) as cron:
                time.sleep(chance.random() * 0.4)
                cron.kill()
        last = place.run(keep=1, **options)
        assert not last.get("failed"), last
        assert place.run(keep=1, pm2_home=str(pm2.home))["changed"] is False
        stop.write_text("")
        counts = [pm2.folder / f"stop.{part}" for part in range(2)]
        assert wait_until(lambda: all(each.exists() and each.read_text() for each in counts), 30)
        written = [2 * int(each.read_text()) for each in counts]
    expected = chain.from_iterable(range(part, written[part], 2) for part in range(2))
    assert place.lines() == dict.fromkeys(expected, 1)
    for log in logs:
        assert pending(str(log)) == []
        assert log.read_text().startswith(f"# The lines before this are in {log.name}-")


def test_who_keeps_another_log_open_does_not_make_pm2_open_its_own_again(place: Place) -> None:
    """PM2 drops lines when it does."""
    other = place.root / "other"
    other.mkdir()
    with own_pm2() as pm2, place.writer("../other/other.log", deaf=True):
        log = place.logs / "app.log"
        pm2.run({"name": "app", "out_file": str(log), "merge_logs": True})
        paths = [str(folder / "*.log") for folder in (place.logs, other)]
        done = place.run(paths=paths, force=True, pm2_home=str(pm2.home), wait=0.2)
        assert status_of(done, "released") == "critical"
        assert actions(done, "reopen") == [("skipped", "")], "no one is named who could be told"
        assert "Reloading logs" not in (pm2.home / "pm2.log").read_text()


def test_a_log_with_less_than_a_block_stays_as_the_plan_says(place: Place) -> None:
    home, log = place.root / "pm2", place.logs / "app.log"
    home.mkdir()
    (home / "pm2.pid").write_text(str(os.getpid()))
    log.write_text("x\n")
    options = {"force": True, "pm2_home": str(home)}
    with log.open("a") as stream, subprocess.Popen(["sleep", "60"], stdout=stream) as writer:
        try:
            assert actions(place.run(check=True, **options), "rotate") == [("skipped", "app.log")]
            assert place.run(**options)["rotated"] == []
        finally:
            writer.kill()
    assert (log.read_text(), place.rotated()) == ("x\n", [])


def test_a_copy_that_was_not_yet_taken_off_its_log(place: Place) -> None:
    """Killed between the copy and what follows it: the plan says so, and the run completes it."""
    log = place.logs / "app.log"
    log.write_bytes(b"".join(b"line %d %s\n" % (number, b"x" * 60) for number in range(2000)))
    begin(str(log), 0)
    copy = rotated_file(place.logs, "app.log-20261128-1795824000", log.read_bytes()[:70000])
    plan = place.run(check=True, keep=0)
    assert actions(plan, "tidy") == [("planned", copy.name)]
    done = place.run(keep=0)
    assert actions(done, "tidy") == [("done", copy.name)]
    assert place.archived() == [f"{copy.name}.gz"]
    assert place.lines() == dict.fromkeys(range(2000), 1)
    assert place.run(keep=0)["changed"] is False


def test_a_log_that_cannot_be_copied_keeps_no_other_from_it(place: Place) -> None:
    """There is no space for it; what was rotated before is compressed, which makes some."""
    for name in ("app.log", "big.log", "web.log"):
        (place.logs / name).write_bytes(b"line 1 %s\n" % (b"x" * 60) * 200)
    options = Options((str(place.logs / "*.log"),), keep_free=0)
    group = Group(options.paths, cut=True)
    place.config.write_text(render(options, [group], shutil.which("gzip") or "", sys.executable))
    assert logrotate(place, "--force", str(place.config)).returncode == 0
    with (place.logs / "big.log").open("ab") as stream:
        stream.truncate(1 << 42)
    for name in ("app.log", "web.log"):
        with (place.logs / name).open("ab") as stream:
            stream.write(b"line 2 %s\n" % (b"x" * 60) * 200)
    time.sleep(1)
    refused = logrotate(place, "--force", str(place.config))
    assert refused.returncode == 1
    assert "big.log: copying it would leave less than 0 bytes free" in refused.stderr
    ends = [name.partition(".log-")[0] + name[-3:] for name in place.rotated()]
    assert [each for each in ends if each.endswith(".gz")] == ["app.gz", "big.gz", "web.gz"]
    assert [each[:3] for each in ends if not each.endswith(".gz")] == ["app", "web"]
    (place.logs / "big.log").unlink()
    assert place.lines()[2] == 400
    assert [path.name for path in place.logs.iterdir() if path.is_symlink()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other permissions to give up")
def test_who_began_a_copy_needs_the_permissions_to_complete_it(place: Place) -> None:
    """The folder was the user's, who has turned it into a link to one of root's."""
    place.root.chmod(0o755)
    log = place.logs / "app.log"
    log.write_bytes(b"line 1 %s\n" % (b"x" * 60) * 200)
    begin(str(log), 0)
    copy = rotated_file(place.logs, "app.log-20261128-1795824000", log.read_bytes())
    os.lchown(log.with_name(".app.log.rotating"), 65534, 65534)
    whole = log.read_bytes()
    failed = place.run(keep=1)
    assert ("failed", "app.log") in actions(failed, "tidy"), failed
    assert (log.read_bytes(), copy.read_bytes()) == (whole, whole)


def test_a_copy_that_cannot_be_taken_off_is_not_archived(place: Place) -> None:
    logs = [place.logs / name for name in ("app.log", "web.log")]
    copies = []
    for log in logs:
        log.write_bytes(b"".join(b"line %d %s\n" % (each, b"x" * 60) for each in range(2000)))
        begin(str(log), 0)
        copies.append(rotated_file(place.logs, f"{log.name}-20261128-1795824000", log.read_bytes()))
    second_name = place.root / "name"
    os.link(logs[0], second_name)
    failed = place.run(keep=0)
    second_name.unlink()
    assert set(actions(failed, "tidy")) == {("failed", "app.log"), ("done", copies[1].name)}
    assert place.archived() == [f"{copies[1].name}.gz"]
    assert not place.run(keep=0).get("failed")
    assert place.lines() == dict.fromkeys(range(2000), 2)
