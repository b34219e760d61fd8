"""cert_check against the demo stack's nginx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.certificates import Authority as DemoAuthority
from tests.conftest import RunModule
from tests.support.certificates import statuses


@contextmanager
def installed(stack: Any, fault: str) -> Iterator[None]:
    """Let nginx serve a bad certificate for a while."""
    certificates = stack.settings["certificates"]
    authority = DemoAuthority(Path(certificates["ca"]).parent)
    getattr(authority, fault)().install(certificates)
    stack.reload("nginx")
    try:
        yield
    finally:
        authority.issue().install(certificates)
        stack.reload("nginx")


@pytest.fixture
def nginx(run_module: RunModule, stack: Any) -> Any:
    """The checks of what the demo's nginx serves, by name."""
    own, certificates = stack.settings["nginx"], stack.settings["certificates"]
    endpoint = {
        "host": own["host"],
        "port": own["https_port"],
        "server_name": certificates["name"],
        "file": certificates["fullchain"],
        "key_file": certificates["key"],
    }

    def seen() -> dict[str, dict[str, Any]]:
        answer = run_module("cert_check", {"endpoints": [endpoint], "ca_file": certificates["ca"]})
        return {check["name"]: check for check in answer["checks"]}

    return seen


HEALTHY = dict.fromkeys(
    (
        "certificate.expiry",
        "certificate.chain",
        "certificate.hostname",
        "certificate.key",
        "certificate.served_is_file",
    ),
    "ok",
)


def test_nginx_serves_a_good_certificate(nginx: Any) -> None:
    assert statuses(nginx()) == HEALTHY


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        ("expired", "certificate.expiry", "expired 24 hours ago"),
        ("not_yet_valid", "certificate.expiry", "not valid before"),
        ("other_name", "certificate.hostname", "issued for other.example, not for 'localhost'"),
        (
            "missing_intermediate",
            "certificate.chain",
            "the intermediate 'GPT Agent demo intermediate' is missing",
        ),
    ],
)
def test_nginx_serves_a_bad_certificate_and_recovers(
    stack: Any, nginx: Any, fault: str, check: str, words: str
) -> None:
    with installed(stack, fault):
        checks = nginx()
    assert statuses(checks) == {**HEALTHY, check: "critical"}
    assert checks[check]["summary"].startswith(words)
    assert statuses(nginx()) == HEALTHY


def test_nginx_is_not_reloaded_after_a_renewal(stack: Any, nginx: Any) -> None:
    certificates = stack.settings["certificates"]
    DemoAuthority(Path(certificates["ca"]).parent).renewed().install(certificates)
    try:
        checks = nginx()
        assert statuses(checks) == {**HEALTHY, "certificate.served_is_file": "critical"}
        assert "not reloaded" in checks["certificate.served_is_file"]["summary"]
    finally:
        stack.reload("nginx")
    assert statuses(nginx()) == HEALTHY


def test_nginx_is_stopped(stack: Any, nginx: Any) -> None:
    stack.stop("nginx")
    try:
        checks = nginx()
    finally:
        stack.start("nginx")
    assert statuses(checks) == {"certificate.expiry": "unknown"}
    assert "connection refused" in checks["certificate.expiry"]["summary"]
