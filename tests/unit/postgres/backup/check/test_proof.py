"""How far the backups are proven, judged."""

from __future__ import annotations

from tests.support.backups import DAY, NOW, Restored, checks_of, copy, nightly


def restored(days: float, level: int = 5) -> Restored:
    return Restored(NOW - days * DAY, level, 240.0, "staging")


def test_the_days_since_the_last_test_restore_are_judged() -> None:
    for days, status in ((3, "ok"), (34, "ok"), (36, "warning")):
        copies = (copy(40 * 24, restored=restored(days)), *nightly())
        proof = checks_of(*copies)["proof"]
        assert (proof.status, proof.value) == (status, days)
        assert "to level 5, in 4 min" in proof.summary


def test_the_latest_test_restore_counts_whichever_backup_it_was_of() -> None:
    copies = (copy(48, restored=restored(1, 6)), copy(24, restored=restored(2, 4)), copy(6))
    proof = checks_of(*copies)["proof"]
    assert (proof.value, len(proof.evidence)) == (1, 2)


def test_the_first_test_restore_has_time() -> None:
    proof = checks_of(*nightly(10))["proof"]
    assert (proof.status, bool(proof.not_judged)) == ("ok", True)
    assert "due within 35 days" in proof.summary
    assert checks_of(copy(36 * 24), copy(6))["proof"].status == "warning"
    off = {"backup.proof": {"warning": None}}
    assert checks_of(copy(99 * 24), copy(6), thresholds=off)["proof"].status == "ok"


def test_a_damaged_newest_backup_is_critical_whatever_there_is_beside_it() -> None:
    copies = (*nightly(), copy(1, problem="its verification failed: its checksum is wrong"))
    proof = checks_of(*copies)["proof"]
    assert proof.status == "critical"
    assert "its checksum is wrong" in proof.summary
    assert "check the disk" in proof.remedy


def test_a_level_that_does_not_count_is_a_warning() -> None:
    proof = checks_of(*nightly(), copy(1, level=2, verified=False))["proof"]
    assert proof.status == "warning"
    assert "verify_backups.yml" in proof.remedy


def test_programs_that_are_too_old_are_found_before_the_restore() -> None:
    proof = checks_of(*nightly(), too_new=frozenset({18}))["proof"]
    assert proof.status == "warning"
    assert "postgresql-client-18" in proof.remedy
    assert checks_of(*nightly(), too_new=frozenset({17}))["proof"].status == "ok"


def test_another_tool_has_no_record_of_test_restores() -> None:
    proof = checks_of(copy(6, level=None), tool="pgBackRest")["proof"]
    assert (proof.status, bool(proof.not_judged)) == ("ok", True)


def test_globals_are_judged_by_their_age_alone() -> None:
    assert list(checks_of(*nightly(), globals=True)) == ["age"]
