"""What is made of npm's answers, with a script in place of npm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.collect import collect
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.snapshot import Snapshot

ADVISORY = {"url": "https://github.com/advisories/GHSA-1", "severity": "high", "title": "Slow"}
AUDIT = {
    "auditReportVersion": 2,
    "metadata": {"vulnerabilities": {"high": 1}},
    "vulnerabilities": {"parser": {"via": [ADVISORY], "nodes": ["node_modules/parser"]}},
}


def snapshot(folder: Path, answers: dict[str, Any], entry: dict[str, Any]) -> Snapshot:
    """Of an app that depends on parser, which has this entry in its lockfile."""
    lock = {"packages": {"node_modules/parser": entry}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "package.json").write_text(json.dumps({"dependencies": {"parser": "^1.0.0"}}))
    for name, answer in {"version": {"node": "24.1.0"}, "ls": {}, **answers}.items():
        (folder / f"{name}.json").write_text(json.dumps(answer))
    npm = folder / "npm"
    npm.write_text(f'#!/bin/sh\ncat "{folder}/$3.json" || exit 1\n')
    npm.chmod(0o755)
    return collect(Options(str(folder), npm=str(npm)), Deadline(30))


@pytest.mark.parametrize(
    ("entry", "development"),
    [({}, False), ({"dev": True}, True), ({"devOptional": True}, False)],
)
def test_what_an_optional_package_needs_is_used_in_production(
    tmp_path: Path, entry: dict[str, Any], development: bool
) -> None:
    found = snapshot(tmp_path, {"audit": AUDIT}, entry).audit
    assert isinstance(found, tuple)
    assert [one.development for one in found] == [development]


def test_no_answer_is_no_good_news(tmp_path: Path) -> None:
    """npm that fails without a word, that is too old, and that does not say what it compared."""
    found = snapshot(tmp_path, {"outdated": {}, "audit": {"actions": []}}, {})
    assert isinstance(found.outdated, NotCollected)
    assert str(found.outdated) == "npm does not say which packages it compared"
    assert isinstance(found.audit, NotCollected)
    assert "npm 7" in found.audit.remedy
    (tmp_path / "outdated.json").unlink()
    failed = collect(Options(str(tmp_path), npm=str(tmp_path / "npm")), Deadline(30)).outdated
    assert isinstance(failed, NotCollected)
    assert str(failed).startswith("npm failed with exit code 1")
