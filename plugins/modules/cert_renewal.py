#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cert_renewal
short_description: Renew certbot's certificates that are due, and prove that they are served
version_added: "0.1.0"
description:
  - Runs C(certbot renew), which decides itself what is due. Without a date of the authority that
    is a third of the lifetime (a half if it is below ten days), 30 days for certbot before 4.0, or
    C(renew_before_expiry) in the certificate's renewal file.
  - certbot counts a renewal as a success even if a hook failed and the old certificate is still
    served. So the module connects to each of the O(endpoints) and compares. If an endpoint serves
    an older version than the one on disk, it runs O(check_command) and, only if that succeeds,
    O(reload_command).
  - If clients accepted an endpoint before and refuse it after the reload, or it does not answer any
    more, the links of its certificate lead to the version before again, and nginx is reloaded once
    more. A new certificate that clients would refuse is not loaded at all, unless a deploy hook
    has already done so.
  - Writes a deploy hook that does the same check and reload whenever certbot's own timer renews a
    certificate. Hooks of others are left as they are.
  - C(certificate.renewal) says for each certificate when it is due, or why it was not renewed, in
    certbot's words, such as rate limit, challenge, account, or authority not reached.
    It is V(warning) if a certificate has been due for half of the time that was left, and
    V(critical) once it has expired.
  - C(certificate.renewal_timer) says whether certbot runs by itself.
  - Without certbot, or without a certificate of it, nothing is done. The checks say until when the
    endpoints' certificates are valid, and that nothing here renews them.
extends_documentation_fragment:
  - gpt_agent.runbook.tls_endpoints
options:
  endpoints:
    description:
      - Where the certificates are served. Without O(endpoints[].file) an endpoint belongs to the
        certificate of certbot's that it serves when the module starts. One that serves none of them
        is only checked.
      - Without endpoints certificates are renewed, but not compared with what is served.
  names:
    description:
      - Certificates to renew, by the names that C(certbot certificates) shows. All that are due
        unless given.
    type: list
    elements: str
    default: []
  force:
    description:
      - Whether to renew the certificates in O(names) before they are due, such as after their key
        was exposed. Authorities limit how often.
    type: bool
    default: false
  dry_run:
    description:
      - Rehearse instead of renewing. C(certbot renew --dry-run --run-deploy-hooks) gets test
        certificates from the authority, drops them, and runs the hooks, which reload nginx; it
        does so in check mode too. C(certificate.rehearsal) is the result.
      - An old certbot, such as Debian 12's 2.1, cannot run deploy hooks then; the check says so.
    type: bool
    default: false
  config_dir:
    description: Folder of certbot's certificates.
    type: path
    default: /etc/letsencrypt
  command:
    description:
      - How certbot is started, such as V([/snap/bin/certbot]).
    type: list
    elements: str
    default: [certbot]
  hook:
    description: Whether to write the deploy hook. It is not written on a host without nginx.
    type: bool
    default: true
  hook_file:
    description:
      - Path of the deploy hook. Defaults to C(renewal-hooks/deploy/gpt-agent-runbook) in
        O(config_dir).
    type: path
  check_command:
    description: Checks the configuration of what serves the certificates.
    type: list
    elements: str
    default: [nginx, -t]
  reload_command:
    description:
      - Reloads it. Defaults to C(systemctl reload nginx) where systemd runs nginx, else to
        C(nginx -s reload).
    type: list
    elements: str
  time_limit:
    description:
      - Maximum seconds for one run of certbot. Then it is sent SIGTERM and cleans up.
    type: float
    default: 900.0
  lock_wait:
    description:
      - Seconds to wait for another run of this module to end, such as one whose controller was
        killed, and then for another certbot, such as the one of the timer.
    type: float
    default: 60.0
  serve_wait:
    description:
      - Seconds to wait until an endpoint serves the new certificate.
    type: float
    default: 15.0
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check, as
        M(gpt_agent.runbook.cert_check) takes them.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description:
      - Shows from certbot's files what is due and would be reloaded. Asks the authority only with
        O(dry_run).
  diff_mode:
    support: full
    description: Shows the actions that are needed before and after, and the text of the hook.
  idempotent:
    support: full
    description: Nothing is changed if nothing is due, the hook is there, and the files are served.
  platform:
    support: full
    description: The host on which certbot renews.
    platforms: posix
