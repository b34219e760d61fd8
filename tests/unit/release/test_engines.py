"""Ranges of Node.js' versions as package.json has them."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.engines import allows


@pytest.mark.parametrize(
    ("wanted", "version", "verdict"),
    [
        (">=20.12", "24.19.0", True),
        (">=20.12", "v20.11.9", False),
        (">=18 <23", "22.1.0", True),
        (">=18 <23", "23.0.0", False),
        ("^20.9.0 || >=22", "20.8.1", False),
        ("^20.9.0 || >=22", "21.0.0", False),
        ("^20.9.0 || >=22", "22.0.0", True),
        ("~20.9", "20.9.5", True),
        ("~20.9", "20.10.0", False),
        ("20", "20.19.2", True),
        ("20.x", "21.0.0", False),
        ("18 - 20", "20.5.0", True),
        (">20", "20.5.0", False),
        ("<=20", "20.5.0", True),
        ("*", "1.0.0", True),
        ("lts/*", "20.0.0", None),
        (">=20", "", None),
    ],
)
def test_whether_a_version_is_allowed(wanted: str, version: str, verdict: bool | None) -> None:
    assert allows(wanted, version) is verdict
