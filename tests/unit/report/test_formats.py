"""The pictures of a report: each complete, each safe with hostile texts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Action, Check
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import html as report_html
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import junit as report_junit
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import (
    markdown as report_markdown,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import (
    prometheus as report_prometheus,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import (
    terminal as report_terminal,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.css import CSS
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.formats import documents
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.view import (
    below,
    effect,
    findings,
    headline,
    limits,
    names,
    sentence,
    when,
)
from tests.conftest import ROOT
from tests.support import report_samples as samples

Report = dict[str, Any]
BAD = samples.report(samples.bad_morning())
GOOD = samples.report(samples.healthy())
PLAN = samples.report(samples.maintenance(True), check_mode=True, limit="db1")
DONE = samples.report(samples.maintenance(False))
ALL = [BAD, GOOD, PLAN, DONE]

HOSTILE = '<script>alert(1)</script> "\'><img src=x onerror=alert(1)> `|*_[a](javascript:b) \x1b[2J\x00\u202e ]]> & \\ \\" {{ 7 * 7 }} @all'


def hostile() -> Report:
    """A report in which every text that can come from elsewhere is an attack."""
    check = Check(
        "host.cpu",
        "critical",
        HOSTILE,
        HOSTILE,
        99,
        "percent",
        80,
        95,
        HOSTILE,
        HOSTILE,
        ({HOSTILE: HOSTILE, "n": [HOSTILE]},),
    )
    action = Action("pg.vacuum", "failed", HOSTILE, HOSTILE, HOSTILE, {"x": HOSTILE}, 1.0, 5)
    steps = {
        "__x": samples.step(check),
        "__y": samples.done(action),
        "__z": {"failed": True, "msg": HOSTILE},
    }
    return samples.report(
        {HOSTILE: steps, "other": {"__x": samples.step(check)}}, title=HOSTILE, limit=HOSTILE
    )


def many(number: int = 20) -> Report:
    return samples.report(
        {f"app{n}": {"__host_health": samples.host_health(93.4)} for n in range(1, number + 1)}
    )


# --- what they share --------------------------------------------------------------------------------------------------


def test_findings_come_by_urgency_and_once_for_all_hosts() -> None:
    found = findings(BAD)
    assert [f.status for f in found] == ["critical"] * 4 + ["warning"] * 5 + ["unknown"]
    certificate = next(f for f in found if f.name == "certificate.expiry")
    assert certificate.hosts == ("app1", "app2")
    assert findings(GOOD) == []


def test_words() -> None:
    assert headline(BAD) == "4 things need a hand now"
    assert headline(GOOD) == "All is well"
    assert headline(PLAN) == "2 changes planned"
    assert headline(DONE) == "2 changes made"
    assert sentence(BAD) == "critical: 4 of 52 checks are critical, 6 warning, 1 unknown"
    assert sentence(GOOD) == "ok: 23 checks"
    assert sentence(DONE) == "ok: 2 actions done, 1 action skipped"
    assert names(["a", "b"]) == "a, b"
    assert names([f"a{n}" for n in range(20)]) == "a0, a1, a2 and 17 more hosts"
    assert when("2026-11-23T06:00:14Z") == "Monday 23 November 2026, 06:00 UTC"


@pytest.mark.parametrize(
    ("name", "warning", "critical", "words"),
    [
        ("host.cpu", 80, 95, "warning above 80 %, critical above 95 %"),
        ("postgres.cache_hit", 90, 80, "warning below 90 %, critical below 80 %"),
        ("postgres.cache_hit", None, 80, "critical below 80 %"),
        ("postgres.cache_hit", 50, 50, "warning below 50 %, critical below 50 %"),
        ("other.thing", 50, None, "warning above 50 %"),
        ("host.cpu", None, None, ""),
    ],
)
def test_limits_say_which_side_is_bad(
    name: str, warning: float | None, critical: float | None, words: str
) -> None:
    row = {"name": name, "warning": warning, "critical": critical, "unit": "percent"}
    assert limits(row) == words
    assert below(row) == ("below" in words)


def test_the_effect_of_an_action_is_in_figures() -> None:
    row = {
        "before": "1.2 GiB",
        "after": "800 MiB",
        "bytes": 429496730,
        "seconds": 12.0,
        "estimate": 9.0,
    }
    assert effect(row) == "1.2 GiB → 800 MiB, 410 MiB, in 12 s"
    assert (
        effect({**row, "before": None, "after": None, "bytes": None, "seconds": None})
        == "about 9 s"
    )


@pytest.mark.parametrize(
    "report", [*ALL, hostile()], ids=["bad", "good", "plan", "done", "hostile"]
)
def test_every_format_shows_every_finding(report: Report) -> None:
    made = documents(report, ["junit", "prometheus"])
    assert list(made)[-1] == "json", "JSON is the last to be written"
    assert json.loads(made["json"]) == report
    for suffix in ("html", "md", "xml", "prom"):
        for finding in findings(report):
            assert finding.name in made[suffix], f"{finding.name} is not in {suffix}"


# --- HTML -------------------------------------------------------------------------------------------------------------


#: The elements that a page may have: none of them loads or runs anything.
ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "link",
        "style",
        "body",
        "header",
        "main",
        "section",
        "article",
        "footer",
        "div",
        "span",
        "p",
        "a",
        "b",
        "i",
        "code",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "symbol",
        "path",
        "use",
    ),
}


class Page(HTMLParser):
    """Reads a page strictly: every element closed, in order."""

    VOID = frozenset({"meta", "link", "br", "path", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)


@pytest.mark.parametrize(
    "report", [*ALL, many(), hostile()], ids=["bad", "good", "plan", "done", "many", "hostile"]
)
def test_the_page_is_whole_and_loads_and_runs_nothing(report: Report) -> None:
    text = report_html.render(report)
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= ELEMENTS
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], f"{tag} runs something"
        for name in ("src", "href", "srcset", "action"):
            assert re.match(r"#|data:image/svg\+xml,", attributes.get(name) or "#"), (
                f"{tag} loads {attributes[name]}"
            )
    assert "url(" not in text
    assert "@import" not in text
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {
        (attributes["href"] or "")[1:] for tag, attributes in page.tags if tag in ("a", "use")
    }
    assert targets <= set(identifiers), "a link that leads nowhere"


def test_the_page_begins_with_the_verdict_and_what_to_do() -> None:
    said = " ".join(" ".join(Page(report_html.render(BAD)).text).split())
    order = [
        "Critical.",
        "4 things need a hand now",
        "What needs a hand",
        "host.reachable",
        "What to do",
        "host.disk_used",
        "All hosts",
        "Everything",
    ]
    positions = [said.index(part) for part in order]
    assert positions == sorted(positions)
    assert "warning above 80 %, critical above 90 %" in said


def test_the_page_shows_evidence_and_windows() -> None:
    said = " ".join(Page(report_html.render(BAD)).text)
    for part in (
        "ECONNREFUSED 10.0.0.7:6379",
        "2026-11-22T06:00Z/PT24H",
        "idle in transaction",
        "Share of all processors",
    ):
        assert part in said, part


def test_a_bar_ends_where_its_value_does_and_marks_the_limits() -> None:
    row = next(
        check
        for check in BAD["checks"]
        if check["name"] == "host.memory" and check["host"] == "db1"
    )
    bar = report_html._meter(row)
    assert 'class="value" style="width:88.00%"' in bar
    assert re.findall(r"left:calc\(([\d.]+)%", bar) == ["85.00", "95.00"]
    assert 'aria-label="88 %, warning above 85 %, critical above 95 %"' in bar
    assert report_html._meter({**row, "value": None}) == ""
    assert report_html._meter({**row, "warning": None, "critical": None}) == ""


@settings(deadline=None)
@given(
    st.floats(0, 1e15),
    st.none() | st.floats(0, 1e12),
    st.none() | st.floats(0, 1e12),
    st.sampled_from(["percent", "seconds", "bytes", "count", "days", ""]),
    st.sampled_from(["host.cpu", "postgres.cache_hit", "x.y"]),
)
def test_a_bar_never_leaves_its_track(
    value: float, warning: float | None, critical: float | None, unit: str, name: str
) -> None:
    bar = report_html._meter(
        {"name": name, "value": value, "warning": warning, "critical": critical, "unit": unit}
    )
    for share in re.findall(r"(?:width:|calc\()([\d.]+)%", bar):
        assert 0 <= float(share) <= 100


def test_no_status_is_told_by_colour_alone() -> None:
    page = report_html.render(BAD)
    for tag in re.findall(r'<details class="check (\w+)">.*?</summary>', page):
        assert f'<span class="aside">{tag}: </span>' in page
    assert page.count('<use href="#i-critical"/>') >= 4


# --- Markdown ---------------------------------------------------------------------------------------------------------


def test_markdown_reads_as_a_ticket() -> None:
    text = report_markdown.render(BAD)
    assert text.startswith("## 🔴 Daily checklist: critical – 4 things need a hand now\n")
    assert "1. 🔴 **critical** `host.reachable` on app3\n" in text
    assert "   - What to do: Clean logs" in text
    assert "| 🟢 ok | app1 | `host.cpu` | 12.4 % | 12 % of 4 processors busy |" in text
    assert "10. ⚪ **unknown**" in text
    assert "\n    - What to do: Add it to" in text, (
        "what belongs to a number of two digits is indented by one more"
    )


def test_markdown_of_many_checks_stays_short_enough_for_a_comment() -> None:
    text = report_markdown.render(many())
    assert "| app20 | 🔴 1 critical, 8 ok |" in text
    assert len(text) < 10_000


def test_markdown_tables_are_not_broken_by_what_is_in_them() -> None:
    rows: list[list[str]] = [[]]
    for line in report_markdown.render(hostile()).splitlines():
        if line.lstrip().startswith("|"):
            rows[-1].append(line)
        elif rows[-1]:
            rows.append([])
    for table in filter(None, rows):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
        assert len(widths) == 1, table


def test_markdown_acts_on_nothing_hostile() -> None:
    text = re.sub(
        r"(?<!\\)`[^`\n]*`", "", report_markdown.render(hostile())
    )  # a code span shows what is in it
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert not re.search(r"(?<!\\)@all", text)
    assert "\x1b" not in text


# --- the terminal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 80, 110, 160])
@pytest.mark.parametrize("report", [*ALL, many()], ids=["bad", "good", "plan", "done", "many"])
def test_the_table_keeps_to_its_width(report: Report, width: int) -> None:
    text = report_terminal.render(report, width=width)
    wide = [
        line
        for line in text.splitlines()
        if len(line) > width and not line.startswith(report["verdict"].upper())
    ]
    assert [line for line in wide if len(line.split()) > 4] == [], (
        "only what cannot be broken, such as a path, may be wider"
    )


def test_the_table_says_what_where_and_what_to_do() -> None:
    text = report_terminal.render(BAD, width=110, location="reports/daily_checklist/x.html")
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
    text = report_terminal.render(many())
    assert text.count("host.disk_used") == 1
    assert "host.disk_used / · app1, app2, app3 and 17 more hosts" in text


def test_the_table_keeps_apart_what_differs_between_hosts() -> None:
    report = samples.report(
        {
            f"app{n}": {
                "__h": samples.step(*[samples.LIMITS.evaluate("host.cpu", 96, f"{n} % busy")])
            }
            for n in range(10)
        }
    )
    lines = report_terminal.render(report).splitlines()
    assert "            app0: 0 % busy" in lines
    assert "            and 4 more like it, see the report" in lines


def test_the_table_shows_the_plan_and_the_work_with_figures() -> None:
    plan = report_terminal.render(PLAN, width=160)
    assert "(check mode: nothing was changed) (only db1)" in plan
    assert (
        "• planned   postgres.reindex public.orders_created_at · db1: 62 % of the index is empty (664 MiB, about 44 s)"
        in plan
    )
    done = report_terminal.render(DONE, width=160)
    assert (
        "✔ done      postgres.reindex public.orders_created_at · db1: 62 % of the index is empty (664 MiB → 252 MiB, 412 MiB, in 41.5 s)"
        in done
    )
    assert "OK: actions: 2 done, 1 skipped (on db1 in 14.3 s)" in done


def test_ascii_is_enough() -> None:
    for report in [*ALL, hostile()]:
        assert report_terminal.render(report, unicode=False).isascii()
    assert "x critical  host.reachable | app3" in report_terminal.render(BAD, unicode=False)
    assert "            -> Check connection pool" in report_terminal.render(BAD, unicode=False)


def test_a_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    text = report_terminal.render(hostile(), location="x")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_colours_are_those_of_the_caller() -> None:
    used: list[tuple[str, str]] = []

    def paint(text: str, colour: str) -> str:
        used.append((colour, text))
        return f"<{colour}>{text}"

    text = report_terminal.render(BAD, paint=paint)
    assert ("red", "✖ critical  postgres.connections · db1") in used
    assert "<red>CRITICAL: 4 critical" in text
    assert "<green>✔ ok" in text


# --- JUnit ------------------------------------------------------------------------------------------------------------

#: The schema that Jenkins and its kin agree on: element -> (attributes it must have, attributes it may have, children).
JUNIT: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"skipped", "time", "timestamp", "hostname"},
        {"testcase", "system-out"},
    ),
    "testcase": ({"name", "classname"}, {"time"}, {"failure", "error", "skipped", "system-out"}),
    "failure": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def junit(report: Report) -> ET.Element:
    root = ET.fromstring(report_junit.render(report).encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        required, allowed, children = JUNIT[element.tag]
        assert required <= set(element.attrib) <= required | allowed, element.attrib
        assert {child.tag for child in element} <= children
        for name in ("tests", "failures", "errors", "skipped"):
            assert element.get(name, "0").isdigit()
        assert re.fullmatch(r"\d+(\.\d*)?", element.get("time", "0"))
    for level in [root, *root]:
        cases = list(level.iter("testcase"))
        assert int(level.attrib["tests"]) == len(cases)
        assert int(level.attrib["failures"]) == sum(
            case.find("failure") is not None for case in cases
        )
        assert int(
            level.get("skipped") or sum(int(suite.attrib["skipped"]) for suite in level)
        ) == sum(case.find("skipped") is not None for case in cases)
    return root


def outcomes(root: ET.Element) -> dict[str, str]:
    return {
        f"{case.attrib['classname']} {case.attrib['name']}": "".join(child.tag for child in case)
        for case in root.iter("testcase")
    }


@pytest.mark.parametrize(
    "report", [*ALL, many(), hostile()], ids=["bad", "good", "plan", "done", "many", "hostile"]
)
def test_junit_keeps_to_the_schema_and_counts_right(report: Report) -> None:
    root = junit(report)
    assert len(list(root.iter("testcase"))) == len(report["checks"]) + len(report["actions"])


@pytest.mark.parametrize(
    ("fail_on", "warning", "unknown"),
    [
        ("critical", "system-out", "skipped"),
        ("never", "system-out", "skipped"),
        ("warning", "failure", "skipped"),
        ("unknown", "failure", "failure"),
    ],
)
def test_junit_fails_what_the_run_fails_for(fail_on: str, warning: str, unknown: str) -> None:
    told = outcomes(junit(samples.report(samples.bad_morning(), fail_on=fail_on)))
    assert told["db1.postgres.connections postgres.connections"] == "failure"
    assert told["app1.app.errors app.errors gpt-agent"] == warning
    assert told["db1.postgres.query_time_mean postgres.query_time_mean"] == unknown
    assert told["app1.host.cpu host.cpu"] == "system-out"


# --- Prometheus -------------------------------------------------------------------------------------------------------

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def exposition(text: str) -> Samples:
    """Read Prometheus' text format as strictly as its documentation has it."""
    assert text.endswith("\n")
    found: Samples = {}
    announced: dict[str, list[str]] = {}
    current = ""
    for line in text.split("\n")[:-1]:
        comment = re.fullmatch(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)", line)
        if comment:
            kind, name, rest = comment.groups()
            assert kind not in announced.setdefault(name, []), f"a second {kind} of {name}"
            assert name not in found, f"{kind} of {name} after its samples"
            assert kind == "HELP" or rest in ("gauge", "counter", "untyped", "histogram", "summary")
            announced[name].append(kind)
            continue
        sample = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} (\S+)", line)
        assert sample, line
        name, inside, value = sample.groups()
        assert name == current or name not in found, f"samples of {name} lie apart"
        current = name
        label = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
        assert re.fullmatch(rf"(?:{label}(?:,{label})*)?", inside), inside
        labels = tuple(
            (key, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), quoted))
            for key, quoted in re.findall(label, inside)
        )
        assert len({key for key, _ in labels}) == len(labels)
        assert labels not in found.setdefault(name, {}), f"a second sample {line}"
        found[name][labels] = float(value)
    assert all(announced.get(name) == ["HELP", "TYPE"] for name in found)
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name][tuple(labels.items())]