requirements:
  - certbot >= 2.0
  - cryptography >= 38
notes:
  - Run it as root. certbot's files are root's.
  - If the run is killed, certbot goes on and ends by itself; the next run waits for it, and then
    deploys what is not served yet.
  - After a roll back the newest version stays in certbot's archive. certbot's next run links it
    again, without a reload. M(gpt_agent.runbook.cert_check) says if clients would refuse it.
  - certbot's messages are shown with credentials masked.
seealso:
  - module: gpt_agent.runbook.cert_check
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Renew what is due, and see that nginx serves it
  gpt_agent.runbook.cert_renewal:
    endpoints:
      - host: your-domain.com
        file: /etc/letsencrypt/live/your-domain.com/fullchain.pem
  become: true

- name: Rehearse a renewal with the authority, hooks included
  gpt_agent.runbook.cert_renewal:
    dry_run: true
  become: true

- name: Replace a certificate whose key was exposed
  gpt_agent.runbook.cert_renewal:
    names: [your-domain.com]
    force: true
    endpoints:
      - host: your-domain.com
  become: true
"""

RETURN = r"""
renewed:
  description: Names of the certificates that were renewed.
  returned: always, except for usage errors
  type: list
  elements: str
  sample: [your-domain.com]
due:
  description: Names of those that are due now; after a renewal those that still are.
  returned: always, except for usage errors
  type: list
  elements: str
  sample: []
not_renewed:
  description: Names of those that certbot tried to renew, and could not.
  returned: always, except for usage errors
  type: list
  elements: str
  sample: []
checks:
  description:
    - C(certificate.renewal) of each certificate, C(certificate.renewal_timer), what
      M(gpt_agent.runbook.cert_check) says of the endpoints, and C(certificate.rehearsal) with
      O(dry_run).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: certificate.renewal
      subject: your-domain.com
      status: critical
      value: 24.8
      unit: days
      warning: null
      critical: null
      direction: ""
      summary: >-
        not renewed, 24 days left, until 2026-12-22; the challenge failed: Some challenges have
        failed. connection for your-domain.com: 192.0.2.1: Connection refused
      remedy: "The authority must reach what certbot puts up: check that DNS leads to this host."
      window: ""
      evidence: []
actions:
  description:
    - C(certificate.install_hook), C(certificate.renew) for each certificate,
      C(certificate.run_hook) for a hook that failed, C(certificate.reload) and
      C(certificate.roll_back).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: certificate.renew
      subject: your-domain.com
      status: done
      reason: certbot has renewed it
      before: until 2026-12-22
      after: until 2027-02-26
      seconds: 4.2
      bytes: null
      estimate: null
"""

import warnings
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.certificates.certificate import IMPORT_ERROR
from ..module_utils.certificates.checks import CHECKS
from ..module_utils.certificates.options import ENDPOINTS_OPTIONS
from ..module_utils.certificates.renew.operation import run
from ..module_utils.certificates.renew.options import Options
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.probe import require
from ..module_utils.core.thresholds import Thresholds

ARGUMENT_SPEC: dict[str, Any] = {
    **ENDPOINTS_OPTIONS,
    "names": {"type": "list", "elements": "str", "default": []},
    "force": {"type": "bool", "default": False},
    "dry_run": {"type": "bool", "default": False},
    "config_dir": {"type": "path", "default": "/etc/letsencrypt"},
    "command": {"type": "list", "elements": "str", "default": ["certbot"]},
    "hook": {"type": "bool", "default": True},
    "hook_file": {"type": "path"},
    "check_command": {"type": "list", "elements": "str", "default": ["nginx", "-t"]},
    "reload_command": {"type": "list", "elements": "str"},
    "time_limit": {"type": "float", "default": 900.0},
    "lock_wait": {"type": "float", "default": 60.0},
    "serve_wait": {"type": "float", "default": 15.0},
    "thresholds": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, IMPORT_ERROR, "cryptography", "python3-cryptography")
    # cryptography warns of odd certificates; the checks say what matters about them.
    warnings.simplefilter("ignore")
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        outcome = run(options, thresholds, module.check_mode)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome)


if __name__ == "__main__":
    main()
