#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_check
short_description: Ask URLs, and judge what they answer and how fast
version_added: "0.1.0"
description:
  - Asks each endpoint once, then several times more, and judges status, content, redirects, TLS and the time it took.
  - C(web.endpoint) says whether every request was answered as expected. Half of them or more failing is critical, fewer are a warning.
  - C(web.response_time_p95) (of an API) or C(web.page_load_time) (of a page) is the 95th percentile by the nearest-rank method, so it is
    always a time that was measured. It runs from the request to the complete answer. What opening the connection took (name
    resolution, TCP, TLS) is not part of it, and the first request is not counted either; both are in the evidence.
  - Requests that failed are not counted as fast; their share is in the summary. Where no request was answered as expected there is no verdict on the
    time, because C(web.endpoint) already says all there is to say.
  - An endpoint that gives no answer to its first request (refused, no such name, no TLS, nothing in time) is not asked again.
  - All endpoints together are bounded by O(timeout). What could not be asked in time is named and V(unknown).
extends_documentation_fragment:
  - gpt_agent.runbook.probe
options:
  endpoints:
    description: The URLs to ask.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description:
          - C(http://) or C(https://), and what the operator's clients ask for.
          - User and password in it are sent as basic authentication. They and the values of the query are never shown.
        type: str
        required: true
      name:
        description: What the checks call it. Defaults to the URL.
        type: str
      kind:
        description: Which limits its time is judged by, those of an API or those of a page.
        type: str
        choices: [api, page]
        default: api
      method:
        description: The request's method.
        type: str
        choices: [GET, HEAD]
        default: GET
      status:
        description: HTTP statuses that are right. A redirect with one of these is not followed.
        type: list
        elements: int
        default: [200]
      json:
        description:
          - Values that the answer has to hold, by dotted path, such as V(checks.0.state). An empty mapping asks for any JSON.
          - Without it the answer need not be JSON.
        type: dict
      contains:
        description: Text that the answer has to contain.
        type: str
      matches:
        description: Regular expression (Python's) that some part of the answer has to match.
        type: str
      follow_redirects:
        description:
          - Follow redirects to the answer. A loop, and a redirect from https to plain http, are failures.
          - Headers and credentials of the endpoint are sent to no other server.
        type: bool
        default: true
      max_redirects:
        description: The most redirects that are followed, 1 to 20.
        type: int
        default: 5
      headers:
        description: Headers to send, such as C(Authorization). They are never shown.
        type: dict
      address:
        description:
          - IP address to connect to, with the host of the URL still being the one that is asked for (Host, SNI) and verified.
          - This looks past a load balancer or a DNS entry, at one server.
        type: str
      samples:
        description: Overrides O(samples) for this endpoint.
        type: int
      concurrency:
        description: The most requests under way at once to this endpoint. Defaults to O(concurrency).
        type: int
  samples:
    description: How many requests follow the first, to measure the time; 0 to 100. With V(0) the time is not judged.
    type: int
    default: 10
  concurrency:
    description: The most requests under way at once over all endpoints, 1 to 16.
    type: int
    default: 4
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 5.0
  max_body:
    description: Bytes of an answer that are read at most; of a longer answer this much is looked at.
    type: int
    default: 1048576
  validate_certs:
    description: Verify certificate and name over TLS.
    type: bool
    default: true
  ca_file:
    description: File with the certificates (PEM) of a private certificate authority, trusted besides the system's roots.
    type: path
  use_proxy:
    description:
      - Go through the proxies in E(HTTP_PROXY), E(HTTPS_PROXY) and E(ALL_PROXY), except for what E(NO_PROXY) names.
      - Loopback names and addresses, and endpoints with an O(endpoints[].address), are always asked directly.
    type: bool
    default: true
notes:
  - Trusts the certificate authorities of the system (or those in E(SSL_CERT_FILE) and E(SSL_CERT_DIR)), not those that come with Python packages.
    E(REQUESTS_CA_BUNDLE) and a C(.netrc) file are not read.
  - Two endpoints with the same name are told apart by a number.
requirements:
  - requests >= 2.25
seealso:
  - module: gpt_agent.runbook.cert_check
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: The runbook's three health URLs and its pages
  gpt_agent.runbook.http_check:
    endpoints:
      - {url: "https://your-domain.com/api/health", json: {status: ok}}
      - {url: "https://your-domain.com/api/health/db", json: {}}
      - {url: "https://your-domain.com/api/health/redis", json: {}}
      - {url: "https://your-domain.com/", kind: page, contains: "</html>"}
      - {url: "https://your-domain.com/login", kind: page}

- name: One server behind the load balancer, with a limit of its own
  gpt_agent.runbook.http_check:
    endpoints:
      - url: https://your-domain.com/api/health
        name: web1
        address: 10.0.0.11
    thresholds:
      web.response_time_p95 web1: {warning: 0.2}

- name: A service that wants a token and answers 401 without one
  gpt_agent.runbook.http_check:
    endpoints:
      - url: https://api.openai.com/v1/models
        headers:
          Authorization: "Bearer {{ openai_api_key }}"
      - url: https://api.openai.com/v1/models
        name: openai without a key
        status: [401]
        samples: 0
"""

RETURN = r"""
checks:
  description: One C(web.endpoint) for each endpoint, and one verdict on its time where it answered.
  returned: success
  type: list
  elements: dict
  sample:
    - name: web.endpoint
      subject: https://your-domain.com/api/health
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      summary: HTTP 200 in 12 ms, JSON as expected, TLSv1.3
      remedy: ""
      window: ""
      evidence:
        - url: https://your-domain.com/api/health
          asked: GET
          status: 200
          first_seconds: 0.012
          opening_seconds: 0.021
          address: 203.0.113.10:443
          tls: TLSv1.3
    - name: web.response_time_p95
      subject: https://your-domain.com/api/health
      status: ok
      value: 0.009
      unit: seconds
      warning: 0.5
      critical: 1.0
      summary: p95 9 ms over 10 requests, median 6 ms
      remedy: ""
      window: 10 requests of this run
      evidence:
        - requests: 10
          failed: 0
          fastest: 0.005
          p95: 0.009
          slowest: 0.009
          first: 0.012
          opening: 0.021
"""

from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.check import UNKNOWN, Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import require, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.web.assess import assess, endpoints_from, masked
from ..module_utils.web.checks import CHECKS
from ..module_utils.web.client import IMPORT_ERROR, Client, Settings
from ..module_utils.web.collect import collect

ENDPOINT_OPTIONS: dict[str, Any] = {
    "url": {"type": "str", "required": True, "no_log": True},
    "name": {"type": "str"},
    "kind": {"type": "str", "choices": ["api", "page"], "default": "api"},
    "method": {"type": "str", "choices": ["GET", "HEAD"], "default": "GET"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "json": {"type": "dict"},
    "contains": {"type": "str"},
    "matches": {"type": "str"},
    "follow_redirects": {"type": "bool", "default": True},
    "max_redirects": {"type": "int", "default": 5},
    "headers": {"type": "dict", "no_log": True},
    "address": {"type": "str"},
    "samples": {"type": "int"},
    "concurrency": {"type": "int"},
}

OPTIONS: dict[str, Any] = {
    **PROBE_OPTIONS,
    "endpoints": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": ENDPOINT_OPTIONS,
    },
    "samples": {"type": "int", "default": 10},
    "concurrency": {"type": "int", "default": 4},
    "request_timeout": {"type": "float", "default": 5.0},
    "max_body": {"type": "int", "default": 1 << 20},
    "validate_certs": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "use_proxy": {"type": "bool", "default": True},
}

CLIENT_OPTIONS = (
    "ca_file",
    "validate_certs",
    "use_proxy",
    "request_timeout",
    "max_body",
    "concurrency",
)

#: Seconds of the time limit that are kept for judging and reporting.
RESERVE = 0.25


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    params = module.params
    given = conceal(module)
    require(module, IMPORT_ERROR, "requests", "python3-requests")

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        endpoints = endpoints_from(given, params)
        client = Client(
            endpoints, Settings(**{option: params[option] for option in CLIENT_OPTIONS})
        )
        seconds = deadline.remaining() - RESERVE
        return assess(
            collect(
                endpoints, client.fetch, params["concurrency"], params["request_timeout"], seconds
            ),
            thresholds,
            seconds,
        )

    def silent(thresholds: Thresholds) -> Check:
        return thresholds.verdict(
            "web.endpoint",
            UNKNOWN,
            f"the probe got nowhere within {params['timeout']:g} s; raise timeout",
        )

    run_probe(module, CHECKS, probe, silent)


def conceal(module: AnsibleModule) -> list[dict[str, Any]]:
    """The endpoints as given, which are from now on masked in the module's own parameters, as results and errors repeat them.

    no_log keeps URLs and headers out of the system's log, but it would also black out every text in the results that is equal to one of
    them: all subjects, and with a header of '1' every figure.
    """
    module.no_log_values.clear()
    given = module.params["endpoints"]
    module.params["endpoints"] = [masked(endpoint) for endpoint in given]
    return given


if __name__ == "__main__":
    main()
