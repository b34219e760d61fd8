"""What pg_review accepts."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import UsageError
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.review.options import (
    Options,
)


@pytest.mark.parametrize("wrong", [{"areas": ()}, {"unused_after": -1.0}])
def test_a_value_that_makes_no_sense_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))}: "):
        Options(**wrong)
