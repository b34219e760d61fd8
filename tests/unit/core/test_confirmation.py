"""What is confirmed must be what is changed."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.confirmation import (
    require_confirmation,
    require_match,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError


def test_what_matches_and_what_leaves_a_plan() -> None:
    require_match("", "app", "web")
    require_match("web", "app", "web")
    require_match("db2", "host", "db1", "db2")
    require_confirmation("shop", "database", "shop")


@pytest.mark.parametrize(
    ("names", "said"),
    [(["db1"], "the host is db1"), (["db1", "db2"], "the hosts are db1, db2")],
)
def test_something_else_is_refused_with_what_would_be_right(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=f"confirm: it is 'bd1', but {said}; nothing was changed"):
        require_match("bd1", "host", *names)


@pytest.mark.parametrize(("given", "said"), [("", "is missing; give shop"), ("Shop", "it is")])
def test_what_is_needed(given: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"confirm: {said}"):
        require_confirmation(given, "database", "shop")
