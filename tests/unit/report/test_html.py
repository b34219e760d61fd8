"""The page: complete, safe with hostile texts, readable for everyone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import html
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.page import meter
from tests.support import reports
from tests.support.report_readers import ELEMENTS, Page

Report = dict[str, Any]

COLOURS = (Path(html.TEMPLATES) / "colours.css").read_text()


@pytest.mark.parametrize(
    "report",
    [*reports.ALL, reports.many(), reports.hostile()],
    ids=["bad", "good", "plan", "done", "many", "hostile"],
)
def test_the_page_is_whole_and_loads_and_runs_nothing(report: Report) -> None:
    text = html.render(report)
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
    said = " ".join(" ".join(Page(html.render(reports.BAD)).text).split())
    order = [
        "Critical.",
        "4 things need attention now",
        "What needs attention",
        "host.reachable",
        "What to do",
        "host.disk_used",
        "All hosts",
        "All checks",
    ]
    positions = [said.index(part) for part in order]
    assert positions == sorted(positions)
    assert "warning above 80 %, critical above 90 %" in said


def test_the_page_shows_evidence_and_windows() -> None:
    said = " ".join(Page(html.render(reports.BAD)).text)
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
        for check in reports.BAD["checks"]
        if check["name"] == "host.memory" and check["host"] == "db1"
    )
    bar = meter(row)
    assert bar is not None
    assert bar.filled == "88.00%"
    assert bar.marks == [("warning", "85.00%"), ("critical", "95.00%")]
    assert bar.label == "88 %, warning above 85 %, critical above 95 %"
    assert meter({**row, "value": None}) is None
    assert meter({**row, "warning": None, "critical": None}) is None
    page = html.render(reports.BAD)
    assert f'<span class="meter" role="img" aria-label="{bar.label}">' in page
    assert 'class="value" style="width:88.00%"' in page
    assert 'class="threshold critical" style="left:calc(95.00% - 1px)"' in page


@settings(deadline=None)
@given(
    st.floats(0, 1e15),
    st.none() | st.floats(0, 1e12),
    st.none() | st.floats(0, 1e12),
    st.sampled_from(["percent", "seconds", "bytes", "count", "days", ""]),
    st.sampled_from(["above", "below", ""]),
)
@example(70.0, 80.0, 95.0, "percent", "above")
@example(0.0, None, 3.0, "count", "below")
def test_a_bar_never_leaves_its_track(
    value: float, warning: float | None, critical: float | None, unit: str, direction: str
) -> None:
    levels = {"warning": warning, "critical": critical}
    bar = meter({"value": value, "unit": unit, "direction": direction, **levels})
    if bar is None:
        assert warning is None
        assert critical is None
        return
    assert bool(bar.filled) == (value > 0), "a value of 0 fills nothing"
    assert bar.marks
    places = [bar.filled or "0%", *(place for _level, place in bar.marks)]
    assert all(0 <= float(place.rstrip("%")) <= 100 for place in places)


def test_no_status_is_told_by_colour_alone() -> None:
    page = html.render(reports.BAD)
    rows = re.findall(r'<details class="check (\w+)">(.*?)</summary>', page, re.DOTALL)
    assert len(rows) == len(reports.BAD["checks"])
    for status, row in rows:
        assert f'<span class="visually-hidden">{status}: </span>' in row
    assert page.count('<use href="#i-critical"/>') >= 4


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
            r"--([\w-]+): (#[0-9a-f]{6});",
            re.findall(r":root \{(.*?)\}", COLOURS, re.DOTALL)[scheme],
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
