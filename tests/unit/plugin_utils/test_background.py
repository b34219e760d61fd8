"""How the progress of a background job is shown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.background import format_progress


def item(what: str, seconds: float, phase: str = "", share: float | None = None) -> dict[str, Any]:
    return {"what": what, "seconds": seconds, "phase": phase, "share": share}


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ([], "2 of 7 done"),
        (
            [item("vacuum public.t", 41, "scanning heap", 0.631), item("reindex public.i", 3)],
            "2 of 7 done; vacuum public.t for 41 s: scanning heap, 63 %; reindex public.i for 3 s",
        ),
        ([item("vacuum public.t", 130, share=0.5)], "2 of 7 done; vacuum public.t for 2 min, 50 %"),
        ([item("web id 0", 1.26, "restarting")], "2 of 7 done; web id 0 for 1.3 s: restarting"),
    ],
)
def test_progress_in_one_line(work: list[dict[str, Any]], expected: str) -> None:
    assert format_progress({"done": 2, "total": 7, "work": work}) == expected
