"""The choice of the release to roll back to."""

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    UsageError,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.choose import (
    named,
    previous_good,
    require_not_bad,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import (
    BAD,
    GOOD,
    UNKNOWN,
    Release,
    Switch,
)


def releases(**statuses: str) -> dict[str, Release]:
    return {
        name: Release(name, name, f"/app/releases/{name}", commit=f"{name}abcdef0", status=status)
        for name, status in statuses.items()
    }


def history(*switches: tuple[str, str]) -> list[Switch]:
    return [
        Switch(float(at), "deploy", before, after) for at, (before, after) in enumerate(switches)
    ]


DEPLOYED = history(("", "v1"), ("v1", "v2"), ("v2", "v3"))


def test_the_newest_good_one_before_the_current_one() -> None:
    assert previous_good(releases(v1=GOOD, v2=GOOD, v3=GOOD), DEPLOYED, "v3").id == "v2"


@pytest.mark.parametrize("status", [BAD, UNKNOWN])
def test_only_a_good_one(status: str) -> None:
    assert previous_good(releases(v1=GOOD, v2=status, v3=GOOD), DEPLOYED, "v3").id == "v1"


def test_a_second_rollback_goes_further_back() -> None:
    rolled_back = [*DEPLOYED, Switch(9.0, "rollback", "v3", "v2")]
    assert previous_good(releases(v1=GOOD, v2=GOOD, v3=BAD), rolled_back, "v2").id == "v1"
    # Even if no one has marked the release that was left as bad.
    assert previous_good(releases(v1=GOOD, v2=GOOD, v3=GOOD), rolled_back, "v2").id == "v1"


def test_a_release_that_no_one_recorded_as_current_goes_back_to_the_newest_good_one() -> None:
    assert previous_good(releases(v1=GOOD, v2=GOOD), DEPLOYED[:2], "by-hand").id == "v2"


def test_without_a_good_one_there_is_no_choice() -> None:
    with pytest.raises(NotCollected, match="no release before v1 is known to be good"):
        previous_good(releases(v1=GOOD, v2=GOOD, v3=GOOD), DEPLOYED, "v1")


def test_a_release_is_found_by_id_version_and_commit() -> None:
    known = {
        "v1-abc": Release("v1-abc", "v1", "/a", commit="abc" + 37 * "0"),
        "v2-def": Release("v2-def", "v2", "/b", commit="def" + 37 * "1"),
    }
    assert named(known, "v1-abc") == named(known, "v1") == named(known, "abc0000")
    assert named(known, "abc") is None  # too short to be a commit
    assert named(known, "v3") is None


def test_a_name_that_fits_several_is_refused() -> None:
    known = {name: Release(name, "main", "/a") for name in ("main-1", "main-2")}
    with pytest.raises(UsageError, match="fits several releases, name one: main-1, main-2"):
        named(known, "main")


def test_a_bad_one_is_refused_with_its_reason() -> None:
    with pytest.raises(UsageError, match="v2 is marked as bad: it answered 500"):
        require_not_bad(Release("v2", "v2", "/a", status=BAD, reason="it answered 500"))
    require_not_bad(Release("v1", "v1", "/a", status=GOOD))
