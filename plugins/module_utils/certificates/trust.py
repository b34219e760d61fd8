# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How certificates follow from one another, and whether they lead to a trusted root.

For an endpoint OpenSSL decides that in the handshake (see `connection`); for a file it is decided
here, with the same codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..net.tls import INVALID_CA, NO_LOCAL_ISSUER, SELF_SIGNED, SELF_SIGNED_IN_CHAIN
from .certificate import Certificate, InvalidCertificate, der_blocks, parse


class TrustStore:
    """The trusted root certificates, from files of many; parsed only as far as they are needed."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(paths)
        self._blocks: list[bytes] | None = None

    def trusts(self, certificate: Certificate) -> bool:
        """Whether one of the roots is the certificate or signed it."""
        if self._blocks is None:
            self._blocks = list(self._load())
        for der in self._blocks:
            if der == certificate.der:
                return True
            if certificate.issuer_name in der and _signed_by_der(certificate, der):
                return True
        return False

    def _load(self) -> Iterable[bytes]:
        for path in self._paths:
            try:
                with open(path, "rb") as stream:
                    data = stream.read()
            except OSError:
                continue
            yield from der_blocks(data)


def verify(path: Sequence[Certificate], trust_store: TrustStore) -> int:
    """OpenSSL's code for a path: 0 if it leads to a trusted root. Ignores dates."""
    if not all(one.authority for one in path[1:]):
        return INVALID_CA
    if trust_store.trusts(path[-1]):
        return 0
    if path[-1].self_issued:
        return SELF_SIGNED if len(path) == 1 else SELF_SIGNED_IN_CHAIN
    return NO_LOCAL_ISSUER


def build_path(chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The path up from the first certificate, as far as the others lead, whatever their order."""
    path = [chain[0]]
    while not path[-1].self_issued:
        issuers = [one for one in chain if one not in path and signed_by(path[-1], one)]
        if not issuers:
            break
        path.append(max(issuers, key=lambda one: one.not_after))
    return tuple(path)


def in_order(chain: Sequence[Certificate], path: Sequence[Certificate]) -> bool:
    """Whether each certificate of the path comes before its issuer in the chain."""
    places = [chain.index(one) for one in path]
    return places == sorted(places)


def signed_by(child: Certificate, parent: Certificate) -> bool:
    """Whether the parent's key made the child's signature."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if child.issuer_name != parent.subject_name:
        return False
    found = x509.load_der_x509_certificate(child.der)
    try:
        key: Any = x509.load_der_x509_certificate(parent.der).public_key()
        algorithm: Any = found.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey):
            if found.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS:
                # Its parameters can be read only with cryptography 41 and later: names must do.
                return True
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


def _signed_by_der(child: Certificate, parent: bytes) -> bool:
    try:
        return signed_by(child, parse(parent))
    except InvalidCertificate:
        return False
