"""One bounded request: what counts as healthy, and what never takes longer than it may."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.http import Answer, Target, ask
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.url import Url


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the status in the path; ``/slow`` sends a byte now and then without end."""

    def do_GET(self) -> None:
        status = 200 if self.path == "/slow" else int(self.path.strip("/"))
        self.send_response(status)
        self.send_header("Location", "/200")
        self.end_headers()
        self.wfile.write(f'{{"host": "{self.headers["Host"]}"}}'.encode())
        while self.path == "/slow":
            time.sleep(0.05)
            try:
                self.wfile.write(b".")
            except OSError:
                return

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def answer(port: int, path: str, seconds: float = 5.0) -> Answer:
    return ask(Target(Url.parse("health_urls", f"http://127.0.0.1:{port}{path}")), seconds)


@pytest.mark.parametrize("status", [200, 204, 299])
def test_healthy(port: int, status: int) -> None:
    assert answer(port, f"/{status}").healthy


@pytest.mark.parametrize("status", [301, 401, 404, 500, 503])
def test_not_healthy(port: int, status: int) -> None:
    found = answer(port, f"/{status}")
    assert (found.healthy, found.shown) == (False, f"status {status}")


def test_an_answer_that_never_ends(port: int) -> None:
    began = time.monotonic()
    found = answer(port, "/slow", 0.3)
    assert found.shown == "no complete answer within 0.3 s"
    assert time.monotonic() - began < 3


def test_no_answer() -> None:
    found = answer(1, "/200")
    assert (found.healthy, found.status) == (False, 0)
    assert "127.0.0.1:1" in found.shown


def test_another_port_is_asked_under_the_same_name(port: int) -> None:
    target = Target(Url.parse("health_urls", "https://app.example.com/200"), port)
    assert target.shown == f"port {port}/200"
    assert ask(target, 5.0).content == {"host": "app.example.com"}


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff"])
def test_content_that_is_no_object(body: bytes) -> None:
    assert Answer(200, body=body).content == {}
