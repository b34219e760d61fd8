# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daily checklist on two machines: green when they are sound, and each fault found on the right
host and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from testinfra.host import Host

NAME = "app.staging.test"
SITE = f"https://{NAME}"
PATHS = ("/", "/login", "/api/health", "/api/health/db", "/api/health/redis")
LIVE = f"/etc/letsencrypt/live/{NAME}"
AREAS = {"host", "app", "web", "certificate", "postgres", "backup", "redis"}

Found = tuple[str, str, str]


@dataclass(frozen=True)
class Staging:
    """The two hosts, and what a test needs to do to them."""

    app: Host
    database: Host
    put_file: Callable[[str, str, bytes], None]
    network: Callable[[str, str], None]
    ca_file: Path

    def serves(self, path: str) -> bool:
        """Whether each instance of the app answers; many connections at once reach them all."""
        curl = "curl --silent --fail --fail-early --parallel --max-time 5 --output /dev/null"
        return bool(self.app.run(f"{curl} '{SITE}{path}?page=[1-20]'").rc == 0)


@pytest.fixture
def staging(
    app: Host,
    database: Host,
    put_file: Callable[[str, str, bytes], None],
    network: Callable[[str, str], None],
    ca_file: Path,
    playbook: Callable[..., Any],
) -> Iterator[Staging]:
    """Two sound hosts; after the test, the checklist finds them sound again."""
    own = Staging(app, database, put_file, network, ca_file)
    yield own
    end = time.monotonic() + 30
    while not all(own.serves(path) for path in PATHS):
        assert time.monotonic() < end, "the app has not recovered"
        time.sleep(0.5)
    after = playbook("daily_checklist")
    assert (after.code, after.bad) == (0, set()), after.output


def test_sound_hosts_give_a_full_and_green_checklist(playbook: Callable[..., Any]) -> None:
    run = playbook("daily_checklist")
    assert (run.code, run.bad) == (0, set()), run.output
    assert {check["name"].split(".")[0] for check in run.report["checks"]} == AREAS
    assert "unknown" not in {check["status"] for check in run.report["checks"]}, run.output
    assert {
        check["host"]
        for check in run.report["checks"]
        if check["name"].startswith(("app.", "web.", "certificate."))
    } == {"app"}
    assert {
        check["host"]
        for check in run.report["checks"]
        if check["name"].startswith(("postgres.", "redis."))
    } == {"database"}
    assert "[WARNING]" not in run.output, run.output


def test_check_mode_looks_at_the_same(playbook: Callable[..., Any]) -> None:
    def looked_at(run: Any) -> set[Found]:
        return {(check["host"], check["name"], check["subject"]) for check in run.report["checks"]}

    assert looked_at(playbook("daily_checklist", "--check")) == looked_at(
        playbook("daily_checklist")
    )


def test_no_password_leaves_the_run(
    playbook: Callable[..., Any], app: Host, database: Host, passwords: Mapping[str, str]
) -> None:
    run = playbook("daily_checklist", "-vvvv")
    seen = {"output": run.output, "report": str(run.report)}
    for name, host in {"app": app, "database": database}.items():
        seen[f"{name}'s journal"] = host.check_output("journalctl --no-pager --output cat")
        seen[f"{name}'s state"] = host.check_output(
            "cat /var/lib/gpt-agent-runbook/* ~deploy/.local/state/gpt-agent-runbook/* 2>/dev/null "
            "|| true"
        )
    for where, text in seen.items():
        for name, password in passwords.items():
            assert password not in text, f"{name} in {where}"


# --- faults ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    name: str
    inject: Callable[[Staging], AbstractContextManager[None]]
    found: set[Found]
    """The fault itself and what the platform's users feel of it: host, check and subject."""


def stopped(host: str, unit: str) -> Callable[[Staging], AbstractContextManager[None]]:
    @contextmanager
    def inject(staging: Staging) -> Iterator[None]:
        machine: Host = getattr(staging, host)
        machine.check_output("systemctl stop %s", unit)
        try:
            yield
        finally:
            machine.check_output("systemctl start %s", unit)

    return inject


@contextmanager
def full_disk(staging: Staging) -> Iterator[None]:
    staging.app.check_output("mkdir -p /srv/small && mount -t tmpfs -o size=8m small /srv/small")
    try:
        staging.app.run("dd if=/dev/zero of=/srv/small/fill bs=1M count=16")
        yield
    finally:
        staging.app.check_output("umount /srv/small && rmdir /srv/small")


@contextmanager
def expired_certificate(staging: Staging) -> Iterator[None]:
    key, certificate = expired(staging.ca_file)
    staging.app.check_output(f"cp -aL {LIVE} {LIVE}.kept")
    try:
        staging.put_file("app", f"{LIVE}/privkey.pem", key)
        staging.put_file("app", f"{LIVE}/fullchain.pem", certificate)
        staging.app.check_output("systemctl reload nginx")
        yield
    finally:
        staging.app.check_output(
            f"for file in privkey fullchain; do cat {LIVE}.kept/$file.pem >{LIVE}/$file.pem; done; "
            f"rm -r {LIVE}.kept; systemctl reload nginx"
        )


def expired(ca_file: Path) -> tuple[bytes, bytes]:
    """A key and a certificate that was good until yesterday, from an authority that the hosts
    trust.
    """
    authority = x509.load_pem_x509_certificate(ca_file.read_bytes())
    authority_key = serialization.load_pem_private_key(
        ca_file.with_suffix(".key").read_bytes(), None
    )
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(yesterday - timedelta(days=90))
        .not_valid_after(yesterday)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


@contextmanager
def cut_off(staging: Staging) -> Iterator[None]:
    staging.network("disconnect", "database")
    try:
        yield
    finally:
        staging.network("connect", "database")


def endpoints(*paths: str) -> set[Found]:
    return {("app", "web.endpoint", SITE + path) for path in paths}


FAULTS = [
    Fault(
        "PostgreSQL stopped",
        stopped("database", "postgresql"),
        {
            ("database", "postgres.reachable", ""),
            # There is none yet, and only the server could say that it is too young to need one.
            ("database", "backup.age", "gpt_agent"),
            *endpoints("/api/health/db"),
        },
    ),
    Fault(
        "Redis stopped",
        stopped("database", "redis-server"),
        {("database", "redis.reachable", ""), *endpoints("/api/health/redis")},
    ),
    Fault("nginx stopped", stopped("app", "nginx"), endpoints(*PATHS)),
    Fault(
        "small disk full",
        full_disk,
        {
            ("app", "host.disk_used", "/srv/small"),
            ("app", "host.filesystem_writable", "/srv/small"),
        },
    ),
    Fault(
        "certificate expired",
        expired_certificate,
        {("app", "certificate.expiry", f"{NAME}:443"), *endpoints(*PATHS)},
    ),
    Fault(
        "host cut off",
        cut_off,
        {("database", "host.reachable", ""), *endpoints("/api/health/db", "/api/health/redis")},
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_found_on_the_right_host_and_nothing_else(
    fault: Fault, staging: Staging, playbook: Callable[..., Any]
) -> None:
    with fault.inject(staging):
        run = playbook("daily_checklist")
    assert run.bad == fault.found, run.output
    assert run.code != 0
    for check in run.report["checks"]:
        assert check["status"] == "ok" or check["remedy"], f"{check['name']} has no remedy"
