#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_check
short_description: Request URLs and judge their answers and response times
version_added: "0.1.0"
description:
  - Requests each endpoint once, then several times more, and judges status, content, redirects, TLS
    and response time.
  - C(web.endpoint) says whether every request was answered as expected. It is critical if half of
    the requests or more fail, and a warning if fewer do.
  - C(web.response_time_p95) (of an API) or C(web.page_load_time) (of a page) is the 95th percentile
    by the nearest-rank method, so it is always a time that was measured. It runs from the request
    to the complete answer. Opening the connection (name resolution, TCP, TLS) does not count, and
    neither does the first request; both are in the evidence.
  - The slowest of ten requests says little about p95, so a limit counts as exceeded only if it is
    99 % certain. Once a request is slow, more are sent until that is certain or ruled out. If 3 %
    of the requests are slow, 1 run in 1000 is critical. If 20 % are slow, the first 10 requests
    notice it in 89 % of the runs and 20 requests in 99 %, and the verdict is critical in 82 to
    97 %. The value is then the time that p95 is certainly not below.
  - A rate limit that refuses the probe (429; 503 and 403 after a good answer, if nginx or a header
    says so) is not a failure of the endpoint. The probe then sends no more requests to measure the
    time, and one by one those that it needs for a verdict, after the seconds or the date in
    C(Retry-After). If the first request was fast and most of the later ones are not, two more are
    sent one by one, because a rate limit may delay the probe (C(limit_req) without C(nodelay)).
  - Interim answers (1xx) are skipped. Answers that are compressed although the request forbids it
    are read.
  - The default page of a web server, a listing of a folder, a maintenance page, an error page, a
    parked domain and an empty page are failures, whatever their status; the page of a bot filter
    is V(unknown). JSON that says of itself that it fails is a failure (C(status), C(state) or
    C(health) is V(error), V(down), …; C(ok), C(healthy), C(success) or C(up) is false; C(error)
    or C(errors) is not empty), unless O(endpoints[].json) expects it by name; V(degraded), and a
    part of it that fails (in C(checks), C(details), …), are a warning.
  - If a cache answers (C(Age), C(X-Cache) and the like), the endpoint is requested once more with a
    query that no cache knows, C(runbook=…). C(web.endpoint) is critical if the app does not answer
    that, and V(unknown) for an API if a cache answers that as well.
  - Failed requests do not count as fast; their share is in the summary. If no request was answered
    as expected, the response time is not judged, because C(web.endpoint) already says all there is
    to say.
  - An endpoint that does not answer its first request at all (connection refused, name not found,
    no TLS, timeout) is not requested again.
  - O(timeout) limits all endpoints together. Endpoints that could not be requested in time are
    listed and V(unknown).
extends_documentation_fragment:
  - gpt_agent.runbook.probe
