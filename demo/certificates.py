# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private certificate authority: root, intermediate, and the server certificates that it issues,
good and bad ones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = ("localhost", "gpt-agent.localhost", "127.0.0.1")
LIFETIME = timedelta(days=90)
RENEW_BEFORE = timedelta(days=45)
"""How long before its end 'up' renews the stack's certificate, so that a demo left alone is no sick
demo.
"""
CLOCK_SKEW = timedelta(minutes=5)

PrivateKey = ec.EllipticCurvePrivateKey


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner may read; it appears as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _load_key(path: Path) -> PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key")
    return key


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "GPT Agent demo"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _sign(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    starts: datetime,
    ends: datetime,
    extensions: Mapping[x509.ExtensionType, bool],
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
    )
    builder = (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
    )
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
    )
    for extension, critical in extensions.items():
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Issued:
    """A key with its certificate and what the server sends along with it."""

    key: bytes
    certificate: bytes
    chain: bytes

    def install(self, certificates: Mapping[str, str]) -> None:
        """Put it where the stack's servers read theirs (``settings["certificates"]``); they serve
        it after a reload.
        """
        write_private(Path(certificates["key"]), self.key)
        write_private(Path(certificates["cert"]), self.certificate)
        write_private(Path(certificates["fullchain"]), self.certificate + self.chain)


class Authority:
    """The stack's own root and intermediate, made once and kept in a directory."""

    def __init__(self, directory: Path) -> None:
        self.root_key_file, self.root_file = directory / "ca.key", directory / "ca.pem"
        self.intermediate_key_file, self.intermediate_file = (
            directory / "intermediate.key",
            directory / "intermediate.pem",
        )
        if not self._complete():
            self._create()
        self._key = _load_key(self.intermediate_key_file)
        self._certificate = x509.load_pem_x509_certificate(self.intermediate_file.read_bytes())

    def _complete(self) -> bool:
        """All four files are there and belong together (a kill may have left some of them)."""
        try:
            root, intermediate = (
                x509.load_pem_x509_certificate(file.read_bytes())
                for file in (self.root_file, self.intermediate_file)
            )
            intermediate.verify_directly_issued_by(root)
            return (
                _load_key(self.root_key_file).public_key() == root.public_key()
                and _load_key(self.intermediate_key_file).public_key() == intermediate.public_key()
                and intermediate.not_valid_after_utc > now() + LIFETIME
            )
        except Exception:
            return False

    def _create(self) -> None:
        starts = now() - CLOCK_SKEW
        root_name, root_key = _name("GPT Agent demo root"), ec.generate_private_key(ec.SECP256R1())
        usage = _key_usage(authority=True)
        root_extensions = {x509.BasicConstraints(ca=True, path_length=1): True, usage: True}
        root = _sign(
            root_name,
            root_key,
            root_name,
            root_key,
            starts,
            starts + timedelta(days=3650),
            root_extensions,
        )
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = {x509.BasicConstraints(ca=True, path_length=0): True, usage: True}
        intermediate = _sign(
            _name("GPT Agent demo intermediate"),
            key,
            root_name,
            root_key,
            starts,
            starts + timedelta(days=1825),
            extensions,
        )
        write_private(self.root_key_file, _key_pem(root_key))
        write_private(self.root_file, _pem(root))
        write_private(self.intermediate_key_file, _key_pem(key))
        write_private(self.intermediate_file, _pem(intermediate))

    def issue(
        self,
        *names: str,
        starts: datetime | None = None,
        lifetime: timedelta = LIFETIME,
        with_intermediate: bool = True,
    ) -> Issued:
        """A certificate for the names (the stack's own by default)."""
        names = names or NAMES
        starts = starts or now() - CLOCK_SKEW
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = {
            x509.BasicConstraints(ca=False, path_length=None): True,
            _key_usage(authority=False): True,
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]): False,
            x509.SubjectAlternativeName([_alternative(name) for name in names]): False,
        }
        certificate = _sign(
            _name(names[0]),
            key,
            self._certificate.subject,
            self._key,
            starts,
            starts + lifetime,
            extensions,
        )
        return Issued(
            _key_pem(key), _pem(certificate), _pem(self._certificate) if with_intermediate else b""
        )

    def expired(self) -> Issued:
        return self.issue(starts=now() - LIFETIME - timedelta(days=1))

    def not_yet_valid(self) -> Issued:
        return self.issue(starts=now() + timedelta(days=1))

    def other_name(self) -> Issued:
        return self.issue("other.example")

    def missing_intermediate(self) -> Issued:
        return self.issue(with_intermediate=False)

    def renewed(self) -> Issued:
        """As good as the stack's own, and another one."""
        return self.issue()


def ensure(directory: Path) -> dict[str, str]:
    """The stack's authority and certificate, made where missing, broken or soon to end; returns
    ``settings["certificates"]``.
    """
    authority = Authority(directory)
    certificates = {
        "name": NAMES[0],
        "ca": str(authority.root_file),
        "ca_key": str(authority.root_key_file),
        "intermediate": str(authority.intermediate_file),
        "intermediate_key": str(authority.intermediate_key_file),
        "fullchain": str(directory / "fullchain.pem"),
        "cert": str(directory / "cert.pem"),
        "key": str(directory / "key.pem"),
    }
    if not _serviceable(certificates):
        authority.issue().install(certificates)
    return certificates


def _serviceable(certificates: Mapping[str, str]) -> bool:
    try:
        leaf, intermediate = x509.load_pem_x509_certificates(
            Path(certificates["fullchain"]).read_bytes()
        )
        issuer = x509.load_pem_x509_certificate(Path(certificates["intermediate"]).read_bytes())
        leaf.verify_directly_issued_by(issuer)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return (
            intermediate == issuer
            and leaf == x509.load_pem_x509_certificate(Path(certificates["cert"]).read_bytes())
            and leaf.public_key() == _load_key(Path(certificates["key"])).public_key()
            and leaf.not_valid_before_utc <= now() < leaf.not_valid_after_utc - RENEW_BEFORE
            and NAMES[0] in names.get_values_for_type(x509.DNSName)
        )
    except Exception:
        return False
