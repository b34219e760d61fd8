"""Whether the host or the registry is to blame for a command that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.place import Copy
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.trial import Trial


@pytest.mark.parametrize(
    ("words", "innocent"),
    [
        ("ENOSPC: no space left on device", True),
        ("npm error code E503", True),
        ("FATAL ERROR: JavaScript heap out of memory", False),
        ("TypeError: router", False),
    ],
)
def test_who_is_to_blame(tmp_path: Path, words: str, innocent: bool) -> None:
    options = Options(path="/x", commands=(f"echo '{words}'; exit 1",))
    failure = Trial(options, Copy(str(tmp_path)), lambda phase: None).run()
    assert failure
    assert failure.surroundings is innocent
