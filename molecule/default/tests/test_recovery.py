# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL and Redis of Debian that do not work: the cause as systemd, log and disk tell it, and
a restart only if that is the cure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from testinfra.host import Host

POSTGRES, REDIS = "postgresql@15-main.service", "redis-server.service"
DATA, ETC = "/var/lib/postgresql/15/main", "/etc/postgresql/15/main"
INCLUDED, USERS = "/etc/redis/runbook.conf", "/etc/redis/users.acl"
SECRET = "Zq7tOpSeCrEt"

Recover = Callable[..., dict[str, Any]]


@pytest.fixture
def recover(module: Callable[..., Any], passwords: Mapping[str, str]) -> Recover:
    """``recover("redis", check=True)``"""
    urls = {
        "pg": "postgresql://monitor:{postgresql_monitor}@database.staging.test/gpt_agent"
        "?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt",
        "redis": "rediss://:{redis}@database.staging.test:6379/0",
    }

    def run(which: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        name = {"pg": "database_url", "redis": "redis_url"}[which]
        given = {name: urls[which].format(**passwords), "timeout": 5, **options}
        answer: dict[str, Any] = module("database", "root", f"{which}_recovery", given, check=check)
        assert SECRET not in json.dumps(answer)
        return answer

    return run


@pytest.fixture(autouse=True)
def running(database: Host) -> Iterator[None]:
    yield
    units = (POSTGRES, REDIS)
    database.run(f"systemctl reset-failed {' '.join(units)}")
    database.check_output(f"systemctl start {' '.join(units)}")


def found(answer: Mapping[str, Any]) -> tuple[str, str]:
    return answer["cure"], answer["checks"][0]["summary"]


@contextmanager
def arranged(database: Host, arrange: str, undo: str) -> Iterator[None]:
    database.check_output(arrange)
    try:
        yield
    finally:
        database.check_output(undo)


@pytest.mark.parametrize(("which", "unit"), [("pg", POSTGRES), ("redis", REDIS)])
def test_stopped_planned_restarted_and_left_alone(
    which: str, unit: str, recover: Recover, playbook: Callable[..., Any], database: Host
) -> None:
    database.check_output("systemctl stop %s", unit)
    plan = recover(which, check=True)
    assert found(plan)[0] == "restart"
    assert (plan["unit"], plan["actions"][0]["status"]) == (unit, "planned")
    assert not database.service(unit).is_running
    name = {"pg": "postgres_recovery", "redis": "redis_recovery"}[which]
    done = playbook(name, "-e", "runbook_confirm=database")
    assert [each["status"] for each in done.report["actions"]] == ["done"], done.output
    assert done.code == 0, done.output
    again = recover(which)
    assert (again["changed"], again["works"], again["actions"]) == (False, True, [])


@pytest.mark.parametrize(("which", "unit"), [("pg", POSTGRES), ("redis", REDIS)])
def test_a_mask_is_not_lifted(which: str, unit: str, recover: Recover, database: Host) -> None:
    with arranged(
        database,
        f"systemctl stop {unit}; systemctl mask -q --runtime {unit}",
        f"systemctl unmask -q --runtime {unit}",
    ):
        answer = recover(which)
    assert found(answer) == ("other", f"{unit} is masked; a restart does not cure that")


#: What is broken, how, how it is undone, and what is said.
BROKEN = [
    pytest.param(
        "pg",
        f"echo disabled >{ETC}/start.conf",
        f"echo auto >{ETC}/start.conf",
        "its start was forbidden, by start.conf",
        id="only the journal has the reason",
    ),
    pytest.param(
        "redis",
        f"cp -p {INCLUDED} {INCLUDED}.kept; echo 'aclfile {USERS}' >>{INCLUDED}; "
        f"echo 'user app on >x +foo>{SECRET}' >{USERS}",
        f"mv {INCLUDED}.kept {INCLUDED}; rm {USERS}",
        "its users (ACL) have an error",
        id="Redis' users",
    ),
]


@pytest.mark.parametrize(("which", "arrange", "undo", "text"), BROKEN)
def test_a_restart_is_the_cure_once_the_cause_is_corrected(
    which: str, arrange: str, undo: str, text: str, recover: Recover, database: Host
) -> None:
    unit = {"pg": POSTGRES, "redis": REDIS}[which]
    database.check_output("systemctl stop %s", unit)
    with arranged(database, arrange, undo):
        database.run("systemctl start %s", unit)
        # Debian's Redis is started again until systemd has had enough.
        wait = "until systemctl is-failed -q %s; do sleep 0.2; done"
        database.check_output(f"timeout 30 bash -c '{wait}'", unit)
        cure, summary = found(recover(which))
        assert cure == "other", summary
        assert text in summary
    done = recover(which)
    assert [each["status"] for each in done["actions"]] == ["done"], done
    assert "and its files were changed since" in done["actions"][0]["reason"]
    assert done["works"]


def test_a_read_only_file_system(recover: Recover, database: Host) -> None:
    database.check_output("systemctl stop %s", POSTGRES)
    with arranged(
        database, f"mount --bind {DATA} {DATA}; mount -o remount,bind,ro {DATA}", f"umount {DATA}"
    ):
        cure, summary = found(recover("pg"))
        assert (cure, f"the file system of {DATA} is read-only" in summary) == ("other", True)


def test_a_standby_that_replays_is_left_alone(recover: Recover, database: Host) -> None:
    etc, data = "/etc/postgresql/15/jobs", "/var/lib/postgresql/15/jobs"
    settings = (
        "port = 5555\\nhot_standby = off\\nrestore_command = false\\nlogging_collector = on\\n"
    )
    run = database.check_output
    run("pg_createcluster 15 jobs --port 5444")
    try:
        run(f"printf '{settings}' >{etc}/conf.d/own.conf; touch {data}/standby.signal")
        run("systemctl daemon-reload; systemctl start --no-block postgresql@15-jobs")
        run("timeout 30 bash -c 'until test -e /run/postgresql/.s.PGSQL.5555; do sleep 0.2; done'")
        url = {"database_url": "postgresql://postgres@127.0.0.1:5555/postgres"}
        answer = recover("pg", **url)
        assert (answer["cure"], answer["unit"]) == ("wait", "postgresql@15-jobs.service"), answer
        assert (answer["changed"], answer["actions"]) == (False, [])
    finally:
        run("pg_dropcluster --stop 15 jobs")
        database.run("systemctl reset-failed postgresql@15-jobs")
