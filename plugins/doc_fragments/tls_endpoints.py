# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that connect to TLS endpoints."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  endpoints:
    description: TLS endpoints.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Host name or IP address to connect to.
        type: str
        required: true
      port:
        description: TCP port.
        type: int
        default: 443
      server_name:
        description:
          - Name to send as SNI, for which the certificate must be issued. Defaults to
            O(endpoints[].host).
        type: str
      starttls:
        description:
          - How TLS starts. With V(none) it starts at once.
          - V(postgres) asks PostgreSQL for TLS first, as its clients do.
          - V(postgres_direct) starts TLS at once with PostgreSQL 17 and later,
            C(sslnegotiation=direct).
        type: str
        choices: [none, postgres, postgres_direct]
        default: none
      address:
        description: IP address to connect to instead of resolving O(endpoints[].host).
        type: str
      file:
        description:
          - Certificate file on this host that the endpoint should serve, such as
            C(/etc/letsencrypt/live/your-domain.com/fullchain.pem).
        type: path
      key_file:
        description:
          - Private key file on this host that must match the certificate, the one in
            O(endpoints[].file) if given.
          - It is read and compared; nothing of it is kept or shown.
        type: path
  ca_file:
    description:
      - File with the certificates (PEM) of a private certificate authority, trusted in addition to
        the system's roots.
    type: path
  all_addresses:
    description: Whether to check each address of a host name, not only the first that answers.
    type: bool
    default: false
  connect_timeout:
    description: Seconds to wait for each step of the connection to an endpoint.
    type: float
    default: 5.0
"""
