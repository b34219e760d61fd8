# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a request of `requests` got no answer, a proxy in the environment included."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from ..net.failures import Failure, connection_failure
from ..net.url import Url, mask_url

with suppress(ImportError):  # the module reports that it is missing
    import requests


def failure_of(error: BaseException, url: Url) -> Failure:
    """In plain words; names the proxy if that is what failed."""
    if not isinstance(error, requests.exceptions.ProxyError):
        return connection_failure(error, url.host, url.port)
    proxy = str(requests.utils.get_environ_proxies(url.text).get(url.scheme, ""))
    parts = urlsplit(proxy)
    failure = connection_failure(error, parts.hostname or "", parts.port or 80)
    return Failure(
        failure.kind,
        f"the proxy {mask_url(proxy)} failed: {failure.text}",
        "Check the proxy in the environment, or name the host in NO_PROXY.",
    )
