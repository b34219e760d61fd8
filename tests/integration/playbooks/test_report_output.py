"""Files and output of the report, in real runs of ansible-playbook."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.plays import (
    FINE,
    POOR,
    REPORT,
    Playbook,
    command,
    environment,
    play,
    playbooks_in,
    probe,
)


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    return playbooks_in(tmp_path)


def test_further_formats_and_the_textfile_are_written_on_request(
    playbook: Playbook, tmp_path: Path
) -> None:
    textfile = tmp_path / "runbook.prom"
    extra = {
        "runbook_report_formats": ["junit", "prometheus"],
        "runbook_report_textfile": str(textfile),
    }
    extra |= {"runbook_report_dir": "elsewhere/deep", "runbook_title": "Round"}
    run = playbook(
        [play(probe("host_health", FINE)), REPORT], {"app1": {}}, "-e", json.dumps(extra)
    )
    assert run.code == 0, run.output
    folder = tmp_path / "elsewhere" / "deep" / "morning_round"
    assert {path.suffix for path in folder.glob("latest.*")} == {
        ".html",
        ".json",
        ".md",
        ".xml",
        ".prom",
    }
    assert textfile.read_text() == (folder / "latest.prom").read_text()
    assert (
        'runbook_check_status{playbook="morning_round",host="app1",check="host.cpu",subject=""} 0\n'
        in textfile.read_text()
    )
    assert stat.S_IMODE(textfile.stat().st_mode) == 0o644
    assert json.loads((folder / "latest.json").read_text())["title"] == "Round"


def test_only_as_many_reports_are_kept_as_asked_for(playbook: Playbook) -> None:
    for _ in range(3):
        run = playbook(
            [play(probe("host_health", FINE)), REPORT], {"app1": {}}, "-e", "runbook_report_keep=2"
        )
        assert run.code == 0, run.output
    assert len(list(run.folder.glob("2*.json"))) == 2


def test_a_report_that_cannot_be_written_is_shown_and_fails_the_run(
    playbook: Playbook, tmp_path: Path
) -> None:
    (tmp_path / "reports").write_text("no folder")
    run = playbook([play(probe("host_health", FINE, POOR)), REPORT], {"app1": {}})
    assert run.code == 2
    assert "▲ warning   host.disk_used / · app1" in run.output
    assert "WARNING: 1 warning, 2 ok (3 checks on app1" in run.output
    assert f"could not be written to {tmp_path}/reports/morning_round: " in run.output
    assert "Traceback" not in run.output


def test_a_textfile_that_cannot_be_written_is_named(playbook: Playbook, tmp_path: Path) -> None:
    run = playbook(
        [play(probe("host_health", FINE)), REPORT],
        {"app1": {}},
        "-e",
        "runbook_report_textfile=missing/x.prom",
    )
    assert run.code == 2
    assert (
        f"could not be written to {tmp_path}/missing/x.prom: No such file or directory"
        in run.output
    )
    assert run.report["verdict"] == "ok"


def test_a_run_without_a_report_ends_without_a_table(playbook: Playbook) -> None:
    run = playbook([play(probe("host_health", FINE))], {"app1": {}})
    assert run.code == 0
    assert run.table == ""


def test_without_the_callback_there_is_a_report_without_times(playbook: Playbook) -> None:
    run = playbook(
        [play(probe("host_health", FINE)), REPORT],
        {"app1": {}},
        env={"ANSIBLE_CALLBACKS_ENABLED": ""},
    )
    assert run.code == 0, run.output
    assert (run.report["started"], run.report["seconds"]) == (None, None)
    assert run.table == ""
    assert run.output.count("OK: 2 ok (2 checks on app1)") == 1, "the report's task printed it"


def test_the_table_suits_its_output(playbook: Playbook) -> None:
    plays = [play(probe("host_health", POOR)), REPORT]
    ascii_only = playbook(plays, {"app1": {}}, env={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.code == 0, ascii_only.output
    assert "! warning   host.disk_used / | app1" in ascii_only.output
    coloured = playbook(
        plays, {"app1": {}}, env={"ANSIBLE_NOCOLOR": "0", "ANSIBLE_FORCE_COLOR": "1"}
    )
    assert re.search("\x1b\\[[0-9;]+m▲ warning   host.disk_used", coloured.output)
    plain = playbook(plays, {"app1": {}}, env={"ANSIBLE_NOCOLOR": "", "NO_COLOR": "1"})
    assert "\x1b[" not in plain.output
    narrow = playbook(plays, {"app1": {}}, env={"COLUMNS": "60"})
    assert max(map(len, narrow.table.splitlines())) <= 65


def test_runs_at_once_do_not_disturb_each_other(playbook: Playbook, tmp_path: Path) -> None:
    first = playbook([play(probe("host_health", FINE)), REPORT], {"app1": {}})
    assert first.code == 0
    running = [
        subprocess.Popen(
            command("morning_round.yml"),
            cwd=tmp_path,
            env=environment({}),
            stdout=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(list(first.folder.glob("2*.json"))) == len(list(first.folder.glob("2*.html"))) == 4
    assert not list(first.folder.glob(".partial-*"))


def test_a_report_is_named_after_the_playbook_that_was_started(
    playbook: Playbook, tmp_path: Path
) -> None:
    write = {**REPORT, "roles": [], "tasks": [{"name": "Write", "gpt_agent.runbook.report": {}}]}
    (tmp_path / "inner.yml").write_text(yaml.safe_dump([play(probe("host_health", FINE)), write]))
    run = playbook([{"import_playbook": "inner.yml"}], {"app1": {}}, name="site.yaml")
    assert run.code == 0, run.output
    assert run.report["playbook"] == "site"
    assert run.table


@pytest.mark.parametrize("arguments", [("-e", "runbook_hosts=typo"), ("--limit", "localhost,typo")])
def test_a_host_that_does_not_exist_is_an_error(arguments: tuple[str, ...]) -> None:
    """Nothing, or less than was asked for, would be checked, and the run would end with 0."""
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", "localhost,", "playbooks/daily_checklist.yml", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Could not match supplied host pattern" in done.stderr
    assert "typo" in done.stderr
    assert "TASK" not in done.stdout
