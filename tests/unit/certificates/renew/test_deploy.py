"""When an endpoint serves an older certificate than the one on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
    Certificate,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew import deploy
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.deploy import (
    Deployment,
    is_stale,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.lineage import (
    Lineage,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.options import (
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.served import (
    Served,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.snapshot import (
    CertificateSnapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.verdict import Verdict
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from tests.support.certificates import NOW, TARGET, certificate

OLD = certificate(left=20, fingerprint="old")
NEW = certificate(left=90, fingerprint="new")


def served(one: Certificate, disk: Any = (NEW,), lineage: str = "a", version: int = 0) -> Served:
    return Served(CertificateSnapshot(TARGET, chain=(one,), disk=disk), lineage, version)


def test_the_version_decides() -> None:
    assert is_stale(served(OLD, version=1), linked=2)
    assert not is_stale(served(NEW, version=2), linked=2)
    assert not is_stale(served(OLD, version=3), linked=2), "rolled back, and not reloaded"


def test_the_dates_decide_about_what_certbot_does_not_keep() -> None:
    assert is_stale(served(OLD), linked=2)
    assert not is_stale(served(NEW, disk=(OLD,)), linked=2)


def test_nothing_is_known() -> None:
    assert not is_stale(served(OLD, lineage=""), linked=2), "not certbot's"
    assert not is_stale(served(OLD, disk=NotCollected("closed")), linked=2)
    assert not is_stale(Served(CertificateSnapshot(TARGET, failure="refused"), "a"), linked=2)


def test_a_file_that_clients_would_refuse() -> None:
    seen = CertificateSnapshot(TARGET, chain=(OLD,), disk=(NEW,), disk_named=False)
    assert Served(seen, "a").file_refused(NOW)
    assert not Served(replace(seen, disk_named=True), "a").file_refused(NOW)
    refused = replace(seen, named=False)
    assert not Served(refused, "a").file_refused(NOW), "what is served is no better"


class Host:
    """Two certificates with two versions each, and what nginx does with them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.linked = {"a": 2, "b": 2}
        self.nginx = {"a": 1, "b": 1}
        self.silent = 0
        """How often an endpoint is asked in vain from now on."""
        self.refused: tuple[str, ...] = ()
        """What clients would refuse in its version 2."""
        self.reloads: list[dict[str, int]] = []
        self.loads = True
        monkeypatch.setattr(deploy, "is_there", bool)
        monkeypatch.setattr(deploy, "utc_now", lambda: NOW)
        monkeypatch.setattr(deploy, "problem_of", self.run)
        monkeypatch.setattr(deploy, "link_version", self.link)
        monkeypatch.setattr(deploy, "read_lineages", lambda folder: self.lineages())
        monkeypatch.setattr(deploy, "watch_until", self.watch)

    def lineages(self) -> list[Lineage]:
        return [Lineage(name, linked=at, newest=2) for name, at in self.linked.items()]

    def link(self, lineage: Lineage, version: int) -> None:
        self.linked[lineage.name] = version

    def run(self, command: Any) -> str:
        if "reload" in command:
            self.reloads.append(dict(self.linked))
            self.nginx.update(self.linked if self.loads else {})
        return ""

    def watch(self, *ignored: Any) -> list[Served]:
        if self.silent:
            self.silent -= 1
            return [replace(one, seen=self.mute(one), version=0) for one in self.seen()]
        return self.seen()

    def mute(self, one: Served) -> CertificateSnapshot:
        return replace(one.seen, chain=(), failure="no answer")

    def seen(self) -> list[Served]:
        return [self.endpoint(name) for name in ("a", "b")]

    def endpoint(self, name: str) -> Served:
        ours = {1: certificate(left=20, fingerprint=name), 2: certificate(90, fingerprint=name * 2)}
        bad = name in self.refused
        verdict, version = Verdict(code=19, message="self-signed"), self.nginx[name]
        seen = CertificateSnapshot(
            replace(TARGET, subject=name),
            chain=(ours[version],),
            verdict=verdict if bad and version == 2 else Verdict(),
            disk=(ours[self.linked[name]],),
            disk_verdict=verdict if bad and self.linked[name] == 2 else Verdict(),
        )
        return Served(seen, name, version)

    def deployment(self, *problems: str) -> Deployment:
        return Deployment(
            Options(serve_wait=1),
            ["reload"],
            self.seen(),
            [],
            self.lineages(),
            problems=list(problems),
        )


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.mark.parametrize("times", [1, 2])
def test_nothing_is_rolled_back_where_nothing_was_renewed(host: Host, times: int) -> None:
    host.nginx = dict(host.linked)
    deployment = host.deployment()
    host.silent = times
    deployment.carry_out(False)
    assert (deployment.actions, deployment.problems, host.reloads) == ([], [], [])


def test_an_endpoint_that_breaks_with_a_certificate_that_was_not_renewed(host: Host) -> None:
    host.nginx = dict(host.linked)
    deployment = host.deployment()
    host.silent = 2
    deployment.carry_out(True)
    assert (deployment.actions, len(deployment.problems)) == ([], 2)
    assert "check what else has changed in nginx's configuration" in deployment.problems[0]


def test_a_certificate_that_is_refused_does_not_keep_another_from_being_served(host: Host) -> None:
    host.refused = ("a",)
    deployment = host.deployment()
    deployment.carry_out(False)
    assert [one.name for one in deployment.actions] == [deploy.ROLL_BACK, deploy.RELOAD]
    assert (host.nginx, host.reloads) == ({"a": 1, "b": 2}, [{"a": 1, "b": 2}])
    assert len(deployment.problems) == 1


def test_each_certificate_that_is_rolled_back_has_its_own_reason(host: Host) -> None:
    host.nginx = {"a": 1, "b": 1}
    deployment = host.deployment()
    host.nginx, host.refused = dict(host.linked), ("a", "b")
    deployment.carry_out(True)
    assert host.nginx == {"a": 1, "b": 1}
    assert [one.status for one in deployment.actions] == ["done", "done"]
    assert "what b serves" in deployment.problems[1]


def test_an_earlier_problem_does_not_hide_that_it_is_not_served(host: Host) -> None:
    host.loads = False
    deployment = host.deployment("c was not renewed")
    deployment.carry_out(False)
    assert "a was renewed, but a still serves the old" in deployment.problems[1]
