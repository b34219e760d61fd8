"""Certificate and key files: what is read of them, and which errors tell what."""

from __future__ import annotations

import builtins
import errno
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.files import (
    InvalidFile,
    read_certificates,
    read_public_key,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from tests.support.certificates import facts
from tests.support.throwaway import issue, write

SAMPLE = issue("sample", names=["sample.test", "10.0.0.1"])


def test_the_public_half_of_a_key_file(tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(SAMPLE.key_pem, None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for content in (SAMPLE.key_pem, der):
        assert read_public_key(write(tmp_path / "key", content)) == facts(SAMPLE).public_key
    with pytest.raises(InvalidFile, match="holds no private key"):
        read_public_key(write(tmp_path / "key", SAMPLE.pem))


@pytest.mark.parametrize("where", ["stat", "open"])
def test_what_may_not_be_read_is_told_apart_from_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    path = write(tmp_path / "private.pem", SAMPLE.pem)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    module = "ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.files.os"
    monkeypatch.setattr(
        builtins if where == "open" else f"{module}.stat",
        *(["open"] if where == "open" else []),
        refuse,
    )
    with pytest.raises(
        NotCollected, match=f"^user '.+' lacks permission to read the certificate file {path}$"
    ) as caught:
        read_certificates(path)
    monkeypatch.undo()
    assert "become" in caught.value.remedy


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.pem"
    with large.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(InvalidFile, match="too large to be one"):
        read_certificates(str(large))
