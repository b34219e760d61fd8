"""Pressure stall information."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.pressure import (
    Pressure,
    read_pressure,
)


def test_pressure(tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    assert read_pressure(str(file)) is None
    file.write_text("some avg10=1.50 avg60=2.50 avg300=3.75 total=9\nfull avg10=0.00 avg60=0.00\n")
    assert read_pressure(str(file)) == Pressure(2.5, 3.75)
    file.write_text("")
    assert read_pressure(str(file)) is None
