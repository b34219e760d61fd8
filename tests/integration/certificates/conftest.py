"""A private CA, and the module run with it trusted, for every file of tests of cert_check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support.certificates import CertCheck
from tests.support.throwaway import Authority, write


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create()


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("ca") / "ca.pem", authority.root.pem)


@pytest.fixture
def cert_check(run_module: RunModule, tmp_path: Path, ca_file: str) -> CertCheck:
    return CertCheck(run_module, tmp_path, ca_file)
