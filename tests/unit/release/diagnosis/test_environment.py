"""Variables by name: missing values are found, and none is kept."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis import environment


def test_what_is_empty_and_what_is_extra() -> None:
    example = {"A": True, "B": True, "MAY_BE_EMPTY": False, "MISSING": True, "IN_APP": True}
    files = {"A": True, "B": False, "MAY_BE_EMPTY": False, "MINE": True, "IN_APP": False}
    found = environment.compare(example, files, {"IN_APP": "secret", "PATH": "/bin"})
    assert found.empty == ("B",)
    assert found.extra == ("MINE",)
    assert "secret" not in repr(found)
