"""The report as playbooks make it: real runs of ansible-playbook, on hosts of which some are lost, broken or never looked at."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Action, as_dicts
from tests.conftest import ROOT
from tests.support import report_samples as samples

#: An action for tests that answers what it is told to.
ANSWER = """
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        return {**super().run(tmp, task_vars), **self._task.args["answer"]}
"""

LOST = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
PING: dict[str, Any] = {"name": "Log in", "ansible.builtin.ping": {}, "register": "__host_contact"}


def probe(name: str, *answers: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    """A task that registers these checks as ``__<name>``."""
    merged: dict[str, Any] = {"checks": [check for answer in answers for check in answer["checks"]]}
    return answer(name, merged, **keywords)


def answer(name: str, result: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    return {"name": name, "answer": {"answer": result}, "register": f"__{name}", **keywords}


def play(*tasks: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    """A play of probes as the runbook's playbooks have it."""
    return {
        "hosts": "all",
        "gather_facts": False,
        "ignore_errors": True,
        "ignore_unreachable": True,
        "tasks": list(tasks),
        **keywords,
    }


REPORT = {
    "hosts": "all",
    "gather_facts": False,
    "run_once": True,
    "roles": ["gpt_agent.runbook.report"],
}


@dataclass
class Run:
    code: int
    output: str
    folder: Path
    """Where its reports lie."""

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "latest.json").read_text())
        assert samples.problems(found) == []
        return found

    @property
    def table(self) -> str:
        """What the callback printed after everything else."""
        recap = self.output.partition("PLAY RECAP")[2]
        return recap[recap.index("── ") :] if "── " in recap else ""

    def checks(self) -> list[tuple[str, str, str]]:
        return [(check["host"], check["name"], check["status"]) for check in self.report["checks"]]


Playbook = Callable[..., Run]


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    """Run plays on hosts: ``playbook([play(...), REPORT], {"app1": {}}, "--check", env={...})``."""
    (tmp_path / "action_plugins").mkdir()
    (tmp_path / "action_plugins" / "answer.py").write_text(ANSWER)

    def run(
        plays: list[dict[str, Any]],
        hosts: dict[str, dict[str, Any]],
        *arguments: str,
        env: dict[str, str] | None = None,
        name: str = "morning_round.yml",
    ) -> Run:
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        (tmp_path / "hosts.yml").write_text(
            yaml.safe_dump({"all": {"vars": common, "hosts": hosts}})
        )
        (tmp_path / name).write_text(yaml.safe_dump(plays, sort_keys=False))
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ANSIBLE_", "COLUMNS", "NO_COLOR"))
        }
        environment |= {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_CALLBACKS_ENABLED": "gpt_agent.runbook.summary",
            "ANSIBLE_SHOW_CUSTOM_STATS": "true",
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "120",
            **(env or {}),
        }
        environment = {
            key: value for key, value in environment.items() if value
        }  # an empty one is unset
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            "hosts.yml",
            name,
            *arguments,
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Run(
            done.returncode, done.stdout + done.stderr, tmp_path / "reports" / Path(name).stem
        )

    return run


FINE = {
    "checks": [
        check
        for check in samples.host_health()["checks"]
        if check["name"] in ("host.cpu", "host.swap")
    ]
}
POOR = {
    "checks": [
        check
        for check in samples.host_health(disk=84)["checks"]
        if check["name"] == "host.disk_used"
    ]
}
BLIND = {
    "checks": [
        check for check in samples.postgres_health()["checks"] if check["status"] == "unknown"
    ]
}


