"""A private CA and a healthy site, for every file of tests of http_check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.throwaway import Authority, Site, site, write
from tests.support.web import HEALTH


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("ca") / "ca.pem", authority.root.pem)


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with site({"/api/health": HEALTH, "/": (200, {}, b"<html>home</html>")}) as running:
        yield running
