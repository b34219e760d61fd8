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

_PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN; ssl names it only from Python 3.10 on

#: Where distributions keep all roots in one file, in case OpenSSL does not know.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

#: OpenSSL's verification codes (x509_vfy.h).
EXPIRED, NOT_YET_VALID = 10, 9
SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, NO_ISSUER, UNVERIFIED_LEAF = 18, 19, 20, 2, 21
WRONG_HOSTNAME, WRONG_ADDRESS = 62, 64
INVALID_CA = 79  # 24 before OpenSSL 3
UNTRUSTED = (NO_ISSUER, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, UNVERIFIED_LEAF)


def verified_context(
    ca_file: str | None, context_class: type[ssl.SSLContext] = ssl.SSLContext
) -> ssl.SSLContext:
    """A client context that verifies name and chain; trusts the system's roots and ``ca_file``.

    Raises `UsageError` where ``ca_file`` cannot be read or holds no certificate.
    """
    context = context_class(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    # The file of a private CA may hold its intermediate only, which curl accepts as well.
    context.verify_flags |= _PARTIAL_CHAIN
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


def root_files() -> list[str]:
    """The files with the system's root certificates; a single bundle if there is one."""
    bundle = ssl.get_default_verify_paths().cafile
    for path in (bundle, *_BUNDLES):
        if path and os.path.isfile(path):
            return [path]
    folder = _root_folder()
    return [entry.path for entry in os.scandir(folder) if entry.is_file()] if folder else []


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
    if code == EXPIRED:
        return "a certificate has expired"
    if code == NOT_YET_VALID:
        return "a certificate is not valid yet (is this machine's clock right?)"
    if code in (WRONG_HOSTNAME, WRONG_ADDRESS):
        what = "address" if is_address(server_name) else "name"
        return f"the certificate is issued for another {what}, not for {server_name!r}"
    if code == SELF_SIGNED:
        return "the certificate is self-signed, not trusted"
    if code == SELF_SIGNED_IN_CHAIN:
        return "the root is not trusted: neither a system root nor in ca_file"
    if code in UNTRUSTED:
        return (
            "the issuer is not trusted: the server does not send the intermediate, or the root is"
            " neither a system root nor in ca_file"
        )
    if code == INVALID_CA:
        return "it was signed with a certificate that is not a CA's"
    return shorten(message or f"OpenSSL verification error {code}", 80)