def test_a_bad_morning_is_told_whole(playbook: Playbook) -> None:
    hosts: dict[str, dict[str, Any]] = {"app1": {}, "app2": {}, "db1": {}, "lost": LOST}
    plays = [
        play(
            PING,
            {
                "name": "Knock at a closed door only once",
                "ansible.builtin.meta": "end_host",
                "when": "__host_contact is unreachable",
            },
            probe("host_health", FINE, POOR),
            probe("web_health", FINE, run_once=True),
            answer(
                "postgres_health",
                {"failed": True, "msg": "no login at postgresql://me:hunter2@db/x\nmore"},
                when="inventory_hostname == 'db1'",
            ),
            answer(
                "app_health",
                {"checks": [{"name": "app.memory", "status": "fine"}]},
                when="inventory_hostname == 'app2'",
            ),
        ),
        REPORT,
    ]
    run = playbook(plays, hosts)
    assert run.code == 2, run.output
    assert run.checks() == [
        ("app1", "host.cpu", "ok"),
        ("app1", "host.swap", "ok"),
        ("app1", "host.disk_used", "warning"),
        ("app1", "host.cpu", "ok"),
        ("app1", "host.swap", "ok"),
        ("app2", "host.cpu", "ok"),
        ("app2", "host.swap", "ok"),
        ("app2", "host.disk_used", "warning"),
        ("app2", "runbook.step", "critical"),
        ("db1", "host.cpu", "ok"),
        ("db1", "host.swap", "ok"),
        ("db1", "host.disk_used", "warning"),
        ("db1", "runbook.step", "critical"),
        ("lost", "host.reachable", "critical"),
    ]
    summaries = {(check["host"], check["name"]): check["summary"] for check in run.report["checks"]}
    assert "Connection refused" in summaries["lost", "host.reachable"]
    assert summaries["db1", "runbook.step"] == "no login at postgresql://***@db/x more"
    assert "app.memory" in summaries["app2", "runbook.step"]
    assert run.report["seconds"] > 0
    assert (run.report["playbook"], run.report["title"]) == ("morning_round", "Morning round")
    assert "hunter2" not in "".join(path.read_text() for path in run.folder.iterdir())
    assert run.table.index("host.reachable · lost") < run.table.index(
        "host.disk_used / · app1, app2, db1"
    )
    assert "hunter2" not in run.table
    assert "\nCRITICAL: 3 critical, 3 warning, 8 ok (14 checks on 4 hosts in " in run.table
    assert re.search(r"\nReport: reports/morning_round/\S+Z\.html$", run.table.rstrip())
    assert "critical: 3 of 14 checks are critical, 3 warning; report: " in run.output
    assert re.search(r"runbook_verdict\W+critical", run.output), (
        "the statistics are set although the run failed"
    )
    assert re.search(r"app1 .*failed=1", run.output)


def test_a_good_morning_ends_with_0(playbook: Playbook) -> None:
    run = playbook([play(probe("host_health", FINE)), REPORT], {"app1": {}})
    assert run.code == 0, run.output
    assert (run.report["verdict"], run.report["failing"]) == ("ok", False)
    assert "✔ ok        2 ok: Host 2" in run.table
    assert "\nOK: 2 ok (2 checks on app1 in " in run.table
    assert re.search(r"runbook_verdict\W+ok", run.output)
    assert "WARNING" not in run.output
    assert "changed=0" in run.output
    stamped = next(path for path in run.folder.glob("2*.html"))
    assert (run.folder / "latest.html").read_text() == stamped.read_text()
    assert {path.suffix for path in run.folder.iterdir()} == {".html", ".json", ".md"}


@pytest.mark.parametrize(
    ("found", "fail_on", "code"),
    [
        (POOR, "critical", 0),
        (POOR, "warning", 2),
        (BLIND, "warning", 0),
        (BLIND, "unknown", 2),
        (
            {"checks": [{"name": "host.cpu", "status": "critical", "summary": "99 % busy"}]},
            "never",
            0,
        ),
    ],
)
def test_the_exit_code_follows_fail_on(
    playbook: Playbook, found: dict[str, Any], fail_on: str, code: int
) -> None:
    run = playbook(
        [play(probe("host_health", found)), REPORT],
        {"app1": {}},
        "-e",
        f"runbook_fail_on={fail_on}",
    )
    assert run.code == code, run.output
    assert run.report["failing"] == bool(code)
    assert run.table


def test_a_host_that_dropped_out_unseen_or_was_never_looked_at_is_critical(
    playbook: Playbook,
) -> None:
    first = play(
        probe("host_health", FINE, when="inventory_hostname != 'app3'"),
        {
            "name": "Unregistered",
            "ansible.builtin.fail": {"msg": "no"},
            "when": "inventory_hostname == 'app2'",
        },
        ignore_errors=False,
    )
    run = playbook([first, REPORT], {"app1": {}, "app2": {}, "app3": {}})
    assert run.code == 2
    broken = [
        (check["host"], check["summary"])
        for check in run.report["checks"]
        if check["status"] == "critical"
    ]
    assert [host for host, _ in broken] == ["app2", "app3"]
    assert "left no result" in broken[0][1]
    assert "nothing was looked at" in broken[1][1]


def test_there_is_a_report_even_where_every_host_is_lost(playbook: Playbook) -> None:
    run = playbook([play(PING), REPORT], {"a": LOST, "b": LOST})
    assert run.code == 2, run.output
    assert run.checks() == [
        ("a", "host.reachable", "critical"),
        ("b", "host.reachable", "critical"),
    ]
    assert "host.reachable · a, b" in run.table


