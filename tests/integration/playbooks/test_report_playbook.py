"""The report as playbooks make it: real runs of ansible-playbook.

Some of the hosts are lost, broken or never checked.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import (
    Action,
    Check,
    as_dicts,
)
from tests.support import report_samples as samples
from tests.support.plays import (
    BLIND,
    FINE,
    LOST,
    PING,
    POOR,
    REPORT,
    Playbook,
    Run,
    answer,
    checks_of,
    play,
    playbooks_in,
    probe,
)


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    return playbooks_in(tmp_path)


def bad_plays() -> list[dict[str, Any]]:
    endpoint = checks_of(samples.web_health(), "web.endpoint")
    broken = {"failed": True, "msg": "no login at postgresql://me:hunter2@db/x\nmore"}
    invalid = {"checks": [{"name": "app.memory", "status": "fine"}]}
    leave = {
        "name": "Try an unreachable host only once",
        "ansible.builtin.meta": "end_host",
        "when": "__host_contact is unreachable",
    }
    probes = play(
        PING,
        leave,
        probe("host_health", FINE, POOR),
        probe("web_health", endpoint, run_once=True),
        answer("postgres_health", broken, when="inventory_hostname == 'db1'"),
        answer("app_health", invalid, when="inventory_hostname == 'app2'"),
    )
    return [probes, REPORT]


def test_a_bad_morning_is_told_whole(playbook: Playbook) -> None:
    run = playbook(bad_plays(), {"app1": {}, "app2": {}, "db1": {}, "lost": LOST})
    assert run.code == 2, run.output
    host = [("host.cpu", "ok"), ("host.swap", "ok"), ("host.disk_used", "warning")]
    assert run.checks() == [
        *(("app1", *check) for check in host),
        ("app1", "web.endpoint", "ok"),
        *(("app2", *check) for check in host),
        ("app2", "runbook.step", "critical"),
        *(("db1", *check) for check in host),
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
    assert "hunter2" not in run.table
    table = run.table
    assert table.index("host.reachable · lost") < table.index("host.disk_used / · app1, app2, db1")
    assert "\nCRITICAL: 3 critical, 3 warning, 7 ok (13 checks on 4 hosts in " in table
    assert re.search(r"\nReport: reports/morning_round/\S+Z\.html$", table.rstrip())
    assert "critical: 3 of 13 checks are critical, 3 warning; report: " in run.output
    statistics = re.search(r"runbook_verdict\W+critical", run.output)
    assert statistics, "the statistics are set although the run failed"
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
    assert "without a result" in broken[0][1]
    assert "nothing was checked" in broken[1][1]


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
    assert "(limited to app1)" in run.table


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


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"runbook_fail_on": "sometimes"},
            "value of report_fail_on must be one of: critical, warning, unknown, never, "
            "got: sometimes",
        ),
        ({"runbook_report_formats": ["pdf"]}, "report_formats"),
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


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"runbook_fail_on": "warnings"},
            "runbook_fail_on (fail_on): 'warnings' is not one of never, critical",
        ),
        (
            {"runbook_report_formats": ["pdf"]},
            "runbook_report_formats (formats): 'pdf' is not one of junit",
        ),
        ({"runbook_report_keep": "all"}, "runbook_report_keep (keep): must be a whole number"),
        (
            {"runbook_report_keep": -1},
            "runbook_report_keep (keep): -1 is not a number of reports; use 0 to keep all",
        ),
        (
            {"runbook_playbook": "../etc"},
            "runbook_playbook (playbook): '../etc' cannot be the name of a folder",
        ),
        (
            {"runbook_report_textfile": "x.txt"},
            "runbook_report_textfile (textfile): 'x.txt' does not end in '.prom'",
        ),
        ({"runbook_title": "{{ 1 / 0 }}"}, "runbook_title (title): "),
    ],
)
def test_a_typing_error_does_not_cost_the_report(
    playbook: Playbook, extra: dict[str, Any], message: str
) -> None:
    """As the shipped playbooks have it; what was done must be told all the same."""
    unchecked = {"name": "gpt_agent.runbook.report", "rolespec_validate": False}
    role = {
        "hosts": "all",
        "gather_facts": False,
        "run_once": True,
        "tasks": [{"ansible.builtin.import_role": unchecked}],
    }
    run = playbook([play(probe("host_health", FINE)), role], {"app1": {}}, "-e", json.dumps(extra))
    assert run.code == 2
    text = " ".join(run.output.split())
    assert "Invalid options were replaced by their defaults: " in text
    assert message in text
    assert "2 checks" in run.table


def memory(status: str) -> dict[str, Any]:
    """Thresholds by which the memory of any host is ok or critical."""
    level = 0 if status == "critical" else None
    return {"host.memory": {"warning": None, "critical": level}}


def host_health(register: str, status: str) -> dict[str, Any]:
    """A task that checks this host's memory with the real module."""
    return {
        "name": "Check the host",
        "gpt_agent.runbook.host_health": {"thresholds": memory(status), "cpu_interval": 0.1},
        "register": register,
    }


