# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate authorities that a server's certificate is verified with."""

from __future__ import annotations

import os

#: Where distributions keep the authorities that the operating system trusts.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def with_system_authorities(params: dict[str, str]) -> dict[str, str]:
    """The connection parameters, with the operating system's authorities for ``verify-full``.

    Unless the operator names others in sslrootcert, PGSSLROOTCERT or ~/.postgresql/root.crt. libpq
    knows ``sslrootcert=system`` since version 16 only, and one from PyPI does not know where the
    operating system keeps them. A weaker mode would accept any certificate of theirs.
    """
    mode = params.get("sslmode") or os.environ.get("PGSSLMODE")
    named = params.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    system = named == "system" and mode in (None, "verify-full")
    nothing = mode == "verify-full" and not named and not os.path.exists(own_file())
    bundle = system_bundle() if system or nothing else ""
    if not bundle:
        return params
    return {**params, "sslmode": "verify-full", "sslrootcert": bundle}


def own_file() -> str:
    """Where libpq looks for authorities of the user's own."""
    return os.path.expanduser("~/.postgresql/root.crt")


def system_bundle() -> str:
    """The file with the operating system's authorities; empty if there is none."""
    files = (os.environ.get("SSL_CERT_FILE", ""), *BUNDLES)
    return next((file for file in files if file and os.path.exists(file)), "")
