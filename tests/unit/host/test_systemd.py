"""The failed units, from a systemctl of the test's own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.systemd import (
    FailedUnits,
    FailedUnitsQuery,
    parse_units,
)
from tests.support.host_samples import HEALTHY, verdicts


def test_units_are_read_with_and_without_marks() -> None:
    assert parse_units(
        "ssh.service  loaded failed failed OpenBSD Secure Shell server\n"
        "● a@b.service loaded failed failed A\n\n"
    ) == [
        "ssh.service",
        "a@b.service",
    ]
    assert parse_units("") == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'x.service loaded failed failed X'", FailedUnits(["x.service"])),
        (
            "echo 'Failed to connect to bus: token=abc' >&2; exit 1",
            FailedUnits((), "Failed to connect to bus: token=***"),
        ),
        ("exit 3", FailedUnits((), "systemctl failed with exit code 3")),
        ("exec sleep 30", FailedUnits((), "systemctl gave no answer within 0.3 s")),
    ],
)
def test_systemctl_is_asked_but_not_waited_for(
    script: str, expected: FailedUnits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    query = FailedUnitsQuery.start()
    assert query
    started = time.monotonic()
    assert query.result(Deadline(1)) == expected
    assert time.monotonic() - started < 5


def test_without_systemd_there_is_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda path: False)
    assert FailedUnitsQuery.start() is None
    assert "host.failed_units" not in verdicts(HEALTHY)