def operation(status: str) -> dict[str, Any]:
    """A task that does something about memory, and finds it so afterwards."""
    checks = as_dicts([Check("host.memory", status, f"{status} after the restart")])
    actions = as_dicts([Action("app.restart", "done", "leaks memory", "gpt-agent")])
    return answer("app_restart", {"checks": checks, "actions": actions, "changed": True})


def memory_checks(run: Run) -> list[tuple[str, str]]:
    rows = [check for check in run.report["checks"] if check["name"] == "host.memory"]
    return [(row["status"], row["summary"]) for row in rows]


@pytest.mark.parametrize("callback", ["gpt_agent.runbook.summary", ""])
def test_the_last_of_review_operation_and_recount_counts(playbook: Playbook, callback: str) -> None:
    tasks = [host_health("__host_review", "critical"), operation("warning")]
    env = {"ANSIBLE_CALLBACKS_ENABLED": callback}
    after = playbook([play(*tasks), REPORT], {"app1": {}}, env=env)
    assert memory_checks(after) == [("warning", "warning after the restart")], after.output
    tasks.append(host_health("__host_recount", "ok"))
    recounted = playbook([play(*tasks), REPORT], {"app1": {}}, env=env)
    assert [status for status, _ in memory_checks(recounted)] == ["ok"], recounted.output
    assert recounted.report["action_counts"]["done"] == 1
    assert [row["name"] for row in recounted.report["checks"]].count("host.cpu") == 1


def test_a_check_that_is_made_again_under_the_same_name_is_the_last(playbook: Playbook) -> None:
    """Ansible keeps the place of a variable that is registered again."""
    tasks = [
        host_health("__host_health", "ok"),
        operation("ok"),
        host_health("__host_health", "critical"),
    ]
    run = playbook([play(*tasks), REPORT], {"app1": {}})
    assert run.code == 2, run.output
    assert [status for status, _ in memory_checks(run)] == ["critical"]


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"host_timeout": -1}, "host_timeout"),
        ({"runbook_timeout": -1}, "runbook_timeout"),
        ({"runbook_timeout": 5, "host_timeout": -1}, "host_timeout"),
    ],
)
def test_a_usage_error_names_the_variable_that_was_set(
    playbook: Playbook, variables: dict[str, Any], name: str
) -> None:
    step = {
        "name": "Check the host",
        "gpt_agent.runbook.host_health": {
            "timeout": "{{ host_timeout | default(runbook_timeout) }}",
        },
        "register": "__host_health",
    }
    run = playbook([play(step), REPORT], {"app1": variables})
    assert run.checks() == [("app1", "runbook.step", "critical")], run.output
    [check] = run.report["checks"]
    assert check["summary"].startswith(f"{name} (timeout): -1 is not a number of seconds")
