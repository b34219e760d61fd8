# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one self-contained page: the verdict, what needs a hand, then everything.

Nothing is loaded from anywhere and nothing runs in it; its own content policy forbids both. Every text is escaped on its way in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from ...module_utils.core.check import (
    CRITICAL,
    DONE,
    FAILED,
    OK,
    PLANNED,
    SKIPPED,
    STATUSES,
    UNKNOWN,
    WARNING,
    worst,
)
from .css import CSS
from .view import (
    ACTIONS_BY_URGENCY,
    Finding,
    Row,
    below,
    brief,
    columns,
    component,
    component_title,
    components,
    effect,
    figure,
    findings,
    headline,
    limits,
    meaning,
    outcome,
    pluralize,
    scope,
    tally,
    visible,
    when,
    work,
)

#: Shapes, so that no status is told by its colour alone.
_PATHS = {
    OK: "M3 8.5 6.5 12 13 4.5",
    WARNING: "M8 3v6.5M8 12.6v.4",
    CRITICAL: "M4 4l8 8M12 4l-8 8",
    UNKNOWN: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.7 8 9 8 10M8 12.8v.2",
    PLANNED: "M8 3.5V8l3 2",
    SKIPPED: "M4 8h8",
}
_PATHS[DONE] = _PATHS[OK]
_PATHS[FAILED] = _PATHS[CRITICAL]
#: Of more hosts than these a finding names the first ones; all are in its tooltip and in the tables below it.
MOST_HOSTS = 8


def render(report: Row) -> str:
    several = len(report["hosts"]) > 1
    verdict = report["verdict"]
    title = f"{_verdict(verdict)}: {report['title']}, {when(report['finished'])}"
    found = findings(report)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">",
        '<meta name="referrer" content="no-referrer">',
        f"<title>{_text(title)}</title>",
        f'<link rel="icon" href="{_favicon(verdict)}">',
        f"<style>{CSS}</style>\n</head>\n<body>",
        _icons(),
        _header(report),
        "<main>",
        _section("What needs a hand", [_finding(finding, several) for finding in found])
        if found
        else "",
        _section(
            "What was planned" if report["check_mode"] else "What was done",
            [_work(work(report), several)],
        )
        if report["actions"]
        else "",
        _section("All hosts", [_grid(report)]) if several else "",
        _section(
            "Everything that was looked at",
            [_area(key, rows, report) for key, rows in components(report["checks"]).items()],
        )
        if report["checks"]
        else "",
        "</main>",
        f"<footer>Written by the Ansible collection gpt_agent.runbook, {_text(when(report['finished']))}. "
        f"The same facts for programs: the .json file of the same name, schema {_text(report['schema_version'])}.</footer>",
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _text(value: Any) -> str:
    return escape(visible(str(value)))


def _header(report: Row) -> str:
    verdict = report["verdict"]
    counts = {
        **report["counts"],
        **{status: number for status, number in report["action_counts"].items() if number},
    }
    order = [status for status in (*reversed(STATUSES), *ACTIONS_BY_URGENCY) if counts.get(status)]
    shares = "".join(f'<i class="{status}" style="flex:{counts[status]}"></i>' for status in order)
    notes = []
    if report["check_mode"]:
        notes.append("Check mode: nothing was changed.")
    if report["limit"]:
        notes.append(f"Only these hosts were asked for: {report['limit']}.")
    return (
        f'<header class="{verdict}"><div><div class="eyebrow"><span><b>{_text(report["title"])}</b> · {_text(when(report["finished"]))}</span>'
        f"<span>{_text(scope(report))}</span></div>"
        f'<div class="verdict"><div class="seal">{_icon(verdict)}</div>'
        f"<h1><span>{_verdict(verdict)}.</span> {_text(headline(report))}.</h1></div>"
        f'<div class="shares" role="img" aria-label="{_text(outcome(report))}">{shares}</div>{_counts(counts, order)}'
        + "".join(f'<p class="note small">{_text(note)}</p> ' for note in notes)
        + "</div></header>"
    )


def _verdict(status: str) -> str:
    return "OK" if status == OK else status.capitalize()


def _counts(counts: Mapping[str, int], order: Sequence[str] = tuple(reversed(STATUSES))) -> str:
    items = "".join(
        f'<li class="{status}">{_mark(status)} <span><b>{counts[status]:,}</b> {status}</span></li>'
        for status in order
        if counts[status]
    )
    return f'<ul class="counts">{items}</ul>'


