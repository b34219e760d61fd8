# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS contexts that trust what the system trusts, and what OpenSSL's verification codes mean."""

from __future__ import annotations

import os
import re
import ssl

from ..core.errors import UsageError
from ..core.text import shorten
from .url import is_address

PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; ssl names it only from Python 3.10 on
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME

#: OpenSSL's verification codes (x509_vfy.h).
EXPIRED, NOT_YET_VALID = 10, 9
SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, NO_ISSUER, UNVERIFIED_LEAF = 18, 19, 20, 2, 21
WRONG_HOSTNAME, WRONG_ADDRESS = 62, 64
WRONG_NAMES = (WRONG_HOSTNAME, 63, WRONG_ADDRESS)
WRONG_PURPOSE = 26
INVALID_CAS = (79, 24, 32)  # 79 is 24 before OpenSSL 3
UNTRUSTED = (NO_ISSUER, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, UNVERIFIED_LEAF)

_PRIVATE_CA = "If it is a private CA, name its certificate in ca_file."
_FULL_CHAIN = "Serve the full chain (certbot's fullchain.pem, not cert.pem) and reload."
_REISSUE_CA = (
    "Have the certificate issued by a real CA certificate (basicConstraints CA:TRUE, keyUsage"
    " keyCertSign); a server's certificate cannot issue others."
)
_OTHER_NAME = (
    "Serve the certificate of this name (in nginx, check server_name and which site wins:"
    " 'nginx -T'), have it issued for this name as well, or ask for a name that it is issued for."
)
_CONSTRAINTS = (
    "Have it issued by a CA that may issue for these names, or have that CA's certificate issued"
    " again with name constraints that allow them."
)
STRONGER = (
    "Issue the certificate again with an ECDSA P-256 or RSA 2048 key or stronger, and SHA-256."
)
_STRONGER_CA = (
    "Have the certificate issued by a CA whose own key and signatures are current (RSA 2048, ECDSA"
    " P-256, SHA-256), and serve that CA's intermediate."
)

#: What a code means, and what to do about it.
_CODES: dict[int, tuple[str, str]] = {
    EXPIRED: (
        "a certificate has expired",
        "Renew it ('certbot renew'), serve the issuer's current chain, and reload.",
    ),
    NOT_YET_VALID: (
        "a certificate is not valid yet (is this machine's clock right?)",
        "Check this machine's clock ('timedatectl'); if it is right, serve the previous certificate"
        " until then.",
    ),
    SELF_SIGNED: (
        "the certificate is self-signed, not trusted",
        "Have it issued by a CA that clients trust, such as Let's Encrypt; or name it in ca_file.",
    ),
    SELF_SIGNED_IN_CHAIN: (
        "the root is not trusted: neither a system root nor in ca_file",
        _PRIVATE_CA,
    ),
    7: (
        "a signature does not fit the issuer's key: another certificate of the same name is sent",
        "Serve the intermediate that came with this very certificate (certbot's fullchain.pem), and"
        " reload.",
    ),
    22: ("the chain is longer than clients accept", "Serve only what leads to the root."),
    23: ("a certificate has been revoked", "Issue a new one with a new key, and reload."),
    79: ("it was signed with a certificate that is not a CA's", _REISSUE_CA),
    24: ("it was signed with a certificate that is not a CA's", _REISSUE_CA),
    32: ("it was signed with a CA certificate whose key may not sign others", _REISSUE_CA),
    25: (
        "there are more CAs below a CA than its path length allows",
        "Have it issued by the CA above, or have that CA's certificate issued again with a larger"
        " pathlen.",
    ),
    WRONG_PURPOSE: (
        "it is not issued for servers (keyUsage or extendedKeyUsage)",
        "Issue it, and each CA above it, with the purpose serverAuth, or with none.",
    ),
    28: (
        "this machine's trust settings reject a CA of it",
        "Check the distrusted roots here ('trust list'), or have it issued by another CA.",
    ),
    34: (
        "it has a critical extension that clients do not know",
        "Issue it again without that extension, or not critical.",
    ),
    47: ("its names are outside the name constraints of a CA above it", _CONSTRAINTS),
    48: ("its names are excluded by the name constraints of a CA above it", _CONSTRAINTS),
    66: ("the key of the certificate is too weak", STRONGER),
    67: ("the key of a CA above it is too weak", _STRONGER_CA),
    68: (
        "a signature is made with a hash that is too weak",
        "Issue the certificate again with SHA-256; if the issuer's own is the weak one, from a"
        " current CA.",
    ),
}
_NO_ISSUER_REASON = (
    "the issuer is not trusted: the server does not send the intermediate, or the root is"
    " neither a system root nor in ca_file"
)


def verified_context(
    ca_file: str | None, context_class: type[ssl.SSLContext] = ssl.SSLContext
) -> ssl.SSLContext:
    """A client context that verifies name and chain; trusts the system's roots and ``ca_file``.

    Raises `UsageError` where ``ca_file`` cannot be read or holds no certificate.
    """
    context = context_class(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    # The file of a private CA may hold its intermediate only, which curl accepts as well.
    context.verify_flags |= PARTIAL_CHAIN
    folder = _root_folder()
    if folder:
        context.load_verify_locations(capath=folder)
    else:
        context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except ssl.SSLError:
            raise UsageError(f"ca_file: {ca_file} holds no certificate in PEM format") from None
        except OSError as error:
            raise UsageError(f"ca_file: {ca_file} cannot be read: {error.strerror}") from None
    return context


def unverified_context() -> ssl.SSLContext:
    """A client context that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def no_system_roots() -> ssl.SSLContext:
    """A client context that verifies name and chain, and trusts nothing yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _root_folder() -> str | None:
    """The folder from which OpenSSL reads single roots as it needs them, or none.

    Loading a bundle of all roots costs 30 ms. Where the bundle lies in that folder, both hold the
    same roots.
    """
    paths = ssl.get_default_verify_paths()
    folder, bundle = paths.capath, paths.cafile
    if not folder:
        return None
    if bundle and os.path.dirname(os.path.realpath(bundle)) != os.path.realpath(folder):
        return None
    try:
        with os.scandir(folder) as entries:
            hashed = any(re.fullmatch(r"[0-9a-f]{8}\.\d+", entry.name) for entry in entries)
    except OSError:
        return None
    return folder if hashed else None


def verification_reason(code: int, message: str, server_name: str) -> str:
    """What one of OpenSSL's verification codes means, in plain words.

    ``message`` is OpenSSL's own text, for a code that this function does not know.
    """
    if code in WRONG_NAMES:
        what = "address" if is_address(server_name) else "name"
        return f"the certificate is issued for another {what}, not for {server_name!r}"
    if code in _CODES:
        return _CODES[code][0]
    if code in UNTRUSTED:
        return _NO_ISSUER_REASON
    return shorten(message or f"OpenSSL verification error {code}", 80)


def verification_remedy(code: int) -> str:
    """What to do about one of OpenSSL's verification codes."""
    if code in _CODES:
        return _CODES[code][1]
    if code in WRONG_NAMES:
        return _OTHER_NAME
    if code in UNTRUSTED:
        return f"{_FULL_CHAIN} {_PRIVATE_CA}"
    return (
        "See what OpenSSL says: 'openssl s_client -connect HOST:PORT -servername HOST"
        " -verify_return_error </dev/null', for a file 'openssl verify -untrusted FILE FILE'."
    )
