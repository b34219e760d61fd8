# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an address says without redis-py, to explain why redis-py failed."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress

from ..net.tls import unverified_context
from .connection import Endpoint

#: Seconds to wait for each attempt.
_TIMEOUT = 0.3


def first_words(endpoint: Endpoint) -> str:
    """What the address says without being asked, or to a bare PING; empty if nothing.

    Raises OSError if it does not accept a connection. A server that has reached maxclients says so
    and closes the connection at once, which a client that sends first may miss.
    """
    with _connect(endpoint) as connection:
        for request in (b"", b"PING\r\n"):
            with suppress(OSError):
                connection.sendall(request)
                return connection.recv(200).decode("latin-1")
    return ""


def speaks_tls(endpoint: Endpoint) -> bool:
    """Whether the address speaks TLS, with any certificate.

    A Redis that does simply closes the connection of a client that does not.
    """
    try:
        with (
            _connect(endpoint) as connection,
            unverified_context().wrap_socket(connection, server_hostname=endpoint.host),
        ):
            return True
    except (OSError, ValueError):
        return False


def requires_certificate(endpoint: Endpoint) -> bool:
    """Whether the address speaks TLS, and only with clients that have a certificate.

    With TLS 1.3 the server says so after the handshake, which a client that sends may miss.
    """
    try:
        with (
            _connect(endpoint) as connection,
            unverified_context().wrap_socket(connection, server_hostname=endpoint.host) as inside,
        ):
            inside.recv(1)
    except ssl.SSLError as error:
        return "CERTIFICATE_REQUIRED" in str(error.reason)
    except (OSError, ValueError):
        pass
    return False


def _connect(endpoint: Endpoint) -> socket.socket:
    if not endpoint.path:
        return socket.create_connection((endpoint.host, endpoint.port), _TIMEOUT)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT)
    connection.connect(endpoint.path)
    return connection
