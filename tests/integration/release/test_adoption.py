"""An app that runs in a plain git checkout, as the runbook has it, becomes one with releases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.checkouts import SERVER, Checkout
from tests.support.pm2 import own_pm2


@pytest.fixture
def checkout(run_module: RunModule) -> Iterator[Checkout]:
    with own_pm2() as pm2:
        yield Checkout(pm2, run_module)


def no_release_is_known_to_be_good_yet(checkout: Checkout) -> None:
    answer = checkout.run("rolled_back")
    assert "is known to be good" in answer["msg"]
    assert answer["changed"] is False
    assert not checkout.path.is_symlink()


def the_first_rollback_adopts_the_checkout_and_builds_aside(checkout: Checkout) -> None:
    old = checkout.folders()
    planned = checkout.run("rolled_back", rollback_to="v1.0.0", check=True)
    assert old == checkout.folders() == {str(checkout.path)}
    answer = checkout.run("rolled_back", rollback_to="v1.0.0")
    assert answer["proven"] is True, answer
    names = [action["name"] for action in answer["actions"]]
    assert names == [action["name"] for action in planned["actions"]]
    assert names == ["release.adopt", "release.build", "release.trial", "release.switch"]
    assert '"1.0.0"' in checkout.answer
    assert checkout.path.is_symlink()
    releases = Path(f"{checkout.path}-releases") / "releases"
    (live,) = checkout.folders()
    assert Path(live).parent == releases.resolve()
    assert Path(live).name.startswith("v1.0.0-")
    assert (Path(live) / "built").exists()
    (adopted,) = releases.glob("v1.1.0-*")
    assert (adopted / ".git").is_dir()
    assert not adopted.is_symlink()
    assert answer["seconds_without_service"] == 0


def it_goes_forward_to_the_adopted_release_again(checkout: Checkout) -> None:
    answer = checkout.run("deployed", version="v1.1.0")
    assert answer["proven"] is True, answer
    assert [action["name"] for action in answer["actions"]] == ["release.trial", "release.switch"]
    assert '"1.1.0"' in checkout.answer
    assert checkout.run("deployed", version="v1.1.0")["changed"] is False


def the_next_rollback_needs_no_name(checkout: Checkout) -> None:
    answer = checkout.run("rolled_back")
    assert answer["proven"] is True, answer
    assert '"1.0.0"' in checkout.answer


def a_new_version_comes_from_the_origin_of_the_adopted_checkout(checkout: Checkout) -> None:
    """The live release was built, so it is no checkout that names its origin."""
    checkout.commit("1.2.0")
    answer = checkout.run("deployed", version="main")
    assert answer["proven"] is True, answer
    assert '"1.2.0"' in checkout.answer
    listed = {one["version"]: one["status"] for one in checkout.run("listed")["releases"]}
    assert listed == {"v1.0.0": "good", "v1.1.0": "bad", "main": "good"}


def test_the_life_of_an_adopted_checkout(checkout: Checkout) -> None:
    """One after the other, as each step starts where the one before has ended."""
    no_release_is_known_to_be_good_yet(checkout)
    the_first_rollback_adopts_the_checkout_and_builds_aside(checkout)
    it_goes_forward_to_the_adopted_release_again(checkout)
    the_next_rollback_needs_no_name(checkout)
    a_new_version_comes_from_the_origin_of_the_adopted_checkout(checkout)


def test_the_gate_the_watch_and_the_diagnosis_of_a_checkout(checkout: Checkout) -> None:
    """None of them adopts it."""
    before = checkout.folders()
    found = state_of(checkout)
    assert (found["status"], "on main, without changes" in found["summary"]) == ("ok", True)
    checkout.commit("1.2.0")
    assert "behind: the repository has commit" in state_of(checkout)["summary"]
    (checkout.path / "server.js").write_text(SERVER + "// by hand\n")
    found = state_of(checkout)
    assert (found["status"], found["evidence"]) == ("warning", [{"changed": "server.js"}])
    rebuilt = checkout.ask("deployment_rebuild", build=["test -f server.js"], free_disk=0.001)
    assert rebuilt["builds"], rebuilt
    gate = {"version": "v1.2.0", "owner": "eve", "answers": {"tests": "yes"}}
    assert checkout.ask("deployment_gate", check=True, **gate)["changed"]
    answer = checkout.ask("deployment_gate", **gate, questions={"tests": "Tests pass"})
    assert answer["go"], answer
    watched = checkout.ask("deployment_watch", health_urls=[checkout.url], watch_for=0)
    assert watched["healthy"], watched
    assert checkout.run("verified")["proven"]
    assert checkout.folders() == before
    assert not checkout.path.is_symlink()


def state_of(checkout: Checkout) -> dict[str, Any]:
    """The check of the checkout."""
    answer = checkout.ask("deployment_check", build=["true"])
    (found,) = [one for one in answer["checks"] if one["name"] == "release.checkout"]
    return dict(found)
