"""The zone of a process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.zones import (
    named_zone,
    process_zone,
)


@pytest.mark.parametrize("value", ["Asia/Tokyo", ":Asia/Tokyo"])
def test_the_zone_of_a_process_is_in_its_environment(value: str) -> None:
    with subprocess.Popen(["sleep", "60"], env={**os.environ, "TZ": value}) as process:
        while not Path(f"/proc/{process.pid}/environ").read_bytes():
            pass  # it has not been started completely
        zone = process_zone(process.pid)
        process.kill()
    assert zone == ZoneInfo("Asia/Tokyo")


def test_no_zone_and_no_process_mean_the_own_one() -> None:
    assert process_zone(os.getppid()) is None
    assert process_zone(0) is None
    assert named_zone("No/Such") is None
