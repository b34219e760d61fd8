# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on certificates, served or in files. Knows no sockets (see `tls_connect`) and no X.509 (see `certificates`)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.definition import Threshold
from ..core.thresholds import Thresholds
from ..core.units import format_value
from ..net.tls import (
    EXPIRED,
    NOT_YET_VALID,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
    UNTRUSTED,
    verification_reason,
)
from ..net.url import is_address
from .certificate import Certificate, FileProblem, days, in_order, path_from

WEAK_HASHES = ("MD5", "SHA-1")
_LEAST_BITS = {"RSA": 2048, "ECDSA": 256}


@dataclass(frozen=True)
class Target:
    """A certificate to look at: what an endpoint serves, or what a file holds."""

    subject: str
    """How the checks call it."""
    name: str = ""
    """Whom the certificate has to be made out for; empty for a file."""
    file: str = ""
    """Where the certificate lies on disk."""
    key_file: str = ""


@dataclass(frozen=True)
class Look:
    """What was found at a target."""

    target: Target
    failure: str = ""
    """Why no certificate was seen."""
    remedy: str = ""
    """What to do about the failure."""
    chain: tuple[Certificate, ...] = ()
    """As it was sent or lies in the file, the certificate itself first."""
    whole: bool = True
    """False where only the first certificate could be seen."""
    code: int | None = 0
    """OpenSSL's verdict on the chain, 0 for trusted, none where there is none."""
    message: str = ""
    peer: str = ""
    tls: str = ""
    disk: tuple[Certificate, ...] | FileProblem = ()
    """What lies in the target's file, where that is not what was looked at."""
    key: bytes | FileProblem = b""
    """Public half of the key file."""


def assess(look: Look, thresholds: Thresholds, now: datetime) -> Iterator[Check]:
    """The checks of one target."""
    target = look.target
    if not look.chain:
        yield _nothing(look, thresholds)
        return
    leaf, path = look.chain[0], path_from(look.chain)
    yield _expiry(look, leaf, thresholds, now)
    if target.name or not leaf.authority:
        yield _chain(look, path, thresholds, now)
    if target.name:
        yield _hostname(target, leaf, thresholds)
    yield _key(look, path, thresholds)
    if target.name and target.file:
        yield _served_is_file(look, leaf, thresholds)


def _nothing(look: Look, thresholds: Thresholds) -> Check:
    """The verdict where no certificate was seen. That a service is down is its own check's matter; a file that holds no certificate is ours."""
    subject, problem = look.target.subject, look.disk
    if isinstance(problem, FileProblem):
        return thresholds.verdict(
            "certificate.expiry",
            _file_status(problem),
            str(problem),
            subject=subject,
            remedy=_file_remedy(problem),
        )
    return thresholds.verdict(
        "certificate.expiry", UNKNOWN, look.failure, subject=subject, remedy=look.remedy
    )


# --- dates ------------------------------------------------------------------------------------------------------------


def _expiry(look: Look, leaf: Certificate, thresholds: Thresholds, now: datetime) -> Check:
    subject = look.target.subject
    left, until = days(leaf.not_after - now), f"{leaf.not_after:%Y-%m-%d}"
    limit = expiry_limit(leaf, thresholds, subject)
    evidence = [{**_row(one), "days": round(days(one.not_after - now), 1)} for one in look.chain]
    more: dict[str, Any] = {
        "subject": subject,
        "value": round(left, 3),
        "warning": limit.warning,
        "critical": limit.critical,
        "evidence": evidence,
    }
    if left <= 0:
        return thresholds.verdict(
            "certificate.expiry",
            CRITICAL,
            f"expired {_span(-left)} ago, on {until}: clients refuse it",
            **more,
        )
    if leaf.not_before > now:
        summary = f"not valid before {leaf.not_before:%Y-%m-%d %H:%M} UTC, in {_span(days(leaf.not_before - now))}: clients refuse it"
        remedy = "Check this machine's clock ('timedatectl'); if it is right, serve the previous certificate until then, or issue a new one."
        return thresholds.verdict("certificate.expiry", CRITICAL, summary, remedy=remedy, **more)
    summary = f"{_span(left)} left, until {until} ({format_value(100 * left / leaf.lifetime_days, 'percent')} of its {format_value(round(leaf.lifetime_days), 'days')})"
    return thresholds.evaluate(
        "certificate.expiry",
        round(left, 3),
        summary,
        subject=subject,
        threshold=limit,
        evidence=evidence,
    )


