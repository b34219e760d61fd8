"""Pipelines of programs: every end counts, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core import processes
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import (
    DeadlineExceeded,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.processes import (
    Command,
    run_pipeline,
    run_together,
    time_limit,
)


def sh(script: str, **environment: str) -> Command:
    return Command(["/bin/sh", "-c", script], environment)


def test_data_goes_through_every_program(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with target.open("wb") as sink:
        ended = run_pipeline([sh('printf "$WORD"', WORD="abc"), sh("tr a-c A-C")], sink=sink)
    assert target.read_text() == "ABC"
    assert [(one.program, one.code) for one in ended] == [("sh", 0), ("sh", 0)]


def test_the_first_program_reads_the_source(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("abc")
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as sink:
        run_pipeline([sh("cat")], source=source, sink=sink)
    assert (tmp_path / "out").read_text() == "abc"


@pytest.mark.parametrize("failing", [0, 1])
def test_each_end_is_seen(failing: int) -> None:
    commands = [sh("cat; exit 0"), sh("cat >/dev/null; exit 0")]
    commands[failing] = sh("echo broken >&2; exit 3")
    found = run_pipeline(commands)[failing]
    assert (found.code, found.errors, found.how, found.failed) == (3, "broken", "exit code 3", True)


def test_a_killed_program_is_no_success() -> None:
    assert run_pipeline([sh("kill -KILL $$"), sh("cat")])[0].how == "killed by SIGKILL"


def test_a_writer_notices_that_its_reader_is_gone() -> None:
    assert run_pipeline([sh("exec yes"), sh("exit 1")])[0].how == "killed by SIGPIPE"


def test_much_error_output_is_kept_at_both_ends() -> None:
    script = "echo first >&2; head -c 1000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2"
    errors = run_pipeline([sh(script)])[0].errors
    assert errors.startswith("first")
    assert errors.endswith("last")
    assert len(errors) <= processes.KEPT


def test_the_time_limit_ends_the_programs(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(DeadlineExceeded):
        run_pipeline([sh(f"echo $$ >{pid}; exec sleep 60")], watch=time_limit(0.5))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_program_that_ignores_the_polite_signal_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.3)
    pid = tmp_path / "pid"
    script = f"trap '' TERM; echo $$ >{pid}; while :; do sleep 0.1; done"
    with pytest.raises(DeadlineExceeded):
        run_pipeline([sh(script)], watch=time_limit(0.5))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_programs_die_with_a_killed_parent(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        f"from {processes.__name__} import Command, run_pipeline\n"
        f"run_pipeline([Command(['/bin/sh', '-c', 'echo $$ >{pid}; exec sleep 60'])])"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        end = time.monotonic() + 20
        while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < end:
            time.sleep(0.05)
        child = int(pid.read_text())
        parent.send_signal(signal.SIGKILL)
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # dead; whoever inherited it has not noticed yet
            break
        time.sleep(0.05)
    assert time.monotonic() < end


def test_a_missing_program_leaves_nothing_running() -> None:
    with pytest.raises(FileNotFoundError):
        run_pipeline([sh("sleep 60"), Command(["/nonexistent/program"])])


def test_copies_of_the_first_output_have_readers_of_their_own(tmp_path: Path) -> None:
    """One of them stops reading at once, which neither the others nor the sink notice."""
    with (tmp_path / "sink").open("wb") as sink, (tmp_path / "copy").open("wb") as copy:
        ended = run_pipeline(
            [Command(["head", "-c", "3000000", "/dev/zero"]), Command(["cat"])],
            sink=sink,
            copies=[(Command(["true"]), None), (Command(["cat"]), copy)],
        )
    assert [(one.program, one.code) for one in ended] == [
        ("head", 0),
        ("tee", 0),
        ("cat", 0),
        ("true", 0),
        ("cat", 0),
    ]
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {3_000_000}


def test_programs_run_together_each_with_its_source(tmp_path: Path) -> None:
    """Each waits for the other, so one after the other they would never end."""
    sources = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.in").write_text(name)
        sources.append((tmp_path / f"{name}.in").open("rb"))
    meet = "cat > {0}/{1}; while [ ! -e {0}/{2} ]; do sleep 0.02; done; exit {3}"
    programs = [
        (sh(meet.format(tmp_path, "a", "b", 0)), sources[0]),
        (sh(meet.format(tmp_path, "b", "a", 3)), sources[1]),
    ]
    ended = run_together(programs, time_limit(60))
    for source in sources:
        source.close()
    assert [one.code for one in ended] == [0, 3]
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("one", "two")


def test_what_runs_together_ends_together(tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceeded):
        run_together([(sh(f"echo $$ > {tmp_path}/pid; exec sleep 60"), None)], time_limit(0.5))
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
