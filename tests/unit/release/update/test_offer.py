"""The patch of an update."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.update.offer import patch


def test_a_patch() -> None:
    assert patch({"a": "1\n", "b": "x"}, {"a": "2\n", "b": "x"}) == (
        "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n"
    )


def test_a_diff_that_fails_is_no_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "diff"
    program.write_text("#!/bin/sh\necho out of memory >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotCollected, match="diff failed: out of memory"):
        patch({"a": "1"}, {"a": "2"})