def expiry_limit(certificate: Certificate, thresholds: Thresholds, subject: str) -> Threshold:
    """The limits in days; for a short lifetime the shares of it in `certificate.lifetime_left`, where these are less."""
    in_days, share = (
        thresholds.of("certificate.expiry", subject),
        thresholds.of("certificate.lifetime_left", subject),
    )

    def least(fixed: float | None, percent: float | None) -> float | None:
        if fixed is None or percent is None:
            return fixed
        return min(fixed, round(percent / 100 * certificate.lifetime_days, 3))

    return Threshold(
        least(in_days.warning, share.warning), least(in_days.critical, share.critical), below=True
    )


def _span(length: float) -> str:
    """Days as people count them; hours where there are few."""
    if length >= 3:
        return format_value(int(length), "days")
    hours = int(length * 24)
    return f"{hours} hour{'' if hours == 1 else 's'}" if hours else f"{int(length * 1440)} minutes"


def _row(one: Certificate) -> Mapping[str, Any]:
    return {
        "certificate": one.subject,
        "issuer": one.issuer,
        "from": f"{one.not_before:%Y-%m-%dT%H:%MZ}",
        "until": f"{one.not_after:%Y-%m-%dT%H:%MZ}",
        "key": one.key,
        "serial": one.serial,
        "sha256": one.fingerprint,
    }


# --- chain ------------------------------------------------------------------------------------------------------------


def _chain(look: Look, path: Sequence[Certificate], thresholds: Thresholds, now: datetime) -> Check:
    subject = look.target.subject
    evidence = [
        {"sent": number, "certificate": one.subject, "issuer": one.issuer}
        for number, one in enumerate(look.chain, 1)
    ]

    def verdict(status: str, summary: str, remedy: str = "") -> Check:
        return thresholds.verdict(
            "certificate.chain", status, summary, subject=subject, remedy=remedy, evidence=evidence
        )

    if look.code is None:
        return verdict(
            UNKNOWN,
            f"not verified: {look.message}",
            "Let the server offer TLS 1.2 or 1.3 with a current cipher.",
        )
    if look.code in UNTRUSTED:
        return verdict(CRITICAL, *_untrusted(look, path))
    if look.code not in (0, EXPIRED, NOT_YET_VALID):
        return verdict(CRITICAL, verification_reason(look.code, look.message, look.target.name))
    for one in path[1:]:
        if one.not_after <= now:
            return verdict(
                CRITICAL,
                f"the intermediate {one.subject!r} expired on {one.not_after:%Y-%m-%d}",
                "Serve the issuer's current intermediate and reload.",
            )
        if one.not_before > now:
            return verdict(
                CRITICAL,
                f"the intermediate {one.subject!r} is not valid before {one.not_before:%Y-%m-%d}",
            )
    if look.code in (EXPIRED, NOT_YET_VALID) and path[0].not_before <= now < path[0].not_after:
        return verdict(
            CRITICAL,
            f"a certificate above {path[-1].subject!r} is out of its dates",
            "Serve the issuer's current chain, or update the root certificates here.",
        )
    if not in_order(look.chain, path):
        return verdict(
            WARNING,
            "complete, but sent in the wrong order, which older clients refuse",
            "Put the certificate first and then each one's issuer, and reload.",
        )
    limit = thresholds.of("certificate.expiry")
    for one in path[1:]:
        left = days(one.not_after - now)
        if limit.status_of(left) != OK:
            return verdict(
                limit.status_of(left),
                f"the intermediate {one.subject!r} expires in {_span(left)}",
                "Serve the issuer's next intermediate and reload.",
            )
    return verdict(OK, _trusted(look, path))


