"""A maintenance run step by step: alone, in its window, killed and gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.maintenance.record import Store
from tests.conftest import by_name, finish, start_module
from tests.support.maintenance_runs import HERE, PARTS

Step = Callable[..., dict[str, Any]]
ELSEWHERE = {**HERE, "name": "awx-7", "place": "other pid:[2]", "owner": "bob"}
BEFORE = {"health": [["app.online", "", "ok"]]}
FINE = {"before": [["app.online", "", "ok"]], "health": [["app.online", "", "ok"]]}


LAST_TWO = ("logs", "certificates")

#: Locks the file that it is given, says so, and waits.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
input()
"""


def through(step: Step, run: str, *parts: str, **observed: Any) -> None:
    """Each part begins, which ends the one before it."""
    for part in parts:
        assert step("part", run, part=part, observed=observed)["go"] is True


def test_a_run_from_begin_to_end(step: Step, tmp_path: Path) -> None:
    begun = step("begun", observed=BEFORE)
    assert (begun["order"], begun["resumes"], begun["changed"]) == (list(PARTS), "", False)
    through(step, begun["run"], *PARTS, changed=True)
    done = step("finished", begun["run"], observed=FINE)
    parts = [check for check in done["checks"] if check["name"] == "maintenance.part"]
    assert [(check["subject"], check["status"]) for check in parts] == [
        (part, "ok") for part in PARTS
    ]
    assert by_name(done, "maintenance.health")["status"] == "ok"
    assert by_name(done, "maintenance.run")["summary"].endswith(": 4 done")
    again = step("begun")
    assert (again["order"], again["resumes"]) == (list(PARTS), ""), "the run had ended"
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == 2, names  # the record and its lock


def test_check_mode_writes_nothing(step: Step, tmp_path: Path) -> None:
    critical = [{"host": "db1", "name": "a.b", "subject": "", "summary": "down"}]
    plan = step("begun", check=True, observed={"critical": critical}, read_only=["dependencies"])
    assert plan["order"] == list(PARTS)
    assert [(each["subject"], each["status"]) for each in plan["actions"]] == [
        (part, "skipped") for part in PARTS[1:]
    ]
    assert step("part", plan["run"], part="logs", check=True)["go"] is True
    assert "failed" not in step("finished", plan["run"], check=True, observed=FINE)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_is_declined_and_names_the_first(step: Step) -> None:
    first = step("begun")
    assert first["first"]["part"] == "dependencies"
    second = step("begun")
    assert second["failed"]
    assert "of 'dora' from ctl1 (process 4711)" in second["msg"]
    assert "now at 'dependencies'" in second["msg"]
    assert second["holder"]["run"] == first["run"]
    assert step("begun", check=True)["failed"], "the plan says so, too"
    through(step, first["run"], "database")


def test_a_controller_that_cannot_be_seen_is_alive_until_told_otherwise(step: Step) -> None:
    first = step("begun", controller=ELSEWHERE)
    second = step("begun")
    assert (
        f"-e maintenance_take_over={first['run']}" in by_name(second, "maintenance.run")["remedy"]
    )
    third = step("begun", take_over=first["run"])
    assert third["resumes"] == first["run"]
    lost = step("part", first["run"], part="logs")
    assert lost["failed"]
    assert "has lost its claim on the host: another run of 'dora' from ctl1" in lost["msg"]
    assert step("finished", first["run"])["failed"], "the claim of the third is not released"
    through(step, third["run"], "logs")


def test_a_killed_run_is_gone_on_with(step: Step) -> None:
    first = step("begun", observed=BEFORE)
    through(step, first["run"], "dependencies", "database", "logs")
    second = step(
        "begun", observed={"dead": first["run"], "health": [["app.online", "", "critical"]]}
    )
    assert second["order"] == ["logs", "certificates"]
    check = by_name(second, "maintenance.run")
    assert check["status"] == "warning"
    assert "was killed during 'logs'" in check["summary"]
    assert "does not repeat: dependencies, database" in check["summary"]
    assert second["health"] == BEFORE["health"], "compared with that before the first"
    through(step, second["run"], *second["order"])
    done = step("finished", second["run"], observed=FINE)
    assert by_name(done, "maintenance.part", "database")["summary"].endswith(
        ", by the run that was killed"
    )
    assert "was killed during 'logs'" in by_name(done, "maintenance.run")["summary"]


def test_a_part_that_has_ended_is_not_repeated_after_a_kill(step: Step, tmp_path: Path) -> None:
    """Also the last one, or one after which parts of other hosts are done."""
    first = step("begun", observed={**BEFORE, "alone": False}, parts=list(LAST_TWO))
    for part in LAST_TWO:
        through(step, first["run"], part)
        step("part_ended", first["run"], observed={"changed": True})
    record = Store(str(tmp_path), "app1").load()
    assert [len(record.durations[part]) for part in LAST_TWO] == [1, 1]
    second = step("begun", observed={"dead": first["run"]}, parts=list(LAST_TWO))
    assert second["order"] == []
    said = by_name(second, "maintenance.run")["summary"]
    assert "was killed between two parts" in said
    assert "does not repeat: logs, certificates" in said
    done = step("finished", second["run"], observed=FINE)
    assert by_name(done, "maintenance.run")["summary"] == said


def test_the_first_part_can_be_stopped_by_another_host(step: Step) -> None:
    """By what was found when the run began there."""
    begun = step("begun", parts=["logs"], observed={"alone": False})
    assert begun["first"] == {}
    answer = step("part", begun["run"], part="logs", observed={"declined": ["db1"]})
    assert (answer["go"], answer["reason"]) == (False, "the run could not begin on db1")
    done = step("finished", begun["run"])
    assert by_name(done, "maintenance.part", "logs")["status"] == "critical"