def _section(title: str, parts: Iterable[str]) -> str:
    return f"<section><h2>{_text(title)}</h2>\n" + "\n".join(parts) + "</section>"


def _finding(finding: Finding, several: bool) -> str:
    hosts = finding.hosts
    chips = ""
    if several:
        shown = hosts if len(hosts) <= MOST_HOSTS else hosts[: MOST_HOSTS - 1]
        rest = (
            [
                f'<span class="host" title="{_text(", ".join(hosts))}">and {len(hosts) - len(shown)} more</span>'
            ]
            if len(shown) < len(hosts)
            else []
        )
        chips = f'<span class="hosts">{"".join([*map(_host, shown), *rest])}</span>'
    told = finding.summaries
    worst_rows = finding.rows[:1] if len(told) == 1 else ()
    parts = [
        f'<article class="finding {finding.status}"><div class="top"><span class="badge">{finding.status}</span>'
        f"<code>{_text(finding.name)}</code>{_subject(finding.subject)}{chips}</div>",
        *(
            f'<p class="saw">{"".join(map(_host, where)) if len(told) > 1 else ""}{_text(summary)}</p>'
            for summary, where in told
        ),
        *(_meter(row) + _figures(row) for row in worst_rows),
        f'<p class="remedy"><b>What to do</b>{_text(finding.remedy)}</p>' if finding.remedy else "",
    ]
    behind = [row for row in finding.rows if row["evidence"]]
    if behind:
        rows = "".join(
            (f"<p>{_host(row['host'])}</p>" if len(finding.rows) > 1 else "")
            + _table(row["evidence"])
            for row in behind
        )
        parts.append(
            f"<details><summary>Evidence: {pluralize(sum(len(row['evidence']) for row in behind), 'row')}</summary>{rows}</details>"
        )
    return "\n".join([*(part for part in parts if part), "</article>"])


def _work(actions: Iterable[Row], several: bool) -> str:
    rows = "".join(
        f'<div class="act {action["status"]}"><span class="badge">{action["status"]}</span>'
        f'<div><code>{_text(action["name"])}</code>{_subject(action["subject"])}<p class="soft">{_text(action["reason"])}</p></div>'
        f'<span class="figures">{_host(action["host"]) if several else ""}<b>{_text(effect(action))}</b></span></div>'
        for action in actions
    )
    return f'<div class="area">{rows}</div>'


def _grid(report: Row) -> str:
    """Hosts against components: one look tells where it burns."""
    keys = list(components(report["checks"]))
    rows = []
    for number, host in enumerate(report["hosts"]):
        mine = components(check for check in report["checks"] if check["host"] == host["name"])
        cells = "".join(
            f"<td>{_cell(mine[key], number)}</td>" if key in mine else '<td class="soft">–</td>'
            for key in keys
        )
        rows.append(f'<tr><th scope="row">{_text(host["name"])}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{_text(component_title(key))}</th>' for key in keys)
    return f'<div class="area scroll"><table class="grid"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _cell(rows: Sequence[Row], host: int) -> str:
    status = worst(row["status"] for row in rows)
    same = sum(row["status"] == status for row in rows)
    words = f"{len(rows)}" if status == OK else f"{same} of {len(rows)}"
    return f'<a class="{status}" href="#{_anchor(component(rows[0]["name"]), host)}">{_mark(status)}<span>{words}<span class="aside"> {status}</span></span></a>'


def _anchor(key: str, host: int) -> str:
    return f"{key}-{host}"


def _area(key: str, rows: Sequence[Row], report: Row) -> str:
    several = len(report["hosts"]) > 1
    counts = Counter(row["status"] for row in rows)
    parts = [f'<div class="area"><h3>{_text(component_title(key))} {_counts(counts)}</h3>']
    for number, host in enumerate(report["hosts"]):
        mine = [row for row in rows if row["host"] == host["name"]]
        listed = map(_check, mine)
        parts += (
            [_group(host["name"], _anchor(key, number), mine, listed)]
            if mine and several
            else listed
        )
    return "\n".join([*parts, "</div>"])


def _group(host: str, anchor: str, rows: Sequence[Row], listed: Iterable[str]) -> str:
    """The checks of one host among several, folded away where all is well."""
    status = worst(row["status"] for row in rows)
    return (
        f'<details class="group" id="{anchor}"{"" if status == OK else " open"}><summary>{_mark(status)}<b>{_text(host)}</b>'
        f"<span>{_text(tally(Counter(row['status'] for row in rows)))}</span></summary>{''.join(listed)}</details>"
    )


