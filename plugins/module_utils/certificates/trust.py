# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the certificates of a chain follow from one another.

Whether they lead to a trusted root is for OpenSSL to say (see `judge`); this finds words for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .certificate import Certificate


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
    places = [chain.index(one) for one in path if one in chain]
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
