# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are not the app's although their status is good: pages of others, and caches."""

from __future__ import annotations

import re
from dataclasses import replace

from ..core.check import UNKNOWN
from .body import text_of, title_of
from .options import Endpoint
from .snapshot import Answer, Problem

_DEFAULT_PAGE = re.compile(
    r"welcome to (nginx|openresty|tengine|caddy|apache|centos|litespeed)\b.*"
    r"|(nginx |apache |http server )*test page\b.*"
    r"|apache2? .*default page.*|it works!?|iis windows.*|caddy works.*|default web site page",
    re.IGNORECASE,
)
_LISTING = re.compile(r"(index of|directory listing (of|for)) /.*", re.IGNORECASE)
_MAINTENANCE = re.compile(
    r"(.*\b(under|down for|scheduled|site|system|in) )?maintenance( mode| page)?\b.{0,40}"
    r"|.*\b(be right back|temporarily (unavailable|offline|closed|down))\b.*"
    r"|.*\b(be back (soon|shortly)|gleich wieder (da|f(ü|ue)r sie da))\b.*"
    r"|wartung(sarbeiten|smodus|sseite)?\b.{0,40}|.*\ben mantenimiento\b.*"
    r"|.*\ben (cours de )?maintenance\b.*|.*\bin manutenzione\b.*"
    r"|(50[234]\b.*)?(service unavailable|bad gateway|gateway time-?out)",
    re.IGNORECASE,
)
#: The heading of a page whose title is the site's own.
_MAINTENANCE_HEADING = re.compile(
    r".{0,60}\b(undergoing|down for|under) (scheduled |planned |routine )?maintenance\b.{0,60}",
    re.IGNORECASE,
)
#: Pages with which firewalls and bot filters answer, often with status 200.
_CHALLENGE = re.compile(
    r"just a moment\W*|one moment, please\W*|attention required!.*|request rejected"
    r"|.*\bweb(site)? (application )?firewall\b.*|access denied\b.{0,40}|ddos-guard"
    r"|pardon our interruption\W*|(are you (a )?)?(robot|human) or (robot|human)\?*"
    r"|are you a (robot|human)\W*|checking your browser\b.*|.*\byou have been blocked\b.*"
    r"|(human|bot|robot|browser) verification|security (check|verification)\b.{0,40}"
    r"|verify(ing)? (that )?you(’re| are|'re) (a )?human.*|captcha\b.{0,40}",
    re.IGNORECASE,
)
_PARKED = re.compile(
    r".*\b((domain )?(name )?is for sale|parked (domain|page)|(domain|site|page) is parked"
    r"|domain (for sale|expired|has expired|suspended)|buy this domain)\b.*"
    r"|(account|(web)?site|hosting) (has been )?(suspended|disabled)\b.{0,40}",
    re.IGNORECASE,
)
_ERROR_PAGE = re.compile(
    r"((http|error|status|code)[ :]*)*(\b(400|401|403|404|500|501|502|503|504)\b\W*)?"
    r"((this |the )?(page|url) (could )?not (be )?found|not found|bad request|forbidden"
    r"|unauthorized|(internal )?server error|database error|application error|runtime error"
    r"|error establishing a database connection|(an )?error( occurred)?)"
    r"(\s*[|–—-]\s.{0,60}|\W*)",
    re.IGNORECASE,
)

_SHORT_PAGE = 20_000

MAINTENANCE_REMEDY = (
    "If the maintenance is over, switch the page off: look in nginx's configuration for 'return"
    " 503', error_page or a test for a maintenance file, or in the app or CDN for its maintenance"
    " mode."
)
_DEFAULT_REMEDY = (
    "The web server serves another site than the app's: check that the app's file is in"
    " sites-enabled with the right server_name, that 'default' does not win ('nginx -T'), and that"
    " the name points to this server."
)
_LISTING_REMEDY = (
    "The folder's index file is missing, so the web server lists the folder: check root and"
    " proxy_pass in nginx's configuration and whether the build is deployed; switch autoindex off."
)
_CHALLENGE_REMEDY = (
    "Exempt the probe's address in the firewall or bot filter (CDN, WAF), or ask the server behind"
    " it with address. If users see this page as well, lower the filter's level."
)
_PARKED_REMEDY = (
    "Check that the domain and the hosting are paid for and belong to you ('whois NAME'), and that"
    " the name leads to your server ('dig NAME')."
)
_ERROR_REMEDY = (
    "Check the path of this URL, then the app's error log for the time of the request; and let the"
    " app answer such a page with the error's own status instead of 200. If the page is right, name"
    " its title in contains."
)
_EMPTY_REMEDY = (
    "Check the app's error log for the time of the request; if the URL is right to be empty, use"
    " kind api."
)


