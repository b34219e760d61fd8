"""Standbys and replication slots, judged."""

from __future__ import annotations

from tests.support.postgres_health import WAL, checks, one, slot, standby


def test_standbys_are_judged_by_their_delay_only_while_they_are_behind() -> None:
    standbys = [
        standby(lag=900.0),
        standby("s2", 1 << 20, 45.0),
        standby("s3", 1 << 20, 400.0),
        standby("s4", 5),
    ]
    found = {
        check.subject: check
        for check in checks(wal=WAL._replace(standbys=standbys))
        if check.name == "postgres.replication"
    }
    assert {subject: (check.status, check.value) for subject, check in found.items()} == {
        "s1": ("ok", 0.0),
        "s2": ("warning", 45.0),
        "s3": ("critical", 400.0),
        "s4": ("ok", None),
    }
    assert found["s4"].not_judged == "its delay is not known yet"
    assert found["s2"].summary == "Standby 's2' is 45 s and 1 MiB behind"


def test_standbys_that_are_missing_are_critical() -> None:
    check = one("replication", wal=WAL._replace(standbys=[standby()]), replicas=2)
    assert (check.status, check.summary) == ("critical", "1 of 2 expected standbys is connected")
    assert one("replication", replicas=1).summary == "0 of 1 expected standbys are connected"
    assert (
        one("replication", "s1", wal=WAL._replace(standbys=[standby()]), replicas=1).status == "ok"
    )


def test_a_backup_or_a_subscriber_is_no_standby() -> None:
    logical = slot("sub", slot_type="logical", active=True, active_pid=6)
    wal = WAL._replace(
        standbys=[standby("pg_basebackup", replays=False), standby("sub", pid=6)], slots=[logical]
    )
    assert (
        one("replication", wal=wal, replicas=1).summary == "0 of 1 expected standbys are connected"
    )


def test_standbys_that_may_not_be_seen_are_unknown_but_counted() -> None:
    wal = WAL._replace(standbys=[standby(state=None, behind=None, replays=False)])
    check = one("replication", wal=wal, replicas=1)
    assert (check.status, check.remedy) == ("unknown", 'As a superuser: GRANT pg_monitor TO "app".')
    assert one("replication", wal=wal, replicas=2).status == "critical"


def test_a_standby_that_does_not_answer_is_judged_by_its_silence() -> None:
    wal = WAL._replace(standbys=[standby(behind=1 << 20, lag=0.1)], silent={5: 80.0})
    check = one("replication", "s1", wal=wal)
    assert (check.status, check.value) == ("warning", 80.0)
    assert check.summary == (
        "Standby 's1' has not answered for 1 min, although it is connected and 1 MiB behind; its "
        "last known delay was 0.1 s"
    )
    patient = {"postgres.replication": {"warning": 100, "critical": 200}}
    assert one("replication", "s1", wal=wal, thresholds=patient).status == "warning"


def test_a_standby_far_behind_without_a_delay_is_a_warning() -> None:
    wal = WAL._replace(standbys=[standby(behind=1 << 30)])
    assert one("replication", "s1", wal=wal).status == "warning"


def test_synchronous_standbys_are_expected_by_the_server_itself() -> None:
    facts = {"sync_names": "FIRST 2 (s1, s2, s3)"}
    wal = WAL._replace(standbys=[standby(sync="sync"), standby("s3", sync="async")])
    check = one("replication", wal=wal, facts=facts)
    assert (check.status, check.summary) == (
        "critical",
        "1 of 2 synchronous standbys is connected (synchronous_standby_names)",
    )
