# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about an answer or a failure. The remedy follows the cause, not the check's name."""

from __future__ import annotations

import re

from ..net import failures
from . import rate_limit
from .options import Endpoint
from .pages import MAINTENANCE_REMEDY
from .progress import ANSWER, BODY, CONNECT, HANDSHAKE, RESOLVE
from .snapshot import Answer

_NAME = "Check the DNS record of that name ('dig NAME') and the name servers in /etc/resolv.conf."
_LOST = (
    "Packets are dropped on the way: check the firewall or security group for that port, that the"
    " address is the server's, and that the machine is up."
)
_HANGS = (
    "The server is up and does not answer in time. Look for what it waits for: slow queries and"
    " locks, a full connection pool, an event loop that is busy (CPU), an upstream that hangs."
)
_BREAKS_OFF = (
    "Check the app's error log and nginx's error.log for the time of the request: a crash, a"
    " limit, or 'return 444' closes connections like that."
)
#: What to do about failures that do not say it themselves, by their kind.
FAILURES = {
    failures.NAME: _NAME,
    failures.REFUSED: (
        "On that machine, check whether nginx (or the app, if this is its own port) runs and"
        " listens on that address: 'systemctl status nginx', 'ss -ltn'. A firewall that rejects"
        " looks the same."
    ),
    failures.NO_ROUTE: (
        "The machine is down, the address is wrong, or a firewall rejects: 'ip route get ADDRESS',"
        " then the rules between here and there."
    ),
    failures.FORBIDDEN: "Check this machine's own firewall: 'nft list ruleset'.",
    failures.TIMEOUT: _LOST,
    failures.DROPPED: _BREAKS_OFF,
    failures.PROTOCOL: (
        "Another service listens on that port, or it expects https: 'ss -ltnp' there."
    ),
}
#: What to do about a request that took too long, by its phase.
TIMEOUTS = {RESOLVE: _NAME, CONNECT: _LOST, ANSWER: _HANGS, BODY: _HANGS, HANDSHAKE: _HANGS}

_STATUSES = {
    401: (
        "The URL requires credentials: give the endpoint headers (Authorization) or user and"
        " password, check that they are still valid, or expect it with status: [200, 401]."
    ),
    403: (
        "An access rule refuses this probe: allow and deny in nginx, a firewall of the CDN, or the"
        " permissions of a file that nginx serves (its error.log says which). Allow the probe's"
        " address, or expect it with status: [200, 403]."
    ),
    404: (
        "Check the path, then whether the running release has this route and nginx passes it on"
        " (location, proxy_pass)."
    ),
    405: "The server does not allow this method: use method GET.",
    407: "A proxy wants credentials: put them into its URL, or set use_proxy to false.",
    421: "The server does not serve this name on this address: check address and server_name.",
    502: (
        "nginx or a load balancer is up and gets no answer from the app. Check that the app runs"
        " ('pm2 list') and listens on the port in proxy_pass ('ss -ltnp'); nginx's error.log names"
        " the upstream and the reason."
    ),
    503: (
        "The app, or what is in front of it, says that it cannot serve now; the answer in the"
        " evidence shows who. Check what the app depends on (PostgreSQL, Redis); in nginx, look for"
        " a maintenance page ('return 503') and for limit_req or limit_conn in error.log."
    ),
    504: (
        "The app accepts requests and does not answer before nginx's proxy_read_timeout. Look for"
        " slow queries and locks, a full connection pool and an event loop that is busy (CPU)."
    ),
}
_APP_UNAVAILABLE = (
    "The app itself answers that it cannot serve, and its answer in the evidence says why: check"
    " what it depends on (PostgreSQL, Redis) first."
)
#: How Apache and HAProxy say that they reach no app; Apache's words mention a maintenance.
_NO_SERVER = re.compile(
    rb"maintenance\s+downtime\s+or\s+capacity\s+problems|no server is available to handle",
    re.IGNORECASE,
)
_NO_SERVER_REMEDY = (
    "The proxy in front is up and reaches no app. Check that the app runs ('pm2 list') and listens"
    " on the port that the proxy asks ('ss -ltnp'); the proxy's own log names the server and the"
    " reason (Apache tries again after 'retry', HAProxy after its health check)."
)
_CLOUDFLARE = (
    "The CDN answers, and cannot reach your server. Check the server itself (address: its IP"
    " address), then its firewall: the CDN's addresses must be allowed."
)
_SERVER_ERROR = (
    "The app failed at this request: its error log says why ('pm2 logs NAME --err --lines 50"
    " --nostream'). Then check what it depends on (PostgreSQL, Redis)."
)
_CLIENT_ERROR = (
    "The server refuses this request: 'curl -i URL' shows its reason. Compare method, path and"
    " headers with what your clients send."
)


def status_remedy(endpoint: Endpoint, answer: Answer) -> str:
    """What to do about a status that is not expected; empty if nothing special is known."""
    status = answer.status
    if status == 429:
        return rate_limit.REMEDY
    if 300 <= status < 400:
        return _redirect_remedy(endpoint, answer)
    if status < 300:
        return (
            f"If that status is right, expect it with status: [{status}]; else compare path and"
            " method with what your clients send."
        )
    if status == 400:
        return _bad_request_remedy(answer)
    if status == 503 and _NO_SERVER.search(answer.body[:4000]):
        return _NO_SERVER_REMEDY
    if status == 503 and re.search(rb"maintenance", answer.body[:4000], re.IGNORECASE):
        return MAINTENANCE_REMEDY
    if status == 503 and "json" in answer.content_type:
        return _APP_UNAVAILABLE
    if 520 <= status <= 530:
        return _CLOUDFLARE
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return _SERVER_ERROR
    return _CLIENT_ERROR if status >= 400 else ""


def _redirect_remedy(endpoint: Endpoint, answer: Answer) -> str:
    location = answer.headers.get("location", "")
    if answer.status == 304:
        return (
            "304 answers a conditional request: take If-None-Match and If-Modified-Since out of the"
            " endpoint's headers; if there are none, a cache in front of the app is wrong."
        )
    if not location:
        return (
            "The answer does not say where to go (no Location header): correct what redirects"
            " ('return 301 URL' in nginx, res.redirect in the app)."
        )
    if endpoint.url.scheme == "http" and location.lower().startswith("https:"):
        return "The site wants https: use https:// in the endpoint's URL."
    return (
        "Request the URL that it redirects to, set follow_redirects to true, or expect the redirect"
        f" with status: [{answer.status}]."
    )


def _bad_request_remedy(answer: Answer) -> str:
    if b"HTTP request was sent to HTTPS port" in answer.body:
        return "That port speaks TLS: use https:// in the endpoint's URL."
    if b"SSL certificate" in answer.body:
        return (
            "The server requires a client certificate, which this probe does not have: exempt the"
            " health URL from ssl_verify_client."
        )
    return _CLIENT_ERROR
