"""Which backups stay, and for what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    Manifest,
    Proof,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import (
    Name,
    format_time,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.options import Keep
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.repository import (
    Backup,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.retention import (
    decide,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
NONE = {"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0, "at_least": 1}


def backup(days: float, level: int = 3, problem: str = "") -> Backup:
    """A backup, so many days old."""
    at = (NOW - timedelta(days=days)).timestamp()
    name = Name(format_time(at), "dir")
    if problem:
        return Backup("/b/shop", name, None, problem)
    proofs = (Proof(level, at, 1.0, 3, problem="" if level == 3 else "damaged"),)
    manifest = Manifest(str(name), "shop", at, at, 1, (), "none", "18", 180000, "", 1)
    return Backup("/b/shop", name, manifest.with_proof(proofs[0]))


def kept(backups: list[Backup], **keep: int) -> list[str]:
    """The days of the backups that stay."""
    decisions = decide(backups, Keep(**{**NONE, **keep}), NOW.timestamp())
    assert [decision.backup for decision in decisions] == backups
    return [decision.backup.name.time[4:8] for decision in decisions if decision.keep]


def nightly(days: int) -> list[Backup]:
    return [backup(day) for day in reversed(range(days))]


def test_the_record_of_the_last_test_restore_is_kept() -> None:
    backups = nightly(9)
    for position, ended in ((2, 50.0), (4, 40.0)):
        manifest = backups[position].manifest
        assert manifest is not None
        tested = manifest.with_proof(Proof(5, ended, 1.0, 5, "scratch"))
        backups[position] = replace(backups[position], manifest=tested)
    assert kept(backups, daily=2) == ["1122", "1127", "1128"]


def test_days_weeks_months_and_years() -> None:
    backups = nightly(400)
    assert kept(backups, daily=3) == ["1126", "1127", "1128"]
    assert kept(backups, weekly=3) == ["1115", "1122", "1128"]
    assert kept(backups, monthly=3) == ["0930", "1031", "1128"]
    assert kept(backups, yearly=2) == ["1231", "1128"]
    assert kept(backups, daily=2, weekly=2, monthly=2) == ["1031", "1122", "1127", "1128"]


def test_the_newest_ones_stay_in_any_case() -> None:
    assert kept(nightly(9), at_least=3) == ["1126", "1127", "1128"]
    assert kept([backup(900), backup(800)], daily=1) == ["0919"]


def test_days_without_a_backup_do_not_count() -> None:
    """After a holiday without backups the old ones still fill the slots."""
    assert len(kept([backup(90), backup(80), backup(0)], daily=3)) == 3


def test_of_one_day_the_newest_stays() -> None:
    assert kept([backup(1.1), backup(1), backup(0)], daily=2) == ["1127", "1128"]


def test_only_verified_ones_count() -> None:
    """A failed or damaged one fills no slot, and is not removed either."""
    backups = [backup(2), backup(1, level=0), backup(0, problem="its manifest is damaged")]
    decisions = decide(backups, Keep(**NONE), NOW.timestamp())
    assert [decision.keep for decision in decisions] == [True, True, True]
    assert decisions[0].reason == "newest 1 of 1"
    assert "not verified; it is not counted" in decisions[1].reason
    assert "its manifest is damaged" in decisions[2].reason


def test_a_clock_that_was_ahead_removes_nothing() -> None:
    decisions = decide([*nightly(9), backup(-1)], Keep(**NONE), NOW.timestamp())
    assert {decision.keep for decision in decisions} == {True}
    assert "is dated in the future" in decisions[0].reason


def test_each_reason_names_the_slots() -> None:
    decisions = decide(nightly(2), Keep(), NOW.timestamp())
    assert decisions[1].reason == "newest 1 of 3, day 2026-11-28, week 2026-48, month 2026-11"
    assert decide([], Keep(), NOW.timestamp()) == []


@pytest.mark.parametrize("wrong", [{"daily": -1}, {"at_least": 0}])
def test_one_backup_at_least_is_kept(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="keep: "):
        Keep(**wrong)
