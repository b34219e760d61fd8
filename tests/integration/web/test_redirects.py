"""http_check follows redirects, and sends secrets to the endpoint alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name
from tests.support.throwaway import Http, Site, site
from tests.support.web import HEALTH, endpoint_check, redirect


def test_redirects_are_followed_to_the_answer(run_module: RunModule) -> None:
    with site(
        {"/": redirect("/a", 301), "/a": redirect("b?token=geheim", 308), "/b": HEALTH}
    ) as web:
        answer = run_module(
            "http_check", {"endpoints": [{"url": web.url("/"), "json": {"status": "ok"}}]}
        )
    check = endpoint_check(answer)
    assert check["status"] == "ok"
    assert check["evidence"][0]["final_url"] == web.url("/b?token=***")
    assert f"2 redirects to {web.url('/b?token=***')}" in check["summary"]
    assert "geheim" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            {"/": redirect("/a"), "/a": redirect("/")},
            "redirect loop: after 2 redirects it leads back to ",
        ),
        ({"/": redirect("/")}, "redirect loop: after 1 redirect it leads back to "),
        (
            {"/": redirect("javascript:alert(1)")},
            "redirects to something that is not an HTTP URL",
        ),
        ({"/": redirect("http://[")}, "redirects to something that is not an HTTP URL"),
        ({"/": (302, {}, b"")}, "HTTP 302 instead of 200"),
        (
            {f"/{n or ''}": redirect(f"/{n + 1}") for n in range(9)},
            "more than 5 redirects, the last one to ",
        ),
    ],
)
def test_redirects_that_lead_nowhere(
    run_module: RunModule, table: dict[str, Any], words: str
) -> None:
    with site(table) as web:
        check = endpoint_check(run_module("http_check", {"endpoints": [{"url": web.url("/")}]}))
    assert check["status"] == "critical"
    assert check["summary"].startswith(words)


def test_a_redirect_back_to_itself_with_a_cookie_is_no_loop(run_module: RunModule) -> None:
    def greeted(handler: Http) -> None:
        if "seen=1" in handler.headers.get("Cookie", ""):
            handler.answer(*HEALTH)
        else:
            handler.answer(302, {"Location": "/", "Set-Cookie": "seen=1"}, b"")

    with site({"/": greeted}) as web:
        assert (
            endpoint_check(run_module("http_check", {"endpoints": [{"url": web.url("/")}]}))[
                "status"
            ]
            == "ok"
        )


def test_secrets_are_sent_to_the_endpoint_and_to_no_one_else(run_module: RunModule) -> None:
    with (
        site({"/": HEALTH}) as other,
        site({"/": redirect("/in"), "/in": redirect(f"http://127.0.0.1:{other.port}/")}) as web,
    ):
        url = f"http://ops:geheim@127.0.0.1:{web.port}/"
        answer = run_module(
            "http_check",
            {
                "endpoints": [{"url": url, "headers": {"X-Token": "geheim2", "X-One": "1"}}],
                "samples": 1,
            },
        )
        inside, outside = (
            [headers for _, _, headers in web.seen],
            [headers for _, _, headers in other.seen],
        )
    assert endpoint_check(answer)["status"] == "ok"
    assert len(inside) == 4
    for headers in inside:
        assert headers["Authorization"] == "Basic " + base64.b64encode(b"ops:geheim").decode()
        assert headers["X-Token"] == "geheim2"
    assert len(outside) == 2
    for headers in outside:
        assert "Authorization" not in headers
        assert "X-Token" not in headers
    assert "geheim" not in json.dumps(answer)
    assert by_name(answer, "web.response_time_p95")["value"] > 0, "a header of '1' masks no figures"


def test_netrc_is_not_read(run_module: RunModule, web: Site, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ops password geheim\n")
    (tmp_path / ".netrc").chmod(0o600)
    web.seen.clear()
    run_module(
        "http_check",
        {"endpoints": [{"url": web.url("/")}], "samples": 0},
        env={"HOME": str(tmp_path)},
    )
    assert "Authorization" not in web.seen[0][2]
