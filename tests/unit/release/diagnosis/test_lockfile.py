"""Lock files that 'npm ci' would refuse, and those that it would not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.lockfile import (
    differences,
)
from tests.support.release_samples import Files

PG = {"pg": "^8.0.0"}


def found(lock: Any, **package: Any) -> list[str] | None:
    text = lock if isinstance(lock, str) else json.dumps(lock)
    return differences(Files({"package.json": json.dumps(package), "package-lock.json": text}))


def lock(**root: Any) -> dict[str, Any]:
    return {"packages": {"": root, "node_modules/pg": {}}}


@pytest.mark.parametrize(
    ("given", "package", "said"),
    [
        (lock(dependencies=PG), {"dependencies": PG}, []),
        (lock(), {}, []),
        (lock(optionalDependencies=PG), {"dependencies": PG, "optionalDependencies": PG}, []),
        (lock(), {"dependencies": PG}, ["pg is missing from the lock file"]),
        (lock(dependencies=PG), {}, ["pg is only in the lock file"]),
        (
            lock(dependencies=PG),
            {"dependencies": {"pg": "^9"}},
            ["pg is ^9 in package.json, ^8.0.0 in the other"],
        ),
        (
            lock(devDependencies={"x": "1"}),
            {"devDependencies": {"x": "1"}},
            ["x has no entry in the lock file"],
        ),
        ({"lockfileVersion": 1, "dependencies": {}}, {"dependencies": PG}, None),
        ("<<<<<<< HEAD", {}, ["package-lock.json is not JSON; a merge may have left its marks"]),
        ("", {}, ["there is no package-lock.json"]),
    ],
)
def test_differences(given: Any, package: dict[str, Any], said: list[str] | None) -> None:
    assert found(given, **package) == said


def test_the_lock_file_of_another_tool_is_not_judged() -> None:
    assert differences(Files({"package.json": "{}", "yarn.lock": "# yarn"})) is None
