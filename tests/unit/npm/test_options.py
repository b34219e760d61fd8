"""What npm_check accepts."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.npm.options import Options


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "path: is not set (app_dependencies_path)"),
        ("current", "path: must be the absolute path"),
    ],
)
def test_a_path_that_makes_no_sense(path: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        Options.from_params({"path": path, "npm": None, "registry": None, "audit": 1, "allow": []})
    assert str(error.value).startswith(message)