@pytest.mark.parametrize(
    "report", [*ALL, many(), hostile()], ids=["bad", "good", "plan", "done", "many", "hostile"]
)
def test_prometheus_reads_it_and_finds_every_check(report: Report) -> None:
    found = exposition(report_prometheus.render(report))
    wanted = {(check["host"], check["name"], check["subject"]) for check in report["checks"]}
    assert {
        (labels[1][1], labels[2][1], labels[3][1])
        for labels in found.get("runbook_check_status", {})
    } == wanted


def test_prometheus_gets_base_units_and_codes_of_monitoring_plugins() -> None:
    found = exposition(report_prometheus.render(BAD))
    run = {"playbook": "daily_checklist"}
    app2 = {**run, "host": "app2"}
    assert value(found, "runbook_check_status", **app2, check="host.disk_used", subject="/") == 2
    assert (
        value(found, "runbook_check_value_ratio", **app2, check="host.disk_used", subject="/")
        == 0.934
    )
    assert (
        value(found, "runbook_check_warning_ratio", **app2, check="host.disk_used", subject="/")
        == 0.8
    )
    assert (
        value(found, "runbook_check_critical_ratio", **app2, check="host.disk_used", subject="/")
        == 0.9
    )
    certificate = {**app2, "check": "certificate.expiry", "subject": "gpt-agent.example.com:443"}
    assert value(found, "runbook_check_status", **certificate) == 1
    assert value(found, "runbook_check_value_seconds", **certificate) == 12 * 86400
    assert (
        value(
            found,
            "runbook_check_status",
            **run,
            host="db1",
            check="postgres.query_time_mean",
            subject="",
        )
        == 3
    )
    assert value(found, "runbook_report_status", **run) == 2
    assert value(found, "runbook_report_timestamp_seconds", **run) == 1795413614
    assert value(found, "runbook_report_duration_seconds", **run) == 14.3
    assert (
        value(exposition(report_prometheus.render(DONE)), "runbook_actions", **run, status="done")
        == 2
    )


