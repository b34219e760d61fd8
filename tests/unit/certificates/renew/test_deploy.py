"""When an endpoint serves an older certificate than the one on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
    Certificate,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.deploy import (
    is_stale,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.served import (
    Served,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.snapshot import (
    CertificateSnapshot,
)
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
