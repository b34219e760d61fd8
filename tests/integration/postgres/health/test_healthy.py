"""pg_health against a healthy PostgreSQL, by each way to it, run after run."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.connection import (
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.collect import (
    History,
    collect,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.health.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.url import parse_url
from tests.conftest import SERVER_CHECKS, by_name
from tests.support.postgres import Server
from tests.support.postgres_probe import Ask, assert_well


def test_a_healthy_server(server: Server, ask: Ask) -> None:
    for _ in range(3):
        server.admin("SELECT count(*) FROM pg_class c, generate_series(1, 20)")
    answer = ask()
    assert {check["name"] for check in answer["checks"]} == SERVER_CHECKS
    assert {
        check["name"]: check["summary"] for check in answer["checks"] if check["status"] != "ok"
    } == {}
    assert (
        f"at 127.0.0.1:{server.own['port']} answers"
        in by_name(answer, "postgres.reachable")["summary"]
    )


def test_through_the_socket_from_another_database_and_as_administrator(
    server: Server, ask: Ask
) -> None:
    own = server.own
    path = server.socket_url("postgres")
    answer = ask(path)
    assert_well(answer)
    assert (
        f"at socket {own['socket_dir']}, port {own['port']}"
        in by_name(answer, "postgres.reachable")["summary"]
    )
    assert_well(ask(server.admin_url))


def test_check_mode_says_the_same_and_keeps_nothing(ask: Ask, tmp_path: Path) -> None:
    assert_well(ask(check=True))
    assert not (tmp_path / "state").exists()
    assert_well(ask())
    files = list((tmp_path / "state").iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_state_holds_no_secret_and_the_next_run_judges_what_came_since(
    server: Server, ask: Ask, tmp_path: Path
) -> None:
    assert "since" in by_name(ask(), "postgres.query_time_mean")["window"]
    for file in (tmp_path / "state").iterdir():
        text = file.read_text()
        assert server.own["password"] not in text
        kept = json.loads(text)
        for sample in kept["samples"]:
            sample["time"] -= 3600
        file.write_text(json.dumps(kept))
    server.admin(
        *["SELECT 'marked', pg_sleep(0.01)"] * 25,
        "SELECT count(*) FROM pg_class c, generate_series(1, 20)",
        *["VACUUM pg_class"] * 30,
    )
    answer = ask()
    mean = by_name(answer, "postgres.query_time_mean")
    assert not any(row["statement"].startswith("VACUUM") for row in mean["evidence"]), (
        "nobody's request waits for it"
    )
    assert mean["window"].endswith("/PT1H")
    assert mean["value"] > 0
    assert any(row["calls"] == 25 and "pg_sleep" in row["statement"] for row in mean["evidence"]), (
        mean
    )
    assert "marked" not in json.dumps(mean)
    assert by_name(answer, "postgres.deadlocks")["window"].endswith("/PT1H")


def test_it_names_itself_and_takes_few_round_trips(server: Server, tmp_path: Path) -> None:
    connection = Connection(parse_url(server.url()), "gpt_agent.runbook/pg_health", Deadline(10))
    try:
        connection.open()
        collect(Options(), connection, History(str(tmp_path), "test", "x"))
        show = (
            "SELECT current_setting('application_name'), "
            "current_setting('transaction_read_only'), current_setting('lock_timeout')"
        )
        assert connection.rows("itself", show) == [("gpt_agent.runbook/pg_health", "on", "100ms")]
    finally:
        connection.close()
    assert connection.round_trips - 1 <= 8
