"""What systemd says about units."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.units import parse_units

SHOWN = """Id=redis-server.service
LoadState=loaded
ActiveState=failed
SubState=failed
Result=exit-code
MainPID=0
NRestarts=5
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
    assert parse_units("") == []