def _untrusted(look: Look, path: Sequence[Certificate]) -> tuple[str, str]:
    """What is wrong with a chain that leads to no trusted root, and what to do."""
    last = path[-1]
    private = "If that is a private authority, name its certificate in ca_file."
    if not look.whole:
        return verification_reason(look.code or 0, look.message, ""), ""
    if look.code == SELF_SIGNED or (last.self_issued and len(path) == 1):
        return (
            "signed by itself: nobody vouches for it",
            "Have it issued by an authority that clients trust, such as Let's Encrypt; or name it in ca_file.",
        )
    if last.self_issued or look.code == SELF_SIGNED_IN_CHAIN:
        return (
            f"the root {last.subject!r} is unknown: neither among the system's roots nor in ca_file",
            private,
        )
    if len(path) == 1:
        extra = (
            f" ({len(look.chain) - 1} sent along, but not that one)" if len(look.chain) > 1 else ""
        )
        words = f"the intermediate {last.issuer!r} is missing: it is not sent along{extra}, and no trusted root"
        return (
            words,
            f"Serve the full chain (certbot's fullchain.pem, not cert.pem) and reload. {private}",
        )
    return (
        f"the issuer {last.issuer!r} of {last.subject!r} is unknown: not sent along, and neither among the system's roots nor in ca_file",
        private,
    )


def _trusted(look: Look, path: Sequence[Certificate]) -> str:
    root = path[-1].subject if path[-1].self_issued else path[-1].issuer
    if len(path) == 1 and path[0].self_issued:
        return "signed by itself, and trusted here"
    between = [one.subject for one in path[1:] if not one.self_issued]
    by = f" by way of {', '.join(map(repr, between))}" if between else ""
    return (
        f"trusted: {root!r} vouches for it{by}"
        if look.whole
        else f"trusted; issued by {path[0].issuer!r}"
    )


# --- name -------------------------------------------------------------------------------------------------------------


def _hostname(target: Target, leaf: Certificate, thresholds: Thresholds) -> Check:
    subject, name = target.subject, target.name
    covered = (*leaf.names, *leaf.addresses)
    if covers(leaf, name):
        further = f" and {len(covered) - 1} more" if len(covered) > 1 else ""
        return thresholds.verdict(
            "certificate.hostname", OK, f"made out for {name!r}{further}", subject=subject
        )
    if not covered:
        summary = f"names no host at all (no subjectAltName), so it does not fit {name!r}; clients ignore the common name {leaf.subject!r}"
    else:
        listed = ", ".join(covered[:4]) + (
            f" and {len(covered) - 4} more" if len(covered) > 4 else ""
        )
        summary = f"made out for {listed}, not for {name!r}"
    return thresholds.verdict(
        "certificate.hostname",
        CRITICAL,
        summary,
        subject=subject,
        evidence=[{"name": one} for one in covered],
    )


def covers(certificate: Certificate, name: str) -> bool:
    """Whether clients accept the certificate for a host: RFC 6125, a wildcard standing for exactly the first label."""
    if is_address(name):
        wanted = ipaddress.ip_address(name)
        return any(
            ipaddress.ip_address(address) == wanted
            for address in certificate.addresses
            if is_address(address)
        )
    labels = name.split(".")
    for pattern in certificate.names:
        first, *rest = pattern.rstrip(".").split(".")
        if [first, *rest] == labels or (first == "*" and len(rest) >= 2 and rest == labels[1:]):
            return True
    return False


# --- key --------------------------------------------------------------------------------------------------------------


