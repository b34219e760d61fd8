# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options and requirements of every module that talks to Redis."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  redis_url:
    description:
      - Where Redis or Valkey is and how to log in there.
      - C(redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]), C(rediss://) with the same parts for an encrypted connection,
        or C(unix://[[USER]:PASSWORD@]/PATH/TO/SOCKET[?db=DATABASE]).
      - Characters that have a meaning in URLs are percent-encoded in user and password, such as C(%23) for C(#).
      - With C(rediss://), the parameters C(ssl_ca_certs), C(ssl_certfile), C(ssl_keyfile), C(ssl_cert_reqs) and
        C(ssl_check_hostname) are understood as redis-py does. Other parameters are ignored, for clients of other languages have theirs there.
      - The environment variable E(REDIS_URL) of the machine where the module runs is used where the option is not given.
    type: str
    default: redis://127.0.0.1:6379/0
  ca_file:
    description:
      - File on the machine where the module runs with the certificates, in PEM format, of the authorities to trust with C(rediss://).
      - Those of the system are used where this is not given.
    type: path
requirements:
  - redis (Python library) 4.3 or newer, on the machine where the module runs
"""
