"""Rotation by the real logrotate, of logs that are written at full speed."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import threading
import time

import pytest

from demo.processes import wait_until
from tests.conftest import start_module
from tests.support.pm2 import own_pm2
from tests.support.rotation import (
    LOGROTATE,
    Place,
    actions,
    kill_all,
    logrotate,
    needs_logrotate,
    rotated_file,
    status_of,
    summary_of,
)

pytestmark = needs_logrotate


def test_every_line_of_a_writer_at_full_speed_is_in_one_place(place: Place) -> None:
    with place.writer() as writer:
        first = place.run(force=True, keep=0, **place.follows())
        assert status_of(first, "released") == "ok", first
        assert actions(first, "rotate") == [("done", "app.log")]
        for _second in range(2):
            again = place.run(force=True, keep=1, **place.follows())
            assert actions(again, "rotate") == [("done", "app.log")], again
        assert writer.poll() is None
    assert len(place.archived()) == 1
    assert [name.endswith(".gz") for name in place.rotated()] == [True, False]
    assert place.lines() == dict.fromkeys(range(place.written), 1)


def test_killed_at_any_moment_no_line_is_lost_and_the_next_run_completes(place: Place) -> None:
    chance = random.Random(14)
    with place.writer():
        for _attempt in range(8):
            module = start_module(
                "log_rotation", place.options(force=True, keep=0, **place.follows())
            )
            time.sleep(chance.random() * 0.8)
            kill_all(module.pid, chance)
            module.communicate()
        done = place.run(force=True, keep=0, **place.follows())
        assert not done.get("failed"), (done["msg"], done["actions"])
        assert status_of(done, "released") == "ok"
    assert place.lines() == dict.fromkeys(range(place.written), 1)


def test_cron_may_rotate_and_compress_at_the_same_moment(place: Place) -> None:
    """A logrotate of cron starts again and again, while this archives what it has rotated."""
    with place.writer():
        place.run(force=True, keep=1, **place.follows())
        over = threading.Event()

        def cron() -> None:
            while not over.is_set():
                logrotate(place, "--force", str(place.config))
                over.wait(0.3)

        thread = threading.Thread(target=cron)
        thread.start()
        try:
            for _attempt in range(3):
                place.run(keep=0, **place.follows())
        finally:
            over.set()
            thread.join()
        last = place.run(keep=0, **place.follows())
        assert not last.get("failed"), (last["msg"], last["actions"])
    assert place.lines() == dict.fromkeys(range(place.written), 1)
    assert place.archived()


def test_the_plan_the_first_run_and_one_that_changes_nothing(place: Place) -> None:
    (place.logs / "app.log").write_text("a\n")
    plan = place.run(check=True, force=True)
    assert [each["status"] for each in plan["actions"]] == ["planned", "planned"], plan
    assert not place.config.exists()
    first = place.run()
    assert (actions(first, "configure"), first["rotated"]) == ([("done", "ours")], [])
    second = place.run()
    assert (second["changed"], second["actions"]) == (False, []), second
    assert "\tcopytruncate" not in place.config.read_text()
    forced = place.run(force=True)
    assert len(forced["rotated"]) == 1
    assert place.run(force=True)["changed"] is False, "an empty log is not rotated"


def test_one_day_later_cron_rotates_by_itself(place: Place) -> None:
    with place.writer():
        place.run(**place.follows())
        status = place.root / "status"
        year = time.strftime("%Y")
        status.write_text(status.read_text().replace(f'" {year}-', f'" {int(year) - 1}-'))
        due = place.run(check=True, **place.follows())
        assert actions(due, "rotate") == [("planned", "app.log")]
        done = logrotate(place, str(place.root / "logrotate.conf"))
        assert done.returncode == 0, done.stderr
        assert len(place.rotated()) == 1
    assert place.lines() == dict.fromkeys(range(place.written), 1)


def test_a_writer_that_does_not_follow_is_named_and_nothing_of_it_is_touched(place: Place) -> None:
    with place.writer(deaf=True) as writer:
        held = place.run(force=True, keep=0, wait=0.2, **place.follows())
        assert status_of(held, "released") == "critical"
        assert f"process {writer.pid} " in summary_of(held, "released")
        assert actions(held, "archive")[0][0] == "skipped"
        untold = place.run(wait=0.2)
        assert actions(untold, "reopen")[0] == ("skipped", ""), "no one is named who could be told"
        (place.logs / "app.log").write_text("line 0 later\n")
        refused = logrotate(place, "--force", str(place.config))
        assert "someone still writes to" in refused.stderr
        assert refused.returncode == 1
        (rotated,) = place.rotated()
        assert not rotated.endswith(".gz")
    assert place.lines() == dict.fromkeys(range(place.written), 1)
    done = place.run(force=True, keep=0, **place.follows())
    assert status_of(done, "released") == "ok"


def test_logs_that_others_rotate_are_reported_and_left_to_them(place: Place) -> None:
    for name in ("app", "web"):
        (place.logs / f"{name}.log").write_text("x\n")
    other = place.configs / "other"
    other.write_text(f"# {place.logs}/web.log\n{place.logs}/a*.log {{\n  weekly\n}}\n")
    both = [str(place.logs / "app.log"), str(place.logs / "web.log")]
    found = place.run(paths=both, force=True)
    assert status_of(found, "configuration") == "warning"
    assert str(other) in summary_of(found, "configuration")
    assert actions(found, "rotate") == [("done", "web.log")]
    judged = logrotate(place, "--debug", str(place.root / "logrotate.conf"))
    assert "error" not in judged.stderr, judged.stderr
    other.write_text(f"{place.logs}/*.log {{\n  weekly\n}}\n")
    assert actions(place.run(paths=both), "configure") == [("done", "ours")]
    assert not place.config.exists(), "logrotate would refuse both"


def test_a_mistyped_path_and_a_log_of_others_end_no_rotation(place: Place) -> None:
    for name in ("app", "error"):
        (place.logs / f"{name}.log").write_text("x\n")
    plan = place.run(check=True, force=True, _ansible_diff=True)
    file, planned = plan["diff"]
    assert (file["before"], file["after_header"]) == ("", str(place.config))
    assert "logs." not in file["after"]
    assert planned["before"].startswith(f"logs.configure {place.config}: it is not there yet\n")
    place.run()
    working = place.config.read_text()
    wrong = place.run(paths=[str(place.root / "nothere" / "*.log")], force=True)
    assert status_of(wrong, "configuration") == "critical"
    assert f"There is no folder {place.root}/nothere: correct" in wrong["checks"][0]["remedy"]
    assert (wrong["actions"], place.config.read_text()) == ([], working)
    other = place.configs / "another"
    other.write_text(f"{place.logs}/error.log {{\n  weekly\n}}\n")
    shared = place.run(force=True)
    assert actions(shared, "rotate") == [("done", "app.log")]
    assert f"{other} rotates {place.logs}/error.log" in summary_of(shared, "configuration")
    assert place.run()["changed"] is False
    judged = logrotate(place, "--debug", str(place.root / "logrotate.conf"))
    assert "error:" not in judged.stderr, judged.stderr


def test_what_is_rotated_on_request_is_kept_for_as_many_days(place: Place) -> None:
    """However often that was; logrotate itself would count the files."""
    (place.logs / "app.log").write_text("x\n")
    today = [f"app.log-20261128-179582400{number}.gz" for number in range(4)]
    for name in today:
        rotated_file(place.logs, name, b"x")
    rotated_file(place.logs, "app.log-20261125-1795564800.gz", b"x", days=3.5)
    done = place.run(force=True, keep=1, archive_dir="")
    assert actions(done, "rotate") == [("done", "app.log")], done
    assert place.rotated()[:4] == today
    assert len(place.rotated()) == 5


def test_a_configuration_that_the_daily_run_does_not_read_is_no_rotation(place: Place) -> None:
    (place.logs / "app.log").write_text("x\n")
    assert status_of(place.run(), "configuration") == "ok"
    main = place.root / "other.conf"
    main.write_text(f"include {place.archive}\n")
    found = place.run(main_config=str(main))
    assert status_of(found, "configuration") == "warning"
    assert "Nothing rotates these logs daily" in summary_of(found, "configuration")


def test_an_error_in_the_configuration_of_others_is_named(place: Place) -> None:
    (place.logs / "app.log").write_text("x\n")
    assert status_of(place.run(force=True), "schedule") == "ok"
    (place.configs / "other").write_text("/nowhere/*.log {\n  dayli\n}\n")
    found = place.run(force=True)
    assert (found["complete"], status_of(found, "configuration")) == (True, "ok")
    assert "fails each time: error: other:2 unknown option 'dayli'" in summary_of(found, "schedule")


def test_a_file_of_someone_else_is_not_overwritten(place: Place) -> None:
    (place.logs / "app.log").write_text("x\n")
    place.config.write_text("# mine\n")
    found = place.run(force=True)
    assert status_of(found, "configuration") == "warning"
    assert (place.config.read_text(), place.rotated()) == ("# mine\n", [])


def test_a_configuration_that_logrotate_refuses_never_arrives(place: Place) -> None:
    """A stand-in for a logrotate that knows less than this configuration says."""
    (place.logs / "app.log").write_text("x\n")
    older = place.root / "older"
    older.write_text(f'#!/bin/sh\necho "error: ours:7 unknown option" >&2\nexec {LOGROTATE} "$@"\n')
    older.chmod(0o755)
    refused = place.run(program=str(older))
    assert "does not accept the configuration" in refused["msg"]
    assert list(place.configs.iterdir()) == []


def test_a_logrotate_that_is_running_is_waited_for(place: Place) -> None:
    (place.logs / "app.log").write_text("x\n")
    place.run()
    with (place.root / "status").open() as state:
        fcntl.flock(state, fcntl.LOCK_EX)
        busy = place.run(force=True, wait=0.3)
    assert "another logrotate has been running" in busy["msg"]
    assert place.run(force=True)["rotated"]


def test_half_a_compressed_log_that_a_kill_left_is_removed(place: Place) -> None:
    text = b"".join(b"line %d %s\n" % (number, b"x" * 60) for number in range(2000))
    name = "app.log-20261128-1795824000"
    (place.logs / "app.log").write_text("x\n")
    whole = rotated_file(place.logs, f"{name}.gz", text).read_bytes()
    (place.logs / f"{name}.gz").write_bytes(whole[: len(whole) // 2])
    rotated_file(place.logs, name, text)
    done = place.run()
    assert actions(done, "tidy") == [("done", f"{name}.gz")]
    assert place.rotated() == [name]
    assert place.lines() == dict.fromkeys(range(2000), 1)


def test_an_app_under_pm2_follows(place: Place) -> None:
    with own_pm2() as pm2:
        paths = {"out_file": f"{place.logs}/out.log", "error_file": f"{place.logs}/err.log"}
        logs = {**paths, "merge_logs": True}
        pm2.run({"name": "app", **logs}, {"name": "more", "exec_mode": "cluster", **logs})
        done = place.run(force=True, pm2_home=str(pm2.home), pm2_reload=True)
        assert status_of(done, "released") == "ok", done
        assert actions(done, "rotate") == [("done", "out.log")]
        assert status_of(done, "pm2_logrotate") == "ok"
        assert "PM2 opens 2 of them again" in summary_of(done, "configuration")
        assert wait_until(lambda: "Reloading log" in (place.logs / "out.log").read_text(), 30)
        (pm2.home / "module_conf.json").write_text('{"module-db-v2": {"pm2-logrotate": {}}}')
        rival = place.run(force=True, pm2_home=str(pm2.home))
        assert status_of(rival, "pm2_logrotate") == "warning"
        elsewhere = place.run(check=True, pm2_home=str(pm2.home / "none"))
        assert "There is no PM2 in" in summary_of(elsewhere, "pm2_logrotate")
        assert rival["rotated"] == []
        assert not place.config.exists(), "left to pm2-logrotate"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may rotate the logs of others")
def test_the_logs_of_another_user(place: Place) -> None:
    place.root.chmod(0o755)
    shutil.chown(place.logs, "nobody", "nogroup")
    with place.writer():
        shutil.chown(place.logs / "app.log", "nobody", "nogroup")
        done = place.run(force=True, keep=1, **place.follows())
        assert actions(done, "rotate") == [("done", "app.log")], done
        assert status_of(done, "released") == "ok"
        assert "su nobody nogroup" in place.config.read_text()
        again = place.run(force=True, keep=1, **place.follows())
        assert actions(again, "rotate") == [("done", "app.log")], again
    assert {path.owner() for path in place.logs.iterdir()} == {"nobody"}
    assert place.lines() == dict.fromkeys(range(place.written), 1)