def test_prometheus_gets_the_worse_of_two_checks_of_one_name() -> None:
    checks = [
        Check("web.endpoint", status, "x", subject="/") for status in ("ok", "critical", "warning")
    ]
    found = exposition(
        report_prometheus.render(samples.report({"a": {"__w": samples.step(*checks)}}))
    )
    assert list(found["runbook_check_status"].values()) == [2]


@settings(deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_label_survives(host: str, subject: str) -> None:
    report = samples.report(
        {host: {"__w": samples.step(Check("web.endpoint", "ok", "fine", subject=subject))}}
    )
    (labels,) = exposition(report_prometheus.render(report))["runbook_check_status"]
    assert dict(labels)["host"] == host
    assert dict(labels)["subject"] == subject


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
    Page(report_html.render(report))
    junit(report)
    report_markdown.render(report)
    report_terminal.render(report)
    documents(report)["json"].encode()


# --- what is made from the table of checks ----------------------------------------------------------------------------


def test_the_page_of_all_checks_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_documentation_names_every_metric_and_every_field() -> None:
    text = (ROOT / "docs/report.md").read_text()
    for name in {
        re.sub(r"_(ratio|seconds|bytes)$", "", name) if name.startswith("runbook_check") else name
        for name in exposition(report_prometheus.render(BAD))
    }:
        assert name in text, name
    for field in [*BAD, *BAD["checks"][0], *DONE["actions"][0]]:
        assert f"`{field}`" in text, field


Renderer = Callable[[Report], str]


@pytest.mark.parametrize(
    "render",
    [
        report_html.render,
        report_markdown.render,
        report_junit.render,
        report_prometheus.render,
        report_terminal.render,
    ],
)
def test_a_report_without_times_is_shown_too(render: Renderer) -> None:
    assert "None" not in render(samples.report(samples.healthy(), started=None))


# --- readable for everyone --------------------------------------------------------------------------------------------


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as the Web Content Accessibility Guidelines define it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_of_the_page_has_enough_contrast(scheme: int) -> None:
    colours = dict(
        re.findall(
            r"--([\w-]+): (#[0-9a-f]{6});", re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[scheme]
        )
    )
    texts = [("ink", ground) for ground in ("page", "card", "code")] + [
        ("soft", ground) for ground in ("page", "card", "code")
    ]
    for status in ("ok", "warning", "critical", "unknown"):
        texts += [(status, f"{status}-tint"), ("ink", f"{status}-tint"), ("soft", f"{status}-tint")]
        fill = colours[f"{status}-fill"]
        assert contrast(fill, "#241a00" if status == "warning" else "#ffffff") >= 3, (
            f"the symbol of {status}"
        )
        assert contrast(fill, colours["card"]) >= 2, f"the bar of {status}"
    for text, ground in texts:
        assert contrast(colours[text], colours[ground]) >= 4.5, (
            f"{text} on {ground}: {contrast(colours[text], colours[ground]):.2f}"
        )
