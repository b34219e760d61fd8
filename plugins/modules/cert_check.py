#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cert_check
short_description: Check certificates as clients see them and as they are on disk
version_added: "0.1.0"
description:
  - Fetches the certificates of TLS endpoints, valid or not, and reads those in files, all in
    parallel.
  - C(certificate.expiry) counts the days left. Its thresholds are the days of
    C(certificate.expiry), or the shares of the lifetime in C(certificate.lifetime_left) where these
    are fewer days, so that certificates of 6 and of 398 days are both judged well. Expired, and not
    valid yet, are always critical.
  - C(certificate.chain) says whether clients find a path to a trusted root, and if not, why. That
    is OpenSSL's verdict, for a file as for an endpoint, with the roots that this host trusts; so
    purposes, path lengths, name constraints, and weak keys and signatures count. The remedy follows
    OpenSSL's code. An expired certificate or a wrong name does not hide it. What is sent, has
    expired and is needed by no client, such as an old cross-signed root, is a remark.
  - C(certificate.hostname) says whether the certificate is issued for the name that clients use,
    as OpenSSL compares names.
  - C(certificate.key) says whether keys and signatures are strong enough, and whether the key file
    matches the certificate.
  - C(certificate.served_is_file) says whether an endpoint serves the certificate on disk. Renewed
    but not reloaded is critical, since only a reload fixes it, and so is a renewed file that
    clients would refuse after the reload; a file that is older than what is served is a warning.
  - An endpoint that sends no certificate (connection refused, no TLS, timeout) gets one
    C(certificate.expiry) that is V(unknown), with the reason. The check of that service says
    whether it is down.
  - A file that does not exist or holds no certificate is critical, since the server that reads it
    will not start again. A file that this user lacks permission to read is V(unknown).
extends_documentation_fragment:
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.tls_endpoints
options:
  files:
    description: Certificate files on this host that belong to no endpoint.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file, PEM with the certificate first, or DER.
        type: path
        required: true
      key_file:
        description: Private key file that must match the certificate.
        type: path
notes:
  - Not judged are revocation (CRL, OCSP), stapling, Certificate Transparency, the versions of TLS
    that a server accepts, and what single browsers demand beyond OpenSSL, such as a maximum
    lifetime. A file with a certificate for clients only gets dates and key
    judged, not its chain.
  - Trusts the certificate authorities of the system, or those in E(SSL_CERT_FILE) and
    E(SSL_CERT_DIR).
  - Connects directly, never through a proxy.
  - With Python 3.9 only the first certificate of an endpoint is visible. The verdicts are the same,
    but a missing intermediate is not named, nor one that expires soon.
requirements:
  - cryptography >= 38
seealso:
  - module: gpt_agent.runbook.http_check
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: What nginx serves, and whether it is what certbot has put on disk
  gpt_agent.runbook.cert_check:
    endpoints:
      - host: your-domain.com
        file: /etc/letsencrypt/live/your-domain.com/fullchain.pem
        key_file: /etc/letsencrypt/live/your-domain.com/privkey.pem
  become: true

- name: Every server behind the name, and PostgreSQL's certificate of a private CA
  gpt_agent.runbook.cert_check:
    all_addresses: true
    ca_file: /etc/ssl/private-ca.pem
    endpoints:
      - {host: your-domain.com}
      - {host: db.internal, port: 5432, starttls: postgres}

- name: Certificates that no server uses yet
  gpt_agent.runbook.cert_check:
    files:
      - {path: /etc/ssl/new/fullchain.pem, key_file: /etc/ssl/new/privkey.pem}
"""

RETURN = r"""
checks:
  description: What was found about the certificate of each endpoint and file.
  returned: success
  type: list
  elements: dict
  sample:
    - name: certificate.expiry
      subject: your-domain.com:443
      status: ok
      value: 54.2
      unit: days
      warning: 21
      critical: 7
      summary: 54 days left, until 2027-01-16 (60.2 % of its 90 days)
      remedy: ""
      window: ""
      evidence:
        - certificate: your-domain.com
          issuer: R11
          from: 2026-10-18T06:00Z
          until: 2027-01-16T06:00Z
          key: ECDSA P-256
          serial: 3d1f0c
          sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
          days: 54.2
    - name: certificate.served_is_file
      subject: your-domain.com:443
      status: critical
      value: null
      unit: ""
      warning: null
      critical: null
      summary: >-
        /etc/letsencrypt/live/your-domain.com/fullchain.pem was renewed on 2026-11-20, but the old
        certificate is still served (until 2026-12-03): not reloaded
      remedy: "Reload what serves it: 'nginx -t && systemctl reload nginx'."
      window: ""
      evidence: []
"""

import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.certificates.assess import assess, no_answer
from ..module_utils.certificates.certificate import IMPORT_ERROR
from ..module_utils.certificates.checks import CHECKS
from ..module_utils.certificates.collect import collect
from ..module_utils.certificates.connection import TlsClient
from ..module_utils.certificates.judge import Judge
from ..module_utils.certificates.options import ENDPOINTS_OPTIONS, Options
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import require, run_probe
from ..module_utils.core.thresholds import Thresholds

FILE_OPTIONS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "key_file": {"type": "path", "no_log": False},
}

OPTIONS: dict[str, Any] = {
    **PROBE_OPTIONS,
    **ENDPOINTS_OPTIONS,
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_OPTIONS},
}

#: Seconds of the time limit that are kept for judging and reporting.
RESERVE = 0.25


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    require(module, IMPORT_ERROR, "cryptography", "python3-cryptography")
    # cryptography warns of odd certificates; the checks say what matters about them.
    warnings.simplefilter("ignore")

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        options = Options.from_params(module.params)
        starttls = {target.endpoint.starttls for target in options.targets if target.endpoint}
        judge = Judge(options.ca_file)
        client = TlsClient(judge, options.connect_timeout, starttls)
        snapshot = collect(options, client, judge, deadline.remaining() - RESERVE)
        yield from assess(snapshot, thresholds, datetime.now(timezone.utc))

    run_probe(
        module,
        CHECKS,
        probe,
        lambda thresholds: no_answer(module.params["timeout"], thresholds),
    )


if __name__ == "__main__":
    main()
