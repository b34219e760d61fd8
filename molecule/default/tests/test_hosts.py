# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts are what an operator's are: systemd, distribution packages, TLS between them, and no
password for the curious.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from testinfra.host import Host

UNITS = {
    "app": ["certbot.timer", "cron", "gpt-agent", "logrotate.timer", "nginx", "pebble", "ssh"],
    "database": ["cron", "logrotate.timer", "postgresql@15-main", "redis-server", "ssh"],
}


@pytest.fixture(params=["app", "database"])
def host(request: pytest.FixtureRequest) -> Host:
    found: Host = request.getfixturevalue(request.param)
    return found


def get(app: Host, path: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(
        app.check_output(
            "curl --silent --show-error --max-time 10 https://app.staging.test%s", path
        )
    )
    return answer


def test_systemd_has_started_everything(host: Host) -> None:
    assert host.process.get(pid=1).comm == "systemd"
    assert host.check_output("systemctl is-system-running") == "running"
    for unit in UNITS[host.check_output("hostname")]:
        assert host.run("systemctl is-active %s", unit).stdout.strip() == "active", unit


def test_one_logs_in_as_an_ordinary_user_with_a_key(host: Host) -> None:
    with host.sudo("ops"):
        assert host.check_output("id --user") != "0"
    settings = host.check_output("sshd -T").splitlines()
    assert "passwordauthentication no" in settings
    assert "permitrootlogin yes" not in settings


def test_the_app_runs_under_pm2_as_its_own_user(app: Host) -> None:
    processes = json.loads(
        app.check_output("runuser -u deploy -- env PM2_HOME=/home/deploy/.pm2 pm2 jlist --silent")
    )
    assert [process["pm2_env"]["status"] for process in processes] == ["online", "online"]
    for process in processes:
        assert app.check_output("ps -o user= -p %s", str(process["pid"])) == "deploy"
        assert "gpt-agent.service" in app.file(f"/proc/{process['pid']}/cgroup").content_string


def test_the_app_has_its_database_and_cache_over_tls(app: Host) -> None:
    assert get(app, "/api/health/db")["status"] == "ok"
    assert get(app, "/api/health/redis")["status"] == "ok"
    assert (
        app.check_output("curl --silent https://app.staging.test/api/agents").count('"model"') == 25
    )


def test_postgresql_wants_tls_and_a_password(
    database: Host, addresses: Mapping[str, str], passwords: Mapping[str, str], ca_file: Path
) -> None:
    def connect(password: str, mode: str) -> psycopg2.extensions.connection:
        where = {
            "host": "database.staging.test",
            "hostaddr": addresses["database"],
            "dbname": "gpt_agent",
            "user": "monitor",
        }
        return psycopg2.connect(
            **where, password=password, sslmode=mode, sslrootcert=str(ca_file), connect_timeout=5
        )

    with (
        connect(passwords["postgresql_monitor"], "verify-full") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchone() == (True,)
    connection.close()
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        connect(passwords["postgresql_monitor"], "disable")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect("wrong", "verify-full")
    assert (
        database.check_output(
            "runuser -u postgres -- psql -At gpt_agent -c 'SELECT count(*) > 0 FROM "
            "pg_stat_statements'"
        )
        == "t"
    )


def test_redis_wants_tls_and_a_password(database: Host) -> None:
    cli = "redis-cli -h database.staging.test --cacert /etc/ssl/certs/ca-certificates.crt"
    assert "NOAUTH" in database.run(f"{cli} --tls PING").stdout
    assert "PONG" not in database.run("timeout 5 redis-cli -h database.staging.test PING").stdout


def test_no_password_where_others_can_see_it(
    app: Host, database: Host, passwords: Mapping[str, str]
) -> None:
    seen = {
        "app's processes": app.check_output("ps -eww -o args"),
        "app's journal": app.check_output("journalctl --no-pager --output cat"),
        "app under PM2": app.check_output(
            "runuser -u deploy -- env PM2_HOME=/home/deploy/.pm2 pm2 jlist --silent"
        ),
        "database's processes": database.check_output("ps -eww -o args"),
        "database's journal": database.check_output("journalctl --no-pager --output cat"),
        "PostgreSQL's log": database.check_output("cat /var/log/postgresql/*.log"),
        "pg_stat_statements": database.check_output(
            "runuser -u postgres -- psql -At -c 'SELECT query FROM pg_stat_statements'"
        ),
        "Redis' log": database.check_output("cat /var/log/redis/*.log"),
    }
    for where, text in seen.items():
        for name, password in passwords.items():
            assert password not in text, f"{name} in {where}"


def test_certbot_renews_and_nginx_serves_it(app: Host, certificate: Any) -> None:
    before = certificate.served()
    app.check_output("certbot renew --quiet --force-renewal --no-random-sleep-on-renew")
    on_disk = certificate.on_disk()
    assert on_disk != before
    end = time.monotonic() + 10
    while certificate.served() != on_disk:
        assert time.monotonic() < end, "nginx still serves the old certificate"
        time.sleep(0.2)


def test_the_app_logs_on_after_a_rotation(app: Host) -> None:
    app.check_output("logrotate --force /etc/logrotate.d/gpt-agent")
    app.check_output("systemctl reload gpt-agent")
    assert app.file("/var/log/gpt-agent/out.log").size > 0
    assert app.file("/var/log/gpt-agent/out.log.1").size > 0
    assert get(app, "/api/health")["status"] == "ok"


def test_the_app_comes_back_with_the_service(app: Host) -> None:
    app.check_output("systemctl restart gpt-agent")
    assert get(app, "/api/health/db")["status"] == "ok"
