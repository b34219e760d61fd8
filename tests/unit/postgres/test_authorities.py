"""Which authorities verify the server's certificate."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.authorities import (
    with_system_authorities,
)

FULL = {"sslmode": "verify-full"}


@pytest.fixture(autouse=True)
def bundle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The authorities of the operating system; the user has none of their own."""
    file = tmp_path / "bundle.crt"
    file.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)
    return str(file)


def test_verify_full_trusts_those_of_the_operating_system(bundle: str) -> None:
    assert with_system_authorities(FULL) == {**FULL, "sslrootcert": bundle}
    system = {"sslrootcert": "system"}
    assert with_system_authorities(system) == {**FULL, "sslrootcert": bundle}


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
def test_a_weaker_mode_does_not(mode: str) -> None:
    assert with_system_authorities({"sslmode": mode}) == {"sslmode": mode}


def test_what_the_operator_names_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = {**FULL, "sslrootcert": "/x"}
    assert with_system_authorities(named) == named
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()
    assert with_system_authorities(FULL) == FULL
    monkeypatch.setenv("PGSSLROOTCERT", "/y")
    assert with_system_authorities(FULL) == FULL
