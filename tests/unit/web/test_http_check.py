"""The module itself: misuse, secrets and a missing library."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gpt_agent.runbook.plugins.modules import http_check
from tests.support.web import run_main


def test_misuse_fails_the_module_and_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_main(
        capsys,
        endpoints=[
            {"url": "htps://ops:geheim@x/?token=geheim", "headers": {"Authorization": "geheim"}}
        ],
    )
    assert result["failed"]
    assert (
        result["msg"]
        == "endpoints[0].url: 'htps://***@x/?token=***' must start with http:// or https://"
    )
    assert "geheim" not in json.dumps(result)


def test_a_missing_library_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_check, "IMPORT_ERROR", "No module named 'requests'")
    result = run_main(capsys, endpoints=[{"url": "https://x/"}])
    assert result["failed"]
    assert "'requests' is missing" in result["msg"]
    assert "python3-requests" in result["msg"]