def _check(row: Row) -> str:
    what = row["name"].split(".", 1)[1].replace("_", " ").replace(".", " ")
    facts = [
        ("Check", f"<code>{_text(row['name'])}</code>"),
        ("Looks at", _text(meaning(row["name"]))),
        ("Limits", _text(limits(row))),
        ("Covers", _text(row["window"])),
        ("What to do", _text(row["remedy"])),
    ]
    listed = "".join(f"<dt>{word}</dt><dd>{said}</dd>" for word, said in facts if said)
    return (
        f'<details class="check {row["status"]}"><summary>{_mark(row["status"])}<span class="name"><b>{_text(what)}</b>{_subject(row["subject"])}</span>'
        f'<span class="told"><span class="aside">{row["status"]}: </span>{_text(row["summary"])}</span>'
        f'<span class="gauge">{_text(figure(row))}{_meter(row, named=False)}</span></summary>'
        f'<div class="inside"><dl>{listed}</dl>{_table(row["evidence"])}</div></details>'
    )


def _meter(row: Row, named: bool = True) -> str:
    """A bar for the value with a mark at each limit; nothing for a check that is a plain yes or no."""
    marks = [(level, row[level]) for level in (WARNING, CRITICAL) if row[level] is not None]
    if row["value"] is None or not marks:
        return ""
    full = (
        100.0
        if row["unit"] == "percent"
        else max(row["value"], *(limit for level, limit in marks))
        * (2.0 if below(row) and row["value"] <= marks[0][1] else 1.1)
    )
    full = max(full, row["value"], 1e-9)

    def share(value: float) -> str:
        return f"{min(max(value / full * 100, 0), 100):.2f}%"

    drawn = "".join(
        f'<span class="limit{" high" if level == CRITICAL else ""}" style="left:calc({share(limit)} - 1px)"></span>'
        for level, limit in marks
    )
    label = (
        f' role="img" aria-label="{_text(figure(row))}, {_text(limits(row))}"'
        if named
        else ' aria-hidden="true"'
    )
    filled = (
        f'<span class="value" style="width:{share(row["value"])}"></span>'
        if row["value"] > 0
        else ""
    )
    return f'<span class="meter"{label}>{filled}{drawn}</span>'


def _figures(row: Row) -> str:
    facts = [
        f"<b>{_text(figure(row))}</b>" if row["value"] is not None else "",
        _text(limits(row)),
        f"covers {_text(row['window'])}" if row["window"] else "",
    ]
    said = "".join(f"<span>{fact}</span>" for fact in facts if fact)
    return f'<p class="figures">{said}</p>' if said else ""


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    keys = columns(rows)
    head = "".join(f'<th scope="col">{_text(key.replace("_", " "))}</th>' for key in keys)
    body = "".join(
        "<tr>" + "".join(_data(row.get(key, "")) for key in keys) + "</tr>" for row in rows
    )
    return f'<div class="evidence scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _data(value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return (
        f'<td class="number">{_text(brief(value))}</td>'
        if number
        else f"<td>{_text(brief(value, 400))}</td>"
    )


def _host(name: str) -> str:
    return f'<span class="host">{_text(name)}</span>'


def _subject(subject: str) -> str:
    return f' <span class="subject">{_text(subject)}</span>' if subject else ""


def _mark(status: str) -> str:
    return f'<span class="mark {status}">{_icon(status)}</span>'


def _icon(status: str) -> str:
    return f'<svg aria-hidden="true"><use href="#i-{status}"/></svg>'


def _icons() -> str:
    """Every shape once, for `_icon` to refer to."""
    shapes = "".join(
        f'<symbol id="i-{status}" viewBox="0 0 16 16"><path d="{path}"/></symbol>'
        for status, path in _PATHS.items()
    )
    return f'<svg width="0" height="0" style="position:absolute" aria-hidden="true">{shapes}</svg>'


def _favicon(status: str) -> str:
    colour = {OK: "#2f9e6b", WARNING: "#d99a1c", CRITICAL: "#d9483d", UNKNOWN: "#8577dd"}[status]
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8" fill="{colour}"/>'
        f'<path d="{_PATHS[status]}" transform="translate(1.6 1.6) scale(.8)" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/></svg>'
    )
    return f"data:image/svg+xml,{quote(picture)}"
