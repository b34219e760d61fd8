"""All formats of a report: each shows every finding and survives any text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import (
    html,
    junit,
    markdown,
    prometheus,
    terminal,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.formats import documents
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.view import findings
from tests.conftest import ROOT
from tests.support import report_samples as samples
from tests.support import reports
from tests.support.report_readers import Page, read_junit, read_metrics

Report = dict[str, Any]


@pytest.mark.parametrize(
    "report", [*reports.ALL, reports.hostile()], ids=["bad", "good", "plan", "done", "hostile"]
)
def test_every_format_shows_every_finding(report: Report) -> None:
    made = documents(report, ["junit", "prometheus"])
    assert list(made)[-1] == "json", "JSON is the last to be written"
    assert json.loads(made["json"]) == report
    for suffix in ("html", "md", "xml", "prom"):
        for finding in findings(report):
            assert finding.name in made[suffix], f"{finding.name} is not in {suffix}"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_leaves_every_format_whole(text: str) -> None:
    check = Check(
        "web.endpoint",
        "critical",
        text or "x",
        text,
        remedy=text,
        window=text,
        evidence=({text: text},),
    )
    spare = Check("web.response_time", "ok", text or "x", text, not_judged=text)
    report = samples.report({"a": {"__w": samples.step(check, spare)}, "b": {}}, title=text)
    Page(html.render(report))
    read_junit(report)
    markdown.render(report)
    terminal.render(report)
    documents(report)["json"].encode()


def test_the_documentation_names_every_metric_and_every_field() -> None:
    text = (ROOT / "docs/report.md").read_text()
    for name in {
        re.sub(r"_(ratio|seconds|bytes)$", "", name) if name.startswith("runbook_check") else name
        for name in read_metrics(prometheus.render(reports.BAD))
    }:
        assert name in text, name
    for field in [*reports.BAD, *reports.BAD["checks"][0], *reports.DONE["actions"][0]]:
        assert f"`{field}`" in text, field


def test_what_is_not_judged_is_listed_apart_once_for_all_hosts() -> None:
    check = samples.THRESHOLDS.not_judged(
        "redis.hit_rate", "20 lookups", "that takes 1,000", subject="cache"
    )
    hosts = {f"redis{number}": {"__r": samples.step(check)} for number in range(1, 4)}
    report = samples.report(hosts)
    assert report["verdict"] == "ok"
    assert report["counts"]["ok"] == 3
    table = terminal.render(report, width=110).splitlines()
    assert "not judged  redis.hit_rate cache · redis1, redis2, redis3: that takes 1,000" in table
    ticket = markdown.render(report)
    assert "What needs attention" not in ticket
    assert "\n- `redis.hit_rate` `cache` on redis1, redis2, redis3: that takes 1,000\n" in ticket
    page = html.render(report)
    assert "<h2>What needs attention</h2>" not in page
    apart = page.partition("<h2>Not judged</h2>")[2]
    assert apart.count("that takes 1,000") == 1
    assert "redis1, redis2, redis3" in apart
    for shown in (terminal.render, markdown.render, html.render):
        assert "Not judged" not in shown(reports.GOOD)
        assert "not judged" not in shown(reports.GOOD)


Renderer = Callable[[Report], str]


@pytest.mark.parametrize(
    "render",
    [
        html.render,
        markdown.render,
        junit.render,
        prometheus.render,
        terminal.render,
    ],
)
def test_a_report_without_times_is_shown_too(render: Renderer) -> None:
    assert "None" not in render(samples.report(samples.healthy(), started=None))
