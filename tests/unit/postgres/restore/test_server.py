"""Where backups are verified."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.server import (
    another_server,
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "", "db,localhost"])
def test_the_host_of_the_backups_is_not_another_server(host: str) -> None:
    with pytest.raises(UsageError, match=r"^verify_url: .* is the host of the backups itself"):
        another_server(f"postgresql://verify:secret@{host}/postgres")


def test_neither_is_a_socket() -> None:
    with pytest.raises(UsageError, match=r"^verify_url: /run is the host of the backups itself"):
        another_server("postgresql:///postgres?host=/run")


def test_a_wrong_url_is_that_of_this_option() -> None:
    with pytest.raises(UsageError, match=r"^verify_url: "):
        another_server("mysql://db/x")


def test_another_host_is() -> None:
    target = another_server("postgresql://verify:secret@db.example.com/postgres")
    assert target.address == "db.example.com:5432"
