"""What tests of cert_check share: certificates as plain facts, and servers that send real ones."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.assess import (
    assess_certificate,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.certificate import (
    Certificate,
    parse,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.options import Target
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.snapshot import (
    CertificateSnapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.verdict import Verdict
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from tests.conftest import RunModule
from tests.support.throwaway import Pair, listening, server_context, tls, write

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
TARGET = Target("your-domain.com:443", "your-domain.com")


def certificate(left: float = 60, lifetime: float = 90, **more: Any) -> Certificate:
    """A certificate with so many days left at `NOW`."""
    ends = NOW + timedelta(days=left)
    values: dict[str, Any] = {
        "subject": "your-domain.com",
        "issuer": "R11",
        "names": ("your-domain.com",),
        "subject_name": b"leaf",
        "issuer_name": b"R11",
        "public_key": b"key",
        "fingerprint": "aa",
        "not_before": ends - timedelta(days=lifetime),
        "not_after": ends,
    }
    return Certificate(**{**values, **more})


def facts(pair: Pair) -> Certificate:
    """What is read of a real certificate."""
    return parse(pair.der)


def assessed(
    *chain: Certificate,
    overrides: dict[str, Any] | None = None,
    at: datetime = NOW,
    **more: Any,
) -> dict[str, Check]:
    """The checks of one target, by name."""
    values: dict[str, Any] = {"target": TARGET, "chain": chain or (certificate(),)}
    if "code" in more or "message" in more:
        more["verdict"] = Verdict(more.pop("code", 0), more.pop("message", ""))
    seen = CertificateSnapshot(**{**values, **more})
    checks = assess_certificate(seen, Thresholds(CHECKS, overrides), at)
    return {check.name: check for check in checks}


class CertCheck:
    """Runs the module on one server, or on files, with the test's CA trusted."""

    def __init__(self, run_module: RunModule, directory: Path, ca_file: str) -> None:
        self.run_module, self.directory, self.ca_file = run_module, directory, ca_file

    def run(self, **options: Any) -> dict[str, Any]:
        answer = self.run_module("cert_check", {"ca_file": self.ca_file, **options})
        assert answer["__stderr"] == ""
        return answer

    def at(self, pair: Pair, *chain: Pair, **endpoint: Any) -> dict[str, dict[str, Any]]:
        """The checks of a server that sends these certificates, by name."""
        context = server_context(self.directory, pair, *(one.pem for one in chain))
        with listening(tls(context)) as port:
            target = {"host": "127.0.0.1", "server_name": "localhost", "port": port}
            answer = self.run(endpoints=[{**target, **endpoint}])
        return {check["name"]: check for check in answer["checks"]}

    def file(self, *contents: bytes, key: bytes = b"", **options: Any) -> dict[str, dict[str, Any]]:
        """The checks of a file with this content, by name."""
        one = {"path": write(self.directory / "file.pem", *contents)}
        if key:
            one["key_file"] = write(self.directory / "file.key", key)
        return {check["name"]: check for check in self.run(files=[one], **options)["checks"]}


def said(check: dict[str, Any]) -> tuple[str, str]:
    """Status and summary of a check."""
    return check["status"], check["summary"]


def statuses(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The statuses of checks by name."""
    return {name: check["status"] for name, check in checks.items()}
