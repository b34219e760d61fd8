"""The closing table of a run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import terminal
from tests.support import report_samples as samples
from tests.support import reports

Report = dict[str, Any]


@pytest.mark.parametrize("width", [40, 80, 110, 160])
@pytest.mark.parametrize(
    "report", [*reports.ALL, reports.many()], ids=["bad", "good", "plan", "done", "many"]
)
def test_the_table_keeps_to_its_width(report: Report, width: int) -> None:
    text = terminal.render(report, width=width)
    wide = [
        line
        for line in text.splitlines()
        if len(line) > width and not line.startswith(report["verdict"].upper())
    ]
    assert [line for line in wide if len(line.split()) > 4] == [], (
        "only what cannot be broken, such as a path, may be wider"
    )


def test_the_table_says_what_where_and_what_to_do() -> None:
    text = terminal.render(reports.BAD, width=110, location="reports/daily_checklist/x.html")
    lines = text.splitlines()
    at = lines.index("✖ critical  postgres.connections · db1")
    assert (
        lines[at + 1]
        == "            93 of 97 usable connections in use, 61 of them idle from app 'worker'"
    )
    assert lines[at + 2].startswith("            → Check connection pool")
    assert "▲ warning   certificate.expiry gpt-agent.example.com:443 · app1, app2" in lines
    assert "✔ ok        41 ok: Host 24, App 5, Web 3, Certificates 4, PostgreSQL 5" in lines
    assert lines[-2:] == [
        "CRITICAL: 4 critical, 6 warning, 1 unknown, 41 ok (52 checks on 4 hosts in 14.3 s)",
        "Report: reports/daily_checklist/x.html",
    ]


def test_the_table_groups_what_is_the_same_on_many_hosts() -> None:
    text = terminal.render(reports.many())
    assert text.count("host.disk_used") == 1
    assert "host.disk_used / · app1, app2, app3 and 17 more hosts" in text


def test_the_table_keeps_apart_what_differs_between_hosts() -> None:
    report = samples.report(
        {
            f"app{n}": {
                "__h": samples.step(*[samples.THRESHOLDS.evaluate("host.cpu", 96, f"{n} % busy")])
            }
            for n in range(10)
        }
    )
    lines = terminal.render(report).splitlines()
    assert "            app0: 0 % busy" in lines
    assert "            and 4 more, see the report" in lines


def test_the_table_says_from_when_on_something_was_counted() -> None:
    since, sampled = "since boot 7 h ago", "1.0 s"
    checks = [
        samples.THRESHOLDS.evaluate("host.oom_kills", 13, "13 processes killed", window=since),
        samples.THRESHOLDS.evaluate("host.cpu", 96, "96 % busy over 1.0 s", window=sampled),
    ]
    text = terminal.render(samples.report({"db1": {"__host_health": samples.step(*checks)}}))
    assert "            13 processes killed (since boot 7 h ago)\n" in text
    assert "            96 % busy over 1.0 s\n" in text


def test_the_table_shows_the_plan_and_the_work_with_figures() -> None:
    unconfirmed = samples.report(samples.maintenance(True))
    text = terminal.render(unconfirmed, width=100)
    assert "Daily checklist (plan only: nothing was changed) ─" in text
    assert "            → The first lines of the playbook say how to carry it out.\n" in text
    assert "plan only" not in terminal.render(reports.DONE)
    plan = terminal.render(reports.PLAN, width=160)
    assert "(check mode: nothing was changed) (limited to db1)" in plan
    assert (
        "• planned   postgres.reindex public.orders_created_at · db1: 62 % of the index is empty "
        "(664 MiB, about 44 s)" in plan
    )
    done = terminal.render(reports.DONE, width=160)
    assert (
        "✔ done      postgres.reindex public.orders_created_at · db1: 62 % of the index is empty "
        "(664 MiB → 252 MiB, 412 MiB, in 41.5 s)" in done
    )
    assert "OK: actions: 2 done, 1 skipped (on db1 in 14.3 s)" in done


def test_ascii_is_enough() -> None:
    for report in [*reports.ALL, reports.hostile()]:
        assert terminal.render(report, unicode=False).isascii()
    assert "x critical  host.reachable | app3" in terminal.render(reports.BAD, unicode=False)
    assert "            -> Check connection pool" in terminal.render(reports.BAD, unicode=False)


def test_a_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    text = terminal.render(reports.hostile(), location="x")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_colours_are_those_of_the_caller() -> None:
    used: list[tuple[str, str]] = []

    def paint(text: str, colour: str) -> str:
        used.append((colour, text))
        return f"<{colour}>{text}"

    text = terminal.render(reports.BAD, paint=paint)
    assert ("red", "✖ critical  postgres.connections · db1") in used
    assert "<red>CRITICAL: 4 critical" in text
    assert "<green>✔ ok" in text
