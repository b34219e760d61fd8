# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says, read with `cryptography`; certificate and key files; and how certificates follow from one another."""

from __future__ import annotations

import base64
import binascii
import os
import pwd
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

IMPORT_ERROR: str | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    IMPORT_ERROR = str(error)

#: No certificate or key file is longer.
MAX_FILE = 1 << 20

_PEM = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----(.+?)-----END ", re.DOTALL)


@dataclass(frozen=True)
class Certificate:
    """The facts of one certificate."""

    subject: str
    """Whom it is for, in a few words."""
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...] = ()
    """DNS names in lower case."""
    addresses: tuple[str, ...] = ()
    authority: bool = False
    """May sign others."""
    key: str = "ECDSA P-256"
    key_bits: int = 256
    signature: str = "SHA-256"
    serial: str = ""
    fingerprint: str = ""
    """SHA-256 of the whole certificate, in hexadecimal."""
    subject_name: bytes = field(default=b"", repr=False)
    issuer_name: bytes = field(default=b"", repr=False)
    """As they are compared to find an issuer."""
    public_key: bytes = field(default=b"", repr=False)
    der: bytes = field(default=b"", repr=False)

    @property
    def self_issued(self) -> bool:
        return self.subject_name == self.issuer_name

    @property
    def lifetime_days(self) -> float:
        return days(self.not_after - self.not_before)


def days(span: Any) -> float:
    return float(span.total_seconds()) / 86400


class Nonsense(Exception):
    """This is no certificate; the text says why."""


class FileProblem(Exception):
    """A file is not what the operator said it is; the text is one sentence that names it."""

    def __init__(self, text: str, forbidden: bool = False) -> None:
        super().__init__(text)
        self.forbidden = forbidden
        """We may not look, so that nothing is known of it."""


# --- reading ----------------------------------------------------------------------------------------------------------


def parse(der: bytes) -> Certificate:
    """The facts of a certificate in DER form; `Nonsense` where it is none."""
    from cryptography.hazmat.primitives import hashes

    try:
        found = x509.load_der_x509_certificate(der)
        names, addresses = _alternative_names(found)
        key, key_bits, public_key = _key(found)
        return Certificate(
            subject=_words(found.subject),
            issuer=_words(found.issuer),
            not_before=_moment(found, "not_valid_before"),
            not_after=_moment(found, "not_valid_after"),
            names=names,
            addresses=addresses,
            authority=_authority(found),
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
        raise Nonsense(str(error) or type(error).__name__) from None


def _moment(found: Any, name: str) -> datetime:
    moment = getattr(
        found, f"{name}_utc", None
    )  # since cryptography 42; what was there before has no zone
    return moment if moment is not None else getattr(found, name).replace(tzinfo=timezone.utc)


def _words(name: Any) -> str:
    for oid in (
        x509.NameOID.COMMON_NAME,
        x509.NameOID.ORGANIZATIONAL_UNIT_NAME,
        x509.NameOID.ORGANIZATION_NAME,
    ):
        values = name.get_attributes_for_oid(oid)
        if values:
            return " ".join(str(values[-1].value).split())[:80]
    return name.rfc4514_string()[:80] or "nobody"


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


def _authority(found: Any) -> bool:
    extension = _extension(found, x509.BasicConstraints)
    return bool(extension is not None and extension.ca)


def _key(found: Any) -> tuple[str, int, bytes]:
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    try:
        key = found.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "of an unknown kind", 0, b""
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}", key.key_size, encoded
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}.get(
            key.curve.name, key.curve.name
        )
        return f"ECDSA {curve}", key.key_size, encoded
    if isinstance(key, dsa.DSAPublicKey):
        return f"DSA {key.key_size}", key.key_size, encoded
    return type(key).__name__.replace("PublicKey", "").strip("_"), 256, encoded


def _signature(found: Any) -> str:
    try:
        algorithm = found.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    if algorithm is None:
        return (
            "Ed25519"
            if found.signature_algorithm_oid == x509.SignatureAlgorithmOID.ED25519
            else "Ed448"
        )  # they hash in their own way
    return re.sub(r"^SHA(\d+)$", r"SHA-\1", algorithm.name.upper())


