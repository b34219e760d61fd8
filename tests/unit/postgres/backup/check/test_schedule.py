"""Whether there is a verified backup of each day."""

from __future__ import annotations

from tests.support.backups import checks_of, copy, nightly


def test_a_backup_a_night_is_on_schedule() -> None:
    check = checks_of(*nightly(10))["schedule"]
    assert (check.status, check.value) == ("ok", 0)
    assert check.summary == "A verified backup was taken on each of the last 6 days"


def test_a_missed_night_is_named_until_it_is_six_days_ago() -> None:
    nights = nightly(10)
    check = checks_of(*nights[:7], *nights[8:])["schedule"]
    assert (check.status, check.value) == ("warning", 1)
    assert check.summary == "No verified backup was taken on 2026-11-26 (UTC)"
    assert checks_of(*nights[:2], *nights[3:])["schedule"].status == "ok"


def test_a_backup_that_is_not_verified_is_a_missed_one() -> None:
    nights = [copy(6 + 24 * back, verified=back != 2) for back in reversed(range(9))]
    assert checks_of(*nights)["schedule"].value == 1


def test_a_run_around_midnight_misses_no_day() -> None:
    # At 00:02, and once at 23:58: none on the 27th.
    hours = (152.97, 128.97, 104.97, 80.97, 56.97, 33.03, 8.97)
    assert checks_of(*map(copy, hours))["schedule"].value == 0
    assert checks_of(*map(copy, (*hours[:-2], 8.97)))["schedule"].value == 1


def test_what_has_just_begun_is_not_judged() -> None:
    check = checks_of(copy(6))["schedule"]
    assert (check.status, bool(check.not_judged)) == ("ok", True)
    check = checks_of(copy(54), copy(30), copy(6))["schedule"]
    assert check.summary == "A verified backup was taken yesterday"


def test_a_weekly_schedule_is_judged_by_the_age_alone() -> None:
    weekly = {"backup.age": {"warning": 7.1 * 86400, "critical": 14 * 86400}}
    check = checks_of(copy(240), copy(72), thresholds=weekly)["schedule"]
    assert (check.status, bool(check.not_judged)) == ("ok", True)
    off = {"backup.age": {"warning": None}}
    assert checks_of(copy(240), thresholds=off)["schedule"].not_judged
