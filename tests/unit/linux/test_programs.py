"""Addresses that a program could not listen on, by its log."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.programs import absent_address


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("socket 192.0.2.9:6379: bind: Cannot assign requested address", "192.0.2.9"),
        ('IPv4 address "192.0.2.9": Cannot assign requested address', "192.0.2.9"),
        ('IPv4 address "127.0.0.1": Cannot assign requested address', ""),
        ("socket 192.0.2.9:6379: bind: Address already in use", ""),
    ],
)
def test_an_address_that_is_not_of_this_host(line: str, address: str) -> None:
    assert absent_address(["a start", f"could not bind {line}", "the end"]) == address