options:
  endpoints:
    description: The URLs to request.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description:
          - An C(http://) or C(https://) URL, as your clients request it.
          - User and password in it are sent as basic authentication. They and the values of the
            query are never shown.
        type: str
        required: true
      name:
        description: Name of the endpoint in the checks. Defaults to the URL.
        type: str
      kind:
        description: Whether its response time is judged by the thresholds of an API or of a page.
        type: str
        choices: [api, page]
        default: api
      method:
        description: Method of the requests.
        type: str
        choices: [GET, HEAD]
        default: GET
      status:
        description: Expected HTTP statuses. A redirect with one of these is not followed.
        type: list
        elements: int
        default: [200]
      json:
        description:
          - Values that the answer must hold, by dotted path, such as V(checks.0.state). An empty
            mapping accepts any JSON.
          - Without it, the answer need not be JSON.
        type: dict
      contains:
        description: Text that the answer must contain.
        type: str
      matches:
        description: Regular expression (Python's) that some part of the answer must match.
        type: str
      follow_redirects:
        description:
          - Whether to follow redirects. A loop, and a redirect from https to plain http, are
            failures.
          - Headers and credentials of the endpoint are sent to no other server.
        type: bool
        default: true
      max_redirects:
        description: Maximum number of redirects to follow, 1 to 20.
        type: int
        default: 5
      headers:
        description: Headers to send, such as C(Authorization). They are never shown.
        type: dict
      address:
        description:
          - IP address to connect to. The host of the URL is still requested (Host header, SNI) and
            verified.
          - Use it to check one server behind a load balancer or a DNS entry.
        type: str
      samples:
        description: Overrides O(samples) for this endpoint.
        type: int
      concurrency:
        description:
          - Maximum number of requests under way at once to this endpoint. Defaults to
            O(concurrency).
        type: int
  samples:
    description:
      - Number of requests after the first to each endpoint, to measure the response time, 0 to 100.
        With V(0) it is not judged.
      - By default at least 10 to each endpoint and 20 to each server, but none to pages where
        people sign in (C(/login), C(/signin) and the like).
      - If one of them is slow, up to 100 are sent, until it is certain whether p95 is beyond the
        limit.
    type: int
  concurrency:
    description: Maximum number of requests under way at once over all endpoints, 1 to 16.
    type: int
    default: 4
  request_timeout:
    description: Seconds to wait for each request.
    type: float
    default: 5.0
  max_body:
    description:
      - Maximum number of bytes to read of an answer. A longer answer is judged by its beginning.
    type: int
    default: 1048576
  validate_certs:
    description: Whether to verify certificate and name over TLS.
    type: bool
    default: true
  ca_file:
    description:
      - File with the certificates (PEM) of a private certificate authority, trusted in addition to
        the system's roots.
    type: path
  use_proxy:
    description:
      - Whether to use the proxies in E(HTTP_PROXY), E(HTTPS_PROXY) and E(ALL_PROXY), except for
        what E(NO_PROXY) names.
      - Loopback names and addresses, and endpoints with an O(endpoints[].address), are always
        requested directly.
    type: bool
    default: true
notes:
  - Trusts the certificate authorities of the system (or those in E(SSL_CERT_FILE) and
    E(SSL_CERT_DIR)), not those that come with Python packages. E(REQUESTS_CA_BUNDLE) and a
    C(.netrc) file are not read.
  - Endpoints with the same name are numbered.
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

- name: One server behind the load balancer, with its own threshold
  gpt_agent.runbook.http_check:
    endpoints:
      - url: https://your-domain.com/api/health
        name: web1
        address: 10.0.0.11
    thresholds:
      web.response_time_p95 web1: {warning: 0.2}

- name: A service that requires a token and answers 401 without one
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
  description:
    - One C(web.endpoint) per endpoint, and the verdict on its response time if it answered.
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

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.options import PROBE_OPTIONS
from ..module_utils.core.probe import require, run_probe
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.web.assess import assess, no_answer
from ..module_utils.web.checks import CHECKS
from ..module_utils.web.client import IMPORT_ERROR, Client
from ..module_utils.web.collect import collect
from ..module_utils.web.options import Options, mask_endpoint

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
    "samples": {"type": "int"},
    "concurrency": {"type": "int", "default": 4},
    "request_timeout": {"type": "float", "default": 5.0},
    "max_body": {"type": "int", "default": 1 << 20},
    "validate_certs": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "use_proxy": {"type": "bool", "default": True},
}

#: Seconds of the time limit that are kept for judging and reporting.
RESERVE = 0.25


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    endpoints = mask_params(module)
    require(module, IMPORT_ERROR, "requests", "python3-requests")

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        options = Options.from_params(module.params, endpoints)
        client = Client(options)
        limits = {
            endpoint.subject: thresholds.of(endpoint.response_time_check, endpoint.subject)
            for endpoint in options.endpoints
        }
        snapshot = collect(options, client.fetch, deadline.remaining() - RESERVE, limits)
        return assess(snapshot, options, thresholds)

    run_probe(
        module,
        CHECKS,
        probe,
        lambda thresholds: no_answer(module.params["timeout"], thresholds),
    )


def mask_params(module: AnsibleModule) -> list[dict[str, Any]]:
    """Mask the endpoints in the module's own parameters; returns them as the operator gave them.

    Results and errors repeat the parameters. no_log keeps URLs and headers out of the system's log,
    but it would also black out every text in the results that equals one of them: all subjects, and
    with a header of '1' every figure.
    """
    module.no_log_values.clear()
    given: list[dict[str, Any]] = module.params["endpoints"]
    module.params["endpoints"] = [mask_endpoint(endpoint) for endpoint in given]
    return given


if __name__ == "__main__":
    main()