def foreign_page(endpoint: Endpoint, answer: Answer) -> Problem | None:
    """What is wrong with a page that is not the app's; none if it is the app's."""
    if endpoint.method != "GET" or not 200 <= answer.status < 300:
        return None
    if not answer.body.strip():
        empty = endpoint.kind == "page" and answer.status == 200
        return Problem("the page is empty", _EMPTY_REMEDY) if empty else None
    title = title_of(answer) or _only_heading(answer)
    if not title or _is_expected(endpoint, title):
        return None
    if _LISTING.fullmatch(title):
        return Problem("a listing of a folder instead of the app", _LISTING_REMEDY)
    if _CHALLENGE.fullmatch(title):  # users may pass it, so nothing is known of the app
        text = f"a firewall or bot filter answers the probe ({title!r}) instead of the app"
        return Problem(text, _CHALLENGE_REMEDY, UNKNOWN)
    for pattern, kind, remedy in _FOREIGN:
        if pattern.fullmatch(title):
            return Problem(f"{kind} ({title!r}) instead of the app", remedy)
    heading = _heading(answer)
    if _MAINTENANCE_HEADING.fullmatch(heading) and not _is_expected(endpoint, heading):
        return Problem(f"a maintenance page ({heading!r}) instead of the app", MAINTENANCE_REMEDY)
    return None


#: Titles that are not an app's, in the order in which they are looked for.
_FOREIGN = (
    (_DEFAULT_PAGE, "the web server's default page", _DEFAULT_REMEDY),
    (_MAINTENANCE, "a maintenance page", MAINTENANCE_REMEDY),
    (_PARKED, "a page of the domain's registrar or host", _PARKED_REMEDY),
    (_ERROR_PAGE, "an error page with a good status", _ERROR_REMEDY),
)


def _heading(answer: Answer) -> str:
    """The first heading of a short page, as those are that stand in for an app."""
    if len(answer.body) > _SHORT_PAGE:
        return ""
    found = re.search(r"<h1[^>]*>(.{1,300}?)</h1>", text_of(answer), re.IGNORECASE | re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", found[1]).split()) if found else ""


def _only_heading(answer: Answer) -> str:
    """The heading of a page that is nothing else, such as Apache's "It works!"."""
    if len(answer.body) > 300 or b"<" not in answer.body:
        return ""
    return " ".join(re.sub(r"<[^>]*>", " ", answer.body.decode("utf-8", "replace")).split())


def _is_expected(endpoint: Endpoint, title: str) -> bool:
    """Whether the operator expects this very page."""
    wanted = endpoint.contains or (endpoint.matches.pattern if endpoint.matches else "")
    return len(wanted) * 2 >= len(title) and wanted.lower() in title.lower()


_CACHE_HEADERS = (
    *("x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status", "cache-status"),
    *("x-vercel-cache", "x-nginx-cache", "x-varnish-cache", "x-drupal-cache"),
)
#: All headers that tell of a cache.
CACHE_HEADERS = (*_CACHE_HEADERS, "age", "warning")
_FROM_CACHE = re.compile(r"(^|[\s_;,=-])(hit|refreshhit|stale|updating)\b", re.IGNORECASE)


def cached_by(answer: Answer) -> str:
    """What shows that an answer comes from a cache; empty if nothing does."""
    signs = [
        f"{name}: {answer.headers[name]}"
        for name in _CACHE_HEADERS
        if _FROM_CACHE.search(answer.headers.get(name, ""))
    ]
    age = answer.headers.get("age", "").strip()
    if age.isdecimal() and int(age) > 0:
        signs.append(f"age: {age} s")
    if re.match(r"11[012]\b", answer.headers.get("warning", "")):
        signs.append("warning: stale")
    return ", ".join(signs)


def past_the_cache(endpoint: Endpoint, mark: str) -> Endpoint:
    """The endpoint with a query that no cache has seen, and a request for a fresh answer."""
    path = endpoint.url.path
    path += f"{'&' if '?' in path else '?'}runbook={mark}"
    headers = {"Cache-Control": "no-cache", **endpoint.headers}
    return replace(endpoint, url=replace(endpoint.url, path=path), headers=headers)
