"""What tests of http_check share: endpoints, answers and snapshots as plain data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.check import Check
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.url import Url
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.assess import assess
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.options import (
    Endpoint,
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.web.snapshot import (
    Answer,
    EndpointSnapshot,
    Sample,
    Snapshot,
)
from ansible_collections.gpt_agent.runbook.plugins.modules import http_check
from tests.conftest import by_name

ENDPOINT_DEFAULTS: dict[str, Any] = {
    name: option.get("default") for name, option in http_check.ENDPOINT_OPTIONS.items()
}
DEFAULTS: dict[str, Any] = {
    name: option.get("default") for name, option in http_check.OPTIONS.items()
}

URL = "https://your-domain.com/api/health"
JSON = {"Content-Type": "application/json"}
#: A healthy answer of a `site`.
HEALTH = (200, JSON, b'{"status": "ok", "checks": [{"name": "db", "up": true}]}')
#: An environment without proxies.
DIRECT = dict.fromkeys(
    (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ),
    "",
)
BODY = '{"status": "ok", "checks": [{"up": true}]}'


def endpoint(url: str = URL, **more: Any) -> Endpoint:
    return Endpoint(more.pop("subject", url), Url.parse("url", url), **more)


def parsed(*given: dict[str, Any], **options: Any) -> tuple[Endpoint, ...]:
    """The endpoints that the module makes of these options."""
    complete = [{**ENDPOINT_DEFAULTS, **one} for one in given]
    return Options.from_params({**DEFAULTS, **options}, complete).endpoints


def answer(body: str = BODY, **more: Any) -> Answer:
    fields: dict[str, Any] = {
        "status": 200,
        "content_type": "application/json",
        "body": body.encode(),
        "seconds": 0.01,
    }
    return Answer(**{**fields, **more})


def assessed(
    *samples: Sample,
    first: Answer | None = None,
    overrides: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Check]:
    """The checks of one endpoint, by name; without samples it was not requested."""
    if samples and first is None:
        first = answer()
    snapshot = Snapshot((EndpointSnapshot(first, list(samples)),), 9.7)
    options = Options((endpoint(**more),))
    checks = assess(snapshot, options, Thresholds(CHECKS, overrides))
    return {check.name: check for check in checks}


def endpoint_check(answer: dict[str, Any], subject: str | None = None) -> dict[str, Any]:
    """The check `web.endpoint` in a module's answer."""
    return by_name(answer, "web.endpoint", subject)


def redirect(to: str, status: int = 302, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A redirect as an answer of a `site`."""
    return status, {"Location": to, **headers}, b""


def run_main(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        http_check.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result
