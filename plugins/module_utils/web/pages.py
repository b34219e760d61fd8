# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are not the app's although their status is good: pages of others, and caches."""

from __future__ import annotations

import re
from dataclasses import replace

from .body import title_of
from .options import Endpoint
from .snapshot import Answer

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
    r"|(50[234]\b.*)?(service unavailable|bad gateway|gateway time-?out)",
    re.IGNORECASE,
)

MAINTENANCE_REMEDY = (
    "If the maintenance is over, switch the page off: look in nginx's configuration for 'return"
    " 503', error_page or a test for a maintenance file, or in the app or CDN for its maintenance"
    " mode."
)
_DEFAULT_REMEDY = (
    "nginx serves another site than the app's: check that the app's file is in sites-enabled with"
    " the right server_name, that 'default' does not win ('nginx -T'), and that the name points to"
    " this server."
)
_LISTING_REMEDY = (
    "The folder's index file is missing, so the web server lists the folder: check root and"
    " proxy_pass in nginx's configuration and whether the build is deployed; switch autoindex off."
)
_EMPTY_REMEDY = (
    "Check the app's error log for the time of the request; if the URL is right to be empty, use"
    " kind api."
)


def foreign_page(endpoint: Endpoint, answer: Answer) -> tuple[str, str]:
    """What is wrong with a page that is not the app's, and what to do; empty if it is the app's."""
    if endpoint.method != "GET" or not 200 <= answer.status < 300:
        return "", ""
    if not answer.body.strip():
        empty = endpoint.kind == "page" and answer.status == 200
        return ("the page is empty", _EMPTY_REMEDY) if empty else ("", "")
    title = title_of(answer) or _only_heading(answer)
    if not title or _is_expected(endpoint, title):
        return "", ""
    if _DEFAULT_PAGE.fullmatch(title):
        return f"the web server's default page ({title!r}) instead of the app", _DEFAULT_REMEDY
    if _LISTING.fullmatch(title):
        return "a listing of a folder instead of the app", _LISTING_REMEDY
    if _MAINTENANCE.fullmatch(title):
        return f"a maintenance page ({title!r}) instead of the app", MAINTENANCE_REMEDY
    return "", ""


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
