"""Room for the next backups, and what lies among them, judged."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.check import (
    place,
)
from tests.support.backups import CHECKS, Folder, Series, Stray, copy, nightly

SHOP = Series("shop", nightly(), next_bytes=1_000_000)


def space(free: int, *series: Series, **folder: Any) -> Check:
    return place.assess_space(Folder("/b", free=free, **folder), series, Thresholds(CHECKS))


@pytest.mark.parametrize(
    ("free", "status", "words"),
    [
        (900_000, "critical", "too little for one more of 977 KiB"),
        (1_500_000, "warning", "room for 1 more backup of 977 KiB"),
        (2_000_000, "ok", "room for 2 more backups"),
        (9_000_000_000, "ok", "room for more than 1,000 backups"),
    ],
)
def test_the_next_backup_must_fit_and_the_one_after_it(free: int, status: str, words: str) -> None:
    check = space(free, SHOP)
    assert check.status == status
    assert words in check.summary


def test_every_database_counts() -> None:
    series = (SHOP, Series("wiki", next_bytes=3_000_000), Series("closed"))
    assert space(8_000_000, *series).value == 2
    assert space(8_000_000, Series("closed")).not_judged


def test_another_tools_backups_take_their_room_elsewhere() -> None:
    assert space(10, Series("main", (copy(),), tool="Barman", next_bytes=99)).not_judged


def test_a_read_only_file_system_is_critical() -> None:
    assert space(9_000_000_000, SHOP, read_only=True).status == "critical"


def foreign(*strays: Stray, **folder: Any) -> Check:
    return place.assess_foreign(Folder("/b", strays=strays, **folder), Thresholds(CHECKS))


def test_nothing_but_usable_backups_is_ok() -> None:
    assert (foreign().status, foreign().value) == ("ok", 0)
    assert "process 77 is taking one now" in foreign(running=77).summary


def test_what_does_not_belong_there_is_a_warning_with_its_reason() -> None:
    check = foreign(Stray("/b/notes", "not ours"), Stray("/b/shop/x", "left behind"))
    assert (check.status, check.value) == ("warning", 2)
    assert check.summary == "notes: not ours; and 1 more"
    assert check.evidence[1] == {"path": "shop/x", "reason": "left behind"}


def test_a_broken_backup_is_critical_and_comes_first() -> None:
    check = foreign(
        Stray("/b/notes", "not ours"),
        Stray("/b/shop/y.dump", "the file is missing", broken=True),
    )
    assert check.status == "critical"
    assert check.summary == ("1 backup is broken. shop/y.dump: the file is missing; and 1 more")
