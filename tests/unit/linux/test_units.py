"""What systemd says about units."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux import units
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import (
    Unit,
    corrected,
    parse_units,
    unit_of,
)

SHOWN = """Id=redis-server.service
LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
MainPID=0
NRestarts=5
InvocationID=4f5e
InactiveExitTimestampMonotonic=200
ActiveEnterTimestampMonotonic=100
ExecStart={ path=/usr/bin/redis-server ; argv[]=/usr/bin/redis-server /etc/redis/redis.conf ; }

Id=redis.service
LoadState=not-found
ActiveState=inactive
SubState=dead
"""


def test_units_and_how_they_are_described() -> None:
    failed, missing = parse_units(SHOWN)
    assert failed.described == "failed, last result exit-code, started again 5 times by systemd"
    assert (failed.exists, missing.exists) == (True, False)
    assert "/etc/redis/redis.conf" in failed.command
    assert (failed.invocation, failed.never_ready, failed.ended) == ("4f5e", True, True)
    ready = parse_units(SHOWN.replace("Monotonic=100", "Monotonic=200"))[0]
    assert not ready.never_ready
    assert parse_units("") == []


@pytest.mark.parametrize(
    ("cgroup", "name"),
    [
        (r"0::/system.slice/system-redis\x2dserver.slice/redis-server@jobs.service", "jobs"),
        ("12:pids:/\n1:name=systemd:/system.slice/redis-server@jobs.service\n", "jobs"),
        ("0::/system.slice/docker.service/redis", ""),
        ("0::/system.slice/docker-4f5e.scope", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/redis.service", ""),
        ("0::/", ""),
    ],
)
def test_the_unit_of_a_process(cgroup: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_units(names: list[str]) -> list[Unit]:
        return [Unit(each, pid=7) for each in names]

    monkeypatch.setattr(units, "read_text", lambda path: cgroup)
    monkeypatch.setattr(units, "read_units", read_units)
    found = unit_of(7)
    assert (found.name if found else "") == (f"redis-server@{name}.service" if name else "")
    assert unit_of(8) is None, "another main process"


def test_files_that_were_changed_since_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.touch()
    changed = file.stat().st_ctime
    for ended, since in ((changed - 1, True), (changed + 1, False)):
        assert corrected(Unit("x.service", ended_at=ended), "", [str(file)]) is since
    assert not corrected(Unit("x.service", ended_at=changed - 1), "", [str(tmp_path / "gone")])
    os.utime(file, (changed - 9, changed - 9))
    assert corrected(None, str(file), [str(tmp_path)]), "by the end of its log"
    assert not corrected(None, str(tmp_path / "no log"), [str(file)])