def _key(look: Look, path: Sequence[Certificate], thresholds: Thresholds) -> Check:
    subject, leaf = look.target.subject, path[0]
    evidence = [
        {"certificate": one.subject, "key": one.key, "signature": one.signature} for one in path
    ]

    def verdict(status: str, summary: str, remedy: str = "") -> Check:
        return thresholds.verdict(
            "certificate.key", status, summary, subject=subject, remedy=remedy, evidence=evidence
        )

    for one in path:
        whose = "" if one is leaf else f" of the intermediate {one.subject!r}"
        if weak_key(one):
            return verdict(CRITICAL, f"the key{whose} is too weak: {one.key}")
        if one.signature in WEAK_HASHES and not one.self_issued:
            return verdict(CRITICAL, f"the signature{whose} is too weak: made with {one.signature}")
    described = f"{leaf.key}, signed with {leaf.signature}"
    if isinstance(look.key, FileProblem):
        return verdict(_file_status(look.key), str(look.key), _file_remedy(look.key))
    if not look.key:
        return verdict(OK, described)
    # What has to fit is what the next reload will load, so the certificate on disk where there is one.
    owner = look.disk[0] if isinstance(look.disk, tuple) and look.disk else leaf
    if look.key != owner.public_key:
        remedy = "Put the key and the certificate that were issued together in place; the server will not start or reload with these."
        return verdict(
            CRITICAL,
            f"the key file {look.target.key_file} does not belong to the certificate",
            remedy,
        )
    return verdict(OK, f"{described}; the key file belongs to it")


def weak_key(one: Certificate) -> bool:
    kind = one.key.split(" ", 1)[0]
    return kind == "DSA" or one.key_bits < _LEAST_BITS.get(kind, 0)


# --- what is served and what lies on disk -----------------------------------------------------------------------------


def _served_is_file(look: Look, leaf: Certificate, thresholds: Thresholds) -> Check:
    subject, file = look.target.subject, look.target.file
    if isinstance(look.disk, FileProblem):
        return thresholds.verdict(
            "certificate.served_is_file",
            _file_status(look.disk),
            str(look.disk),
            subject=subject,
            remedy=_file_remedy(look.disk),
        )
    disk = look.disk[0]
    evidence = [{"where": "served", **_row(leaf)}, {"where": "file", **_row(disk)}]
    if disk.fingerprint == leaf.fingerprint:
        return thresholds.verdict(
            "certificate.served_is_file",
            OK,
            f"serves what lies in {file}",
            subject=subject,
            evidence=evidence,
        )
    if disk.not_before >= leaf.not_before:
        summary = f"{file} was renewed on {disk.not_before:%Y-%m-%d}, but the old certificate is still served (until {leaf.not_after:%Y-%m-%d}): not reloaded"
        return thresholds.verdict(
            "certificate.served_is_file", CRITICAL, summary, subject=subject, evidence=evidence
        )
    summary = f"serves another certificate than {file}, a newer one (from {leaf.not_before:%Y-%m-%d}; the file's is from {disk.not_before:%Y-%m-%d})"
    remedy = "See which file the server reads ('nginx -T | grep ssl_certificate'), and name that one here; or put the new certificate there."
    return thresholds.verdict(
        "certificate.served_is_file",
        WARNING,
        summary,
        subject=subject,
        evidence=evidence,
        remedy=remedy,
    )


def _file_status(problem: FileProblem) -> str:
    """Not allowed to look is no verdict; a file that the server cannot use either is."""
    return UNKNOWN if problem.forbidden else CRITICAL


def _file_remedy(problem: FileProblem) -> str:
    if "passphrase" in str(problem):
        return "Leave out key_file, or compare by hand: 'openssl pkey -in KEY -pubout' against 'openssl x509 -in CERTIFICATE -noout -pubkey'."
    if problem.forbidden:
        return "Run this task with 'become: true', or give that user the right to read the file and to enter every folder above it."
    return "Name the right file; if it is the right one, restore it or issue it anew ('certbot renew'): the server will not start without it."
