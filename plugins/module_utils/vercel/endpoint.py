# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app as its users reach it, through the proxy that the environment names."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from ..net.failures import timed_out
from ..net.http import Answer
from ..net.url import Url
from .failures import failure_of

with suppress(ImportError):  # the module reports that it is missing
    import requests

#: Bytes of an answer that are read; a health answer is far shorter.
_BODY = 64 << 10
#: Requests per second to a public site, whose rate limits are for its users.
RATE = 4.0
_HEADERS = {
    "User-Agent": "gpt_agent.runbook vercel_deployment",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache",
    "Connection": "close",
}


def ask(url: Url, seconds: float) -> Answer:
    """The answer to a GET on a connection of its own; redirects are not followed."""
    end = time.monotonic() + seconds
    try:
        with requests.get(
            url.text,
            headers=_HEADERS,
            auth=_credentials(url),
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = b""
            for chunk in response.iter_content(1024):
                body += chunk
                if time.monotonic() > end:
                    return Answer(problem=f"no complete answer within {seconds:g} s")
                if len(body) >= _BODY:
                    break
            return Answer(response.status_code, body=body)
    except (requests.RequestException, OSError) as error:
        if timed_out(error):
            return Answer(problem=f"no answer within {seconds:g} s")
        return Answer(problem=failure_of(error, url).text)


def _credentials(url: Url) -> Any:
    if url.credentials is None:
        return None
    user, password = url.credentials
    return user.encode(), password.encode()
