"""The progress of work in the background, in one line."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.background import words


def test_progress_in_one_line() -> None:
    work = [
        {"what": "vacuum public.t", "phase": "scanning heap", "share": 0.631, "seconds": 41.0},
        {"what": "reindex public.i", "phase": "", "share": None, "seconds": 3.0},
    ]
    assert (
        words({"done": 2, "total": 7, "work": work})
        == "2 of 7 done; vacuum public.t for 41 s: scanning heap, 63 %; reindex public.i for 3 s"
    )
