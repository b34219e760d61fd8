"""A Python that is too old is refused with one sentence."""

from __future__ import annotations

import runpy
import sys
from collections import namedtuple

import pytest

from tests.conftest import ROOT

FILE = str(ROOT / "plugins" / "module_utils" / "minimum_python.py")
VersionInfo = namedtuple("VersionInfo", ["major", "minor", "micro"])


def test_an_older_python_is_named_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", VersionInfo(3, 8, 18))
    with pytest.raises(RuntimeError) as refusal:
        runpy.run_path(FILE)
    assert str(refusal.value) == (
        f"gpt_agent.runbook needs Python 3.9 or newer on the host; {sys.executable} is Python 3.8"
    )


@pytest.mark.parametrize("version", [(3, 9, 0), (3, 13, 1)])
def test_others_are_fine(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]) -> None:
    monkeypatch.setattr(sys, "version_info", VersionInfo(*version))
    assert "found" not in runpy.run_path(FILE)
