"""What situations of the web share: servers, and what is asked of http_check about them."""

from __future__ import annotations

from typing import Any

from tests.support.nginx_server import nginx
from tests.support.throwaway import site
from tests.support.truth import Answer, Bed
from tests.support.web import DIRECT

ENDPOINT, TIME, PAGE = "web.endpoint", "web.response_time_p95", "web.page_load_time"
RESTART = "restart|pm2 (status|list)"
#: A busy machine is not what these are about.
PATIENT = {
    "web.response_time_p95": {"warning": 30, "critical": 60},
    "web.page_load_time": {"warning": 30, "critical": 60},
}


def ask(bed: Bed, *endpoints: str | dict[str, Any], **options: Any) -> Answer:
    given = [{"url": one} if isinstance(one, str) else one for one in endpoints]
    options = {"endpoints": given, "thresholds": PATIENT, **options}
    return bed.run("http_check", options, env=DIRECT)


def ask_site(bed: Bed, reply: Any, **endpoint: Any) -> Answer:
    """Ask a site that always gives this reply."""
    web = bed.enter(site({"/x": reply}))
    return ask(bed, {"url": web.url("/x"), **endpoint})


def nginx_of(bed: Bed, server: str, http: str = "") -> str:
    port = bed.enter(nginx(bed.folder / "nginx", server, http))
    return f"http://127.0.0.1:{port}"
