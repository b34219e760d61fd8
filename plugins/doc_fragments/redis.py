# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options and requirements of every module that connects to Redis."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  redis_url:
    description:
      - Address and login of the Redis or Valkey server.
      - C(redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]), C(rediss://) with the same parts for an
        encrypted connection, or C(unix://[[USER]:PASSWORD@]/PATH/TO/SOCKET[?db=DATABASE]).
      - Percent-encode characters that have a meaning in URLs in user and password, such as C(%23)
        for C(#).
      - With C(rediss://), the parameters C(ssl_ca_certs), C(ssl_certfile), C(ssl_keyfile),
        C(ssl_cert_reqs) and C(ssl_check_hostname) mean what they mean to redis-py. Other parameters
        are ignored, as they may be for clients in other languages.
      - Defaults to the environment variable E(REDIS_URL) of the host where the module runs.
    type: str
    default: redis://127.0.0.1:6379/0
  ca_file:
    description:
      - File with the CA certificates, in PEM format, to trust with C(rediss://), on the host where
        the module runs.
      - Defaults to those of the system.
    type: path
requirements:
  - redis (Python library) 4.3 or newer, on the host where the module runs
"""
