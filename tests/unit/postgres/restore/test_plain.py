"""Which psql may load a dump in plain SQL."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Refused
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.programs import Programs
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.plain import (
    require_safe_psql,
)


@pytest.mark.parametrize("version", ["14.24", "15.19", "15.20", "18.6", "19.0", "19beta1"])
def test_a_safe_one(version: str) -> None:
    require_safe_psql(Programs("/", version.replace("beta", ".")))


@pytest.mark.parametrize("version", ["14.23", "15.18", "17.10", "18.0"])
def test_one_that_runs_commands_of_the_dump(version: str) -> None:
    with pytest.raises(Refused, match="a dump in SQL may hold"):
        require_safe_psql(Programs("/", version))
