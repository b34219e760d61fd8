# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says, read with `cryptography`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from .pem import InvalidCertificate, certificate_blocks

IMPORT_ERROR: str | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    IMPORT_ERROR = str(error)

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True)
class Certificate:
    """The contents of one certificate."""

    subject: str
    """Its common name, or what comes closest; at most 80 characters."""
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...] = ()
    """DNS names in lower case."""
    addresses: tuple[str, ...] = ()
    authority: bool = False
    """A CA certificate, which may sign others."""
    for_clients: bool = False
    """Issued for clients only: servers cannot use it."""
    key: str = "ECDSA P-256"
    key_bits: int = 256
    signature: str = "SHA-256"
    """Hash of the signature, or its algorithm if that has a hash of its own."""
    serial: str = ""
    fingerprint: str = ""
    """SHA-256 of the whole certificate, in hexadecimal."""
    subject_name: bytes = field(default=b"", repr=False)
    issuer_name: bytes = field(default=b"", repr=False)
    """Names in DER, as they are compared to find an issuer."""
    public_key: bytes = field(default=b"", repr=False)
    der: bytes = field(default=b"", repr=False)

    @property
    def self_issued(self) -> bool:
        return self.subject_name == self.issuer_name

    def in_date(self, now: datetime) -> bool:
        return self.not_before <= now < self.not_after

    @property
    def key_kind(self) -> str:
        """``RSA``, ``ECDSA`` and so on."""
        return self.key.split(" ", 1)[0]

    @property
    def lifetime_days(self) -> float:
        return days(self.not_after - self.not_before)


def days(span: timedelta) -> float:
    return span.total_seconds() / 86400


def parse(der: bytes) -> Certificate:
    """Parse a certificate in DER; raises `InvalidCertificate`."""
    from cryptography.hazmat.primitives import hashes

    try:
        found = x509.load_der_x509_certificate(der)
        names, addresses = _alternative_names(found)
        key, key_bits, public_key = _key(found)
        return Certificate(
            subject=_display_name(found.subject),
            issuer=_display_name(found.issuer),
            not_before=_date(found, "not_valid_before"),
            not_after=_date(found, "not_valid_after"),
            names=names,
            addresses=addresses,
            authority=_is_authority(found),
            for_clients=_is_for_clients(found),
            key=key,
            key_bits=key_bits,
            signature=_signature(found),
            serial=f"{found.serial_number:x}",
            fingerprint=found.fingerprint(hashes.SHA256()).hex(),
            subject_name=found.subject.public_bytes(),
            issuer_name=found.issuer.public_bytes(),
            public_key=public_key,
            der=der,
        )
    except (
        ValueError,
        TypeError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        UnsupportedAlgorithm,
    ) as error:
        raise InvalidCertificate(str(error) or type(error).__name__) from None


def parse_all(data: bytes) -> list[Certificate]:
    """The certificates in a file's content, PEM or DER.

    Raises `InvalidCertificate` where there is none or where one of them is broken.
    """
    if blocks := certificate_blocks(data):
        return [parse(block) for block in blocks]
    if b"PRIVATE KEY-----" in data:
        raise InvalidCertificate("it holds a private key and no certificate")
    if b"-----BEGIN CERTIFICATE REQUEST-----" in data:
        raise InvalidCertificate("it holds a certificate request and no certificate")
    if not data.strip():
        raise InvalidCertificate("it is empty")
    if not data.startswith(b"\x30"):
        raise InvalidCertificate("it holds neither PEM nor DER")
    return [parse(data)]


def public_key_bytes(key: Any) -> bytes:
    """A public key in the form in which keys are compared."""
    encoded: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _date(found: Any, name: str) -> datetime:
    # cryptography 42 and later; the older attributes have no time zone.
    date: datetime | None = getattr(found, f"{name}_utc", None)
    if date is not None:
        return date
    older: datetime = getattr(found, name)
    return older.replace(tzinfo=timezone.utc)


def _display_name(name: Any) -> str:
    for oid in (
        x509.NameOID.COMMON_NAME,
        x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
        x509.NameOID.ORGANIZATION_NAME,
    ):
        values = name.get_attributes_for_oid(oid)
        if values:
            return " ".join(str(values[-1].value).split())[:80]
    return name.rfc4514_string()[:80] or "(no name)"


def _extension(found: Any, kind: Any) -> Any:
    try:
        return found.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _alternative_names(found: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    extension = _extension(found, x509.SubjectAlternativeName)
    if extension is None:
        return (), ()
    names = extension.get_values_for_type(x509.DNSName)
    addresses = extension.get_values_for_type(x509.IPAddress)
    return tuple(name.lower() for name in names), tuple(str(address) for address in addresses)


def _is_authority(found: Any) -> bool:
    extension = _extension(found, x509.BasicConstraints)
    return bool(extension is not None and extension.ca)


def _is_for_clients(found: Any) -> bool:
    usages = _extension(found, x509.ExtendedKeyUsage) or ()
    usage = x509.ExtendedKeyUsageOID
    wide = (usage.SERVER_AUTH, x509.ObjectIdentifier("2.5.29.37.0"))  # any usage
    return usage.CLIENT_AUTH in usages and not any(one in usages for one in wide)


def _key(found: Any) -> tuple[str, int, bytes]:
    """Kind and size of the key for people, its bits, and its bytes."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    try:
        key = found.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "of an unknown kind", 0, b""
    encoded = public_key_bytes(key)
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}", key.key_size, encoded
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve = _CURVES.get(key.curve.name, key.curve.name)
        return f"ECDSA {curve}", key.key_size, encoded
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}", key.key_size, encoded
    return type(key).__name__.replace("PublicKey", "").strip("_"), 256, encoded


def _signature(found: Any) -> str:
    try:
        algorithm = found.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    if algorithm is None:  # Ed25519 and Ed448 have a hash of their own
        ed25519 = found.signature_algorithm_oid == x509.SignatureAlgorithmOID.ED25519
        return "Ed25519" if ed25519 else "Ed448"
    return re.sub(r"^SHA(\d+)$", r"SHA-\1", algorithm.name.upper())
