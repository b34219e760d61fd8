"""Reads the formats of a report as strictly as their specifications demand."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import junit

Report = dict[str, Any]

#: The elements that a page may have: none of them loads or runs anything.
ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main", "section"),
    *("article", "footer", "div", "span", "p", "a", "b", "i", "code", "h1", "h2", "h3", "ul", "li"),
    *("dl", "dt", "dd", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"),
    *("svg", "symbol", "path", "use"),
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


#: The schema of Jenkins and others: element -> (attributes it must have, attributes it may have,
#: children).
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


def read_junit(report: Report) -> ET.Element:
    """The report as JUnit XML, checked against the schema and its own counts."""
    root = ET.fromstring(junit.render(report).encode())
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


def junit_outcomes(root: ET.Element) -> dict[str, str]:
    """What each test case holds: ``failure``, ``skipped`` or ``system-out``."""
    return {
        f"{case.attrib['classname']} {case.attrib['name']}": "".join(child.tag for child in case)
        for case in root.iter("testcase")
    }


Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def read_metrics(text: str) -> Samples:
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


def sample_value(found: Samples, name: str, **labels: str) -> float:
    return found[name][tuple(labels.items())]
