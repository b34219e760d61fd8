# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the HTML report looks, in light, in dark, on a phone and on paper."""

from __future__ import annotations

CSS = """
:root {
  color-scheme: light dark;
  --page: #f4f5f8; --card: #ffffff; --ink: #1a2230; --soft: #586274; --line: #dfe3ea; --code: #eef0f4; --track: #e4e8ee;
  --ok: #17774a; --warning: #8f5b00; --critical: #b4231a; --unknown: #5a4bb8;
  --ok-fill: #2f9e6b; --warning-fill: #d99a1c; --critical-fill: #d9483d; --unknown-fill: #8577dd;
  --ok-tint: #e6f4ec; --warning-tint: #fdf2da; --critical-tint: #fde9e7; --unknown-tint: #eeebfb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141b; --card: #181e28; --ink: #e7ebf1; --soft: #9ba6b6; --line: #2a3240; --code: #222a36; --track: #2b3442;
    --ok: #5fd29b; --warning: #f1b94a; --critical: #ff8178; --unknown: #b3a7ff;
    --ok-fill: #33a06d; --warning-fill: #d99a1c; --critical-fill: #e0524a; --unknown-fill: #8577dd;
    --ok-tint: #16291f; --warning-tint: #2e2514; --critical-tint: #341d1c; --unknown-tint: #241f3d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main, header > div, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
h1, h2, h3, p { margin: 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .9rem; }
h3 { font-size: 1.05rem; }
a { color: inherit; }
code, .remedy { overflow-wrap: anywhere; }
code { font: .92em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
/* a tone for each status; the glyph on a fill keeps its contrast */
.ok { --on: #fff; --tone: var(--ok); --fill: var(--ok-fill); --tint: var(--ok-tint); }
.warning { --tone: var(--warning); --fill: var(--warning-fill); --tint: var(--warning-tint); --on: #241a00; }
.critical, .failed { --on: #fff; --tone: var(--critical); --fill: var(--critical-fill); --tint: var(--critical-tint); }
.unknown { --on: #fff; --tone: var(--unknown); --fill: var(--unknown-fill); --tint: var(--unknown-tint); }
.done { --on: #fff; --tone: var(--ok); --fill: var(--ok-fill); --tint: var(--ok-tint); }
.planned { --on: #fff; --tone: var(--unknown); --fill: var(--unknown-fill); --tint: var(--unknown-tint); }
.skipped { --on: #fff; --tone: var(--soft); --fill: var(--soft); --tint: var(--code); }

/* the verdict */
header {
  background: var(--tint); border-top: .4rem solid var(--fill); border-bottom: 1px solid var(--line);
  padding: 1.6rem 0 1.7rem;
}
header .eyebrow {
  display: flex; flex-wrap: wrap; gap: .2rem 1rem; justify-content: space-between; color: var(--soft); font-size: .9rem;
}
header .eyebrow b { color: var(--ink); }
.verdict { display: flex; align-items: center; gap: 1.1rem; margin: 1.1rem 0 1.3rem; }
.verdict .seal {
  flex: none; width: 3.75rem; height: 3.75rem; border-radius: 50%; background: var(--fill); color: var(--on, #fff);
  display: grid; place-items: center;
}
.seal svg { width: 58%; height: 58%; }
.verdict h1 { font-size: clamp(1.45rem, 4.2vw, 2.1rem); line-height: 1.15; letter-spacing: -.015em; }
.verdict h1 span { color: var(--tone); }
.shares { display: flex; gap: 3px; height: .7rem; border-radius: .35rem; overflow: hidden; }
.shares i { display: block; background: var(--fill); min-width: .35rem; }
.counts { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: .7rem 0 0; padding: 0; list-style: none; }
.counts li { display: flex; align-items: center; gap: .45rem; }
.counts b { font-variant-numeric: tabular-nums; }
.note {
  margin-top: .9rem; padding: .45rem .8rem; border-radius: .45rem; background: var(--card);
  border: 1px solid var(--line); display: inline-block;
}
.mark {
  display: inline-grid; place-items: center; width: 1.25rem; height: 1.25rem; border-radius: 50%;
  background: var(--fill); color: var(--on, #fff); flex: none;
}
.mark svg { width: 62%; height: 62%; }
.seal svg, .mark svg { fill: none; stroke: currentColor; stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }

/* what needs a hand */
.finding {
  background: var(--card); border: 1px solid var(--line); border-left: .35rem solid var(--fill); border-radius: .6rem;
  padding: 1rem 1.15rem; margin: 0 0 .8rem;
}
.finding .top { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .7rem; }
.badge {
  background: var(--tint); color: var(--tone); font-weight: 650; font-size: .8rem; letter-spacing: .02em;
  padding: .1rem .6rem; border-radius: 1rem; white-space: nowrap;
}
.subject { overflow-wrap: anywhere; }
.hosts { margin-left: auto; display: flex; flex-wrap: wrap; gap: .3rem; }
.host {
  border: 1px solid var(--line); border-radius: .35rem; padding: 0 .45rem; font-size: .85rem; color: var(--soft);
  overflow-wrap: anywhere;
}
.saw { font-size: 1.06rem; font-weight: 550; margin: .5rem 0 0; overflow-wrap: anywhere; }
.saw .host { font-weight: 400; margin-right: .35rem; }
.remedy { margin: .7rem 0 0; padding: .55rem .8rem; background: var(--code); border-radius: .45rem; }
.remedy b { display: block; font-size: .8rem; color: var(--soft); font-weight: 600; }

/* a value against its limits */
.meter {
  display: block; position: relative; height: .5rem; border-radius: .25rem; background: var(--track);
  margin: .55rem 0 .2rem;
}
.meter .value { position: absolute; inset: 0 auto 0 0; border-radius: .25rem; background: var(--fill); min-width: .25rem; }
.meter .limit {
  position: absolute; top: -.2rem; bottom: -.2rem; width: 2px; background: var(--warning);
  box-shadow: 0 0 0 1.5px var(--card);
}
.meter .limit.high { background: var(--critical); }
.figures { display: flex; flex-wrap: wrap; gap: 0 .8rem; font-size: .85rem; color: var(--soft); }
.figures b { color: var(--ink); font-variant-numeric: tabular-nums; }

/* what was planned or done */
.act {
  display: grid; grid-template-columns: 5.2rem minmax(12rem, 1fr) fit-content(22rem); gap: .2rem .8rem; align-items: baseline;
  padding: .65rem 1.15rem; border-top: 1px solid var(--line);
}
.act:first-child { border-top: 0; }
.act .badge { justify-self: start; }
.act .figures { justify-content: flex-end; font-size: .9rem; }

/* everything */
.area { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 0 0 1rem; overflow: hidden; }
.area > h3 { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .7rem; padding: .8rem 1.15rem; }
.area > h3 .counts { margin: 0 0 0 auto; gap: .3rem .9rem; font-size: .875rem; font-weight: 400; }
details.group > summary {
  display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .8rem; padding: .4rem 1.15rem; background: var(--page);
  border-top: 1px solid var(--line); font-size: .9rem; cursor: pointer; list-style: none; overflow-wrap: anywhere;
}
details.group > summary > span:last-of-type { color: var(--soft); }
details.group > summary::after, details.check > summary::after {
  content: ""; width: .45rem; height: .45rem; border: solid var(--soft); border-width: 0 2px 2px 0;
  transform: rotate(-45deg); justify-self: end; opacity: .6;
}
details.group > summary::after { margin-left: auto; }
details.group[open] > summary::after, details.check[open] > summary::after { transform: rotate(45deg); }
details.group > summary::-webkit-details-marker, details.check > summary::-webkit-details-marker { display: none; }
details.check { border-top: 1px solid var(--line); }
details.check > summary {
  display: grid; grid-template-columns: 1.25rem minmax(0, 17rem) minmax(0, 1fr) 9rem .6rem; gap: .1rem .8rem;
  align-items: center; padding: .5rem 1.15rem; cursor: pointer; list-style: none;
}
details.check > summary:hover { background: var(--page); }
summary:focus-visible, a:focus-visible { outline: 3px solid var(--unknown-fill); outline-offset: -3px; border-radius: .3rem; }
.name b { font-weight: 600; display: block; line-height: 1.3; }
.name .subject { font-size: .85rem; color: var(--soft); }
.told { overflow-wrap: anywhere; font-size: .95rem; }
.gauge { text-align: right; font-size: .875rem; font-variant-numeric: tabular-nums; }
.gauge .meter { margin: .2rem 0 .15rem; height: .35rem; }
.inside { padding: .1rem 1.15rem 1rem 3.2rem; font-size: .92rem; }
.inside > * + * { margin-top: .6rem; }
.inside dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
.inside dt { color: var(--soft); }
.inside dd { margin: 0; overflow-wrap: anywhere; }
.finding details { margin-top: .7rem; }
.finding details > summary { cursor: pointer; color: var(--soft); font-size: .9rem; }

/* tables */
.scroll { overflow-x: auto; }
.evidence { margin-top: .5rem; border: 1px solid var(--line); border-radius: .45rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td {
  text-align: left; vertical-align: top; padding: .35rem .8rem; border-top: 1px solid var(--line);
  overflow-wrap: break-word;
}
thead th, thead td { border-top: 0; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number { text-align: right; white-space: nowrap; }
.grid td, .grid thead th:not(:first-child) { text-align: center; }
.grid tbody th { font-weight: 600; min-width: 5rem; }
.grid a { white-space: nowrap; }
.grid a {
  display: inline-flex; align-items: center; gap: .35rem; text-decoration: none; padding: .1rem .3rem;
  border-radius: .4rem;
}
.grid a:hover { background: var(--page); }
footer { color: var(--soft); font-size: .85rem; padding-top: 1.5rem; padding-bottom: 2.5rem; }
.aside { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

@media (max-width: 44rem) {
  main, header > div, footer { padding: 0 .9rem; }
  .verdict .seal { width: 3rem; height: 3rem; }
  .hosts { margin-left: 0; }
  .act { grid-template-columns: minmax(0, 1fr); }
  .act .figures { justify-content: flex-start; }
  details.check > summary { grid-template-columns: 1.25rem minmax(0, 1fr) auto .6rem; padding: .6rem .9rem; align-items: start; }
  .told { grid-column: 2 / 4; grid-row: 2; }
  .gauge { grid-column: 3; grid-row: 1; }
  .gauge .meter { display: none; }
  .area > h3, details.group > summary { padding-left: .9rem; padding-right: .9rem; }
  .inside { padding: .1rem .9rem .9rem; }
  .inside dl { grid-template-columns: 1fr; }
  .inside dd { margin-bottom: .4rem; }
}
@media print {
  :root { --page: #fff; }
  body { font-size: 10.5pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .finding, .area > h3, details.check { break-inside: avoid; }
  details.check > summary { grid-template-columns: 1.25rem minmax(0, 11rem) minmax(0, 1fr) 8rem; }
  summary::after { display: none; }
  .grid th, .grid td { padding: .25rem .3rem; font-size: .75rem; }
  details.group::details-content, details.check:not(.ok)::details-content, .finding details::details-content {
    content-visibility: visible; block-size: auto;
  }
}
"""
