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
    report = samples.report({"a": {"__w": samples.step(check)}, "b": {}}, title=text)
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