def certificates_in(data: bytes) -> list[Certificate]:
    """The certificates of a file's content, PEM or DER; `Nonsense` where there is none or one of them is broken."""
    blocks = _PEM.findall(data)
    if not blocks:
        if b"PRIVATE KEY-----" in data:
            raise Nonsense("it holds a private key and no certificate")
        if b"-----BEGIN CERTIFICATE REQUEST-----" in data:
            raise Nonsense("it holds a certificate request and no certificate")
        if not data.strip():
            raise Nonsense("it is empty")
        if not data.startswith(b"\x30"):
            raise Nonsense("it holds neither PEM nor DER")
        return [parse(data)]
    try:
        return [parse(base64.b64decode(b"".join(block.split()), validate=True)) for block in blocks]
    except binascii.Error:
        raise Nonsense("its PEM is damaged") from None


def read_certificates(path: str) -> tuple[Certificate, ...]:
    """The certificates of a file."""
    data = _read(path, "certificate")
    try:
        return tuple(certificates_in(data))
    except Nonsense as error:
        raise FileProblem(f"{path} is not a certificate file: {error}") from None


def read_public_key(path: str) -> bytes:
    """The public half of a private key file, to compare with a certificate's."""
    data = _read(path, "key")
    try:
        if b"-----BEGIN" in data:
            key: Any = serialization.load_pem_private_key(data, None)
        else:
            key = serialization.load_der_private_key(data, None)
    except TypeError:
        raise FileProblem(
            f"the key file {path} is protected by a passphrase, so it cannot be compared with the certificate",
            forbidden=True,
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise FileProblem(f"{path} holds no private key that can be read") from None
    encoded: bytes = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _read(path: str, kind: str) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise FileProblem(
                f"the {kind} file {path} is not a file, but a {'folder' if stat.S_ISDIR(status.st_mode) else 'device or pipe'}"
            )
        if status.st_size > MAX_FILE:
            raise FileProblem(
                f"the {kind} file {path} is too large to be one ({status.st_size} bytes)"
            )
        with open(path, "rb") as stream:
            return stream.read(MAX_FILE)
    except FileNotFoundError:
        raise FileProblem(f"the {kind} file {path} does not exist") from None
    except PermissionError:
        raise FileProblem(
            f"user {_user()!r} may not read the {kind} file {path}", forbidden=True
        ) from None
    except OSError as error:
        raise FileProblem(
            f"the {kind} file {path} cannot be read: {error.strerror}", forbidden=True
        ) from None


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


# --- how certificates follow from one another -------------------------------------------------------------------------


def signed_by(child: Certificate, parent: Certificate) -> bool:
    """Whether the parent's key made the child's signature."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if child.issuer_name != parent.subject_name:
        return False
    found = x509.load_der_x509_certificate(child.der)
    try:
        key: Any = x509.load_der_x509_certificate(parent.der).public_key()
        algorithm: Any = found.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey):
            if found.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS:
                return True  # the parameters can be read only from cryptography 41 on: the names have to do
            key.verify(found.signature, found.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(found.signature, found.tbs_certificate_bytes, ec.ECDSA(algorithm))
        else:
            key.verify(found.signature, found.tbs_certificate_bytes)
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, TypeError, ValueError, AttributeError):
        return True
    return True


def path_from(chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The way up from the first certificate as far as the others lead, whatever their order."""
    path = [chain[0]]
    while not path[-1].self_issued:
        parents = [one for one in chain if one not in path and signed_by(path[-1], one)]
        if not parents:
            break
        path.append(max(parents, key=lambda one: one.not_after))
    return tuple(path)


def in_order(chain: Sequence[Certificate], path: Sequence[Certificate]) -> bool:
    """Whether the path's certificates come in the order in which each is signed by the next."""
    places = [chain.index(one) for one in path]
    return places == sorted(places)


class Anchors:
    """The certificates that are trusted without further proof, from files of many; parsed only as far as they are asked for."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(paths)
        self._blocks: list[bytes] | None = None

    def vouch_for(self, certificate: Certificate) -> bool:
        """Whether one of them is the certificate or signed it."""
        if self._blocks is None:
            self._blocks = list(self._load())
        for der in self._blocks:
            if der == certificate.der:
                return True
            if certificate.issuer_name in der:
                try:
                    if signed_by(certificate, parse(der)):
                        return True
                except Nonsense:
                    continue
        return False

    def _load(self) -> Iterable[bytes]:
        for path in self._paths:
            try:
                with open(path, "rb") as stream:
                    data = stream.read()
            except OSError:
                continue
            yield from map(base64.b64decode, _PEM.findall(data))
