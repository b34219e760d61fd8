"""The report as Markdown: reads as a ticket, and hostile texts stay text."""

from __future__ import annotations

import re

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report import markdown
from tests.support import reports


def test_markdown_reads_as_a_ticket() -> None:
    text = markdown.render(reports.BAD)
    assert text.startswith("## 🔴 Daily checklist: critical – 4 things need attention now\n")
    assert "1. 🔴 **critical** `host.reachable` on app3\n" in text
    assert "   - What to do: Clean logs" in text
    assert "| 🟢 ok | app1 | `host.cpu` | 12.4 % | 12 % of 4 processors busy |" in text
    assert "10. ⚪ **unknown**" in text
    assert "\n    - What to do: Add it to" in text, (
        "what belongs to a number of two digits is indented by one more"
    )


def test_markdown_of_many_checks_stays_short_enough_for_a_comment() -> None:
    text = markdown.render(reports.many())
    assert "| app20 | 🔴 1 critical, 8 ok |" in text
    assert len(text) < 10_000


def test_markdown_tables_are_not_broken_by_what_is_in_them() -> None:
    rows: list[list[str]] = [[]]
    for line in markdown.render(reports.hostile()).splitlines():
        if line.lstrip().startswith("|"):
            rows[-1].append(line)
        elif rows[-1]:
            rows.append([])
    tables = [*filter(None, rows)]
    assert len(tables) > 1
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
        assert len(widths) == 1, table


def test_markdown_acts_on_nothing_hostile() -> None:
    text = re.sub(
        r"(?<!\\)`[^`\n]*`", "", markdown.render(reports.hostile())
    )  # a code span shows what is in it
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert not re.search(r"(?<!\\)@all", text)
    assert "\x1b" not in text