def test_a_part_that_failed_fails_the_run_and_stops_no_other(step: Step) -> None:
    run = step("begun", parts=["database", "logs", "certificates"])["run"]
    assert step("part", run, part="logs", observed={"problems": ["no owner"]})["go"] is True
    step("failed", run, reason="no such role")
    through(step, run, "certificates")
    done = step("finished", run)
    assert done["msg"] == "database failed: no owner; logs failed: no such role"
    check = by_name(done, "maintenance.part", "database")
    assert (check["status"], check["summary"].partition(": ")[2]) == ("critical", "no owner")
    assert by_name(done, "maintenance.part", "certificates")["status"] == "ok"


def test_what_there_was_no_time_for_is_the_first_of_the_next_run(step: Step) -> None:
    run = step("begun", parts=["database", "logs"])["run"]
    answer = step("part", run, part="logs", window=outside_of_now())
    assert (answer["go"], "outside of the window" in answer["reason"]) == (False, True)
    done = step("finished", run)
    assert "failed" not in done
    assert by_name(done, "maintenance.part", "logs")["status"] == "warning"
    assert step("begun")["order"] == ["logs", "dependencies", "database", "certificates"]


def test_a_run_outside_of_its_window_is_critical(step: Step) -> None:
    parts, window = ["dependencies", "database", "logs"], outside_of_now()
    given = {"read_only": ["dependencies"], "window": window}
    run = step("begun", parts=parts, **given)["run"]
    for part in parts:
        assert step("part", run, part=part, **given)["go"] is False
    done = step("finished", run)
    assert by_name(done, "maintenance.run")["status"] == "critical"
    assert by_name(done, "maintenance.run")["summary"].endswith("left out, for lack of time")


def test_a_part_is_as_good_as_its_own_checks(step: Step) -> None:
    run = step("begun", parts=["database", "logs", "certificates"])["run"]
    unknown = ["unknown", "logs.rotation /x: not there"]
    through(step, run, "logs")
    through(step, run, "certificates", doubts=[unknown])
    bad = {"doubts": [["critical", "certificate.renewal: no"], unknown], "changed": True}
    done = step("finished", run, observed=bad)
    assert "failed" not in done
    logs, certificates = (by_name(done, "maintenance.part", each) for each in LAST_TWO)
    assert (logs["status"], logs["summary"].partition(": ")[2]) == ("unknown", unknown[1])
    assert certificates["status"] == "critical"
    assert certificates["summary"].endswith("critical: certificate.renewal: no; and 1 more")
    assert by_name(done, "maintenance.run")["summary"].endswith(": 1 done, 1 unknown, 1 critical")


def test_a_part_with_an_unknown_check_is_repeated_after_a_kill(step: Step) -> None:
    first = step("begun")
    through(step, first["run"], "database")
    through(step, first["run"], "logs", doubts=[["unknown", "pg.x: no"]])
    second = step("begun", observed={"dead": first["run"]})
    assert second["order"] == ["logs", "database", "certificates"]


def outside_of_now() -> list[str]:
    """A minute that is at least an hour away."""
    from datetime import datetime

    hour = (datetime.now().hour + 2) % 24
    return [f"{hour:02}:00-{hour:02}:01"]


def test_others_at_work_stop_whatever_changes_something(step: Step, tmp_path: Path) -> None:
    lock = tmp_path / "deployment.lock"
    with held(lock):
        begun = step("begun", locks=[str(lock)])
    check = by_name(begun, "maintenance.others")
    assert check["status"] == "critical"
    assert str(lock) in check["summary"]
    critical = {"critical": begun["critical"]}
    given = {"read_only": ["dependencies"], "observed": critical}
    assert step("part", begun["run"], part="dependencies", **given)["go"] is True
    assert step("part", begun["run"], part="database", **given)["go"] is False
    assert step("part", begun["run"], part="database", despite=["maintenance.others"], **given)[
        "go"
    ]
    assert by_name(step("finished", begun["run"]), "maintenance.part", "database")["status"] == "ok"


@contextmanager
def held(path: Path) -> Iterator[None]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        yield
    finally:
        holder.communicate(b"\n")


def test_two_that_begin_at_the_same_time(tmp_path: Path) -> None:
    args = {"state": "begun", "state_dir": str(tmp_path), "controller": HERE}
    both = [start_module("maintenance_run", {**args, "observed": {"host": "app1"}}) for _ in "ab"]
    answers = [finish(each, 60)[0] for each in both]
    assert sorted('"failed": true' in answer for answer in answers) == [False, True]


def test_a_module_killed_while_it_holds_the_record(step: Step, tmp_path: Path) -> None:
    """Killed anywhere: the record is the old one or the new one, and nothing is locked."""
    first = step("begun")
    store = Store(str(tmp_path), "app1")
    args = {"state": "part", "part": "logs", "state_dir": str(tmp_path), "controller": HERE}
    args["observed"] = {"host": "app1", "run": first["run"]}
    with store.locked("x"):  # the module waits for the record
        module = start_module("maintenance_run", args)
        with pytest.raises(subprocess.TimeoutExpired):
            module.wait(2)
        module.send_signal(signal.SIGKILL)
        module.communicate()
    assert store.load().run is not None
    through(step, first["run"], "logs")


def test_a_folder_that_cannot_be_written_says_so(step: Step, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = step("begun", state_dir=str(tmp_path / "file" / "state"))
    assert answer["failed"]
    assert "Nothing was begun" in answer["msg"]
