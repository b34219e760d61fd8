"""What npm's lockfile says about a package, in each of its formats."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.lockfile import version_of

ENTRY = {"version": "4.17.4"}
V1 = {"lockfileVersion": 1, "dependencies": {"lodash": ENTRY}}
V3: dict[str, Any] = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/lodash": ENTRY}}
OTHER = {"node_modules/other/node_modules/lodash": {"version": "1.0.0"}}
WORKSPACE = {"packages/one/node_modules/lodash": {"version": "1.0.0"}}


@pytest.mark.parametrize(
    ("lock", "version"),
    [
        (V1, "4.17.4"),
        ({**V3, **V1, "lockfileVersion": 2}, "4.17.4"),
        (V3, "4.17.4"),
        ({"packages": {**V3["packages"], **OTHER}}, "4.17.4"),
        ({"packages": {**V3["packages"], **WORKSPACE}}, ""),
        ({"dependencies": {"lodash": {"version": "npm:@a/lodash@4.17.4"}}}, "4.17.4"),
        ({"dependencies": {"lodash": {"version": "git+ssh://git@host/lodash.git#1"}}}, ""),
        ({"packages": {"node_modules/@a/lodash": ENTRY}}, ""),
        ({"packages": {"node_modules/lodash": {"resolved": "lodash", "link": True}}}, ""),
        ({"packages": ["node_modules/lodash"]}, ""),
        ({"dependencies": {"lodash": "4.17.4"}}, ""),
        ({}, ""),
    ],
)
def test_the_version_of_a_direct_dependency(lock: dict[str, Any], version: str) -> None:
    assert version_of(lock, "lodash") == version