def test_a_limit_is_respected_and_told(playbook: Playbook) -> None:
    run = playbook(
        [play(PING, probe("host_health", FINE)), REPORT],
        {"app1": {}, "lost": LOST},
        "--limit",
        "app1",
    )
    assert run.code == 0, run.output
    assert {host for host, _, _ in run.checks()} == {"app1"}
    assert run.report["limit"] == "app1"
    assert "(only app1)" in run.table


def test_check_mode_gives_the_same_report_and_the_plan(playbook: Playbook) -> None:
    def plays(status: str) -> list[dict[str, Any]]:
        actions = as_dicts(
            [
                Action(
                    "postgres.vacuum",
                    status,
                    "dead rows are 24 %",
                    "public.a",
                    seconds=3.5 if status == "done" else None,
                    estimate=4.0,
                )
            ]
        )
        return [
            play(
                probe("host_health", FINE),
                answer("postgres_maintain", {"actions": actions, "changed": True}),
            ),
            REPORT,
        ]

    planned = playbook(plays("planned"), {"db1": {}}, "--check")
    assert planned.code == 0, planned.output
    assert planned.report["check_mode"] is True
    assert planned.report["action_counts"] == {"planned": 1, "done": 0, "skipped": 0, "failed": 0}
    assert "(check mode: nothing was changed)" in planned.table
    assert (
        "• planned   postgres.vacuum public.a · db1: dead rows are 24 % (about 4 s)"
        in planned.table
    )
    done = playbook(plays("done"), {"db1": {}})
    assert "✔ done      postgres.vacuum public.a · db1: dead rows are 24 % (in 3.5 s)" in done.table
    assert [check["name"] for check in done.report["checks"]] == [
        check["name"] for check in planned.report["checks"]
    ]
    failed = playbook(plays("failed"), {"db1": {}})
    assert (failed.code, failed.report["verdict"]) == (2, "critical")


def test_results_are_data_and_never_templates(playbook: Playbook, tmp_path: Path) -> None:
    trap = {
        "name": "app.errors",
        "status": "warning",
        "summary": "{{ lookup('pipe', 'echo pwned') }} {% raw %}",
        "remedy": "{{ undefined_thing }}",
    }
    (tmp_path / "answer.json").write_text(json.dumps([trap]))
    relay = answer("app_health", {"checks": "{{ __read.stdout | from_json }}"})
    run = playbook(
        [
            play(
                {
                    "name": "Read",
                    "ansible.builtin.command": f"cat {tmp_path}/answer.json",
                    "register": "__read",
                },
                relay,
            ),
            REPORT,
        ],
        {"a": {}},
    )
    assert run.code == 0, run.output
    assert [check["summary"] for check in run.report["checks"]] == [trap["summary"]]
    assert "{{ undefined_thing }}" in run.table
    assert "            {{ lookup('pipe', 'echo pwned') }} {% raw %}" in run.table


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


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"runbook_fail_on": "sometimes"},
            "value of report_fail_on must be one of: critical, warning, unknown, never, got: sometimes",
        ),
        ({"runbook_report_formats": ["pdf"]}, "report_formats"),
        ({"runbook_playbook": "../etc"}, "'../etc' cannot be the name of a folder"),
        ({"runbook_report_keep": -1}, "-1 is no number of reports; use 0 to keep all"),
        ({"runbook_report_textfile": "x.txt"}, "does not end in '.prom'"),
    ],
)
def test_misuse_is_one_clear_sentence(
    playbook: Playbook, extra: dict[str, Any], message: str
) -> None:
    run = playbook(
        [play(probe("host_health", FINE)), REPORT], {"app1": {}}, "-e", json.dumps(extra)
    )
    assert run.code == 2
    assert message in run.output
    assert "Traceback" not in run.output
    assert not (run.folder.parent).exists()


def test_a_typing_error_does_not_cost_the_report(playbook: Playbook) -> None:
    """As the shipped playbooks have it; what was done must be told all the same."""
    unchecked = {"name": "gpt_agent.runbook.report", "rolespec_validate": False}
    role = {
        "hosts": "all",
        "gather_facts": False,
        "run_once": True,
        "tasks": [{"ansible.builtin.import_role": unchecked}],
    }
    run = playbook(
        [play(probe("host_health", FINE)), role], {"app1": {}}, "-e", "runbook_fail_on=warnings"
    )
    assert run.code == 2
    assert (
        "fail_on (runbook_fail_on) is 'warnings', and has to be one of never, critical"
        in run.output
    )
    assert run.report["counts"]["ok"] == 2


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
    assert (run.report["started"], run.report["seconds"], run.table) == (None, None, "")


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
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CALLBACKS_ENABLED": "gpt_agent.runbook.summary",
    }
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        "-i",
        "hosts.yml",
        "morning_round.yml",
    ]
    running = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
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
