# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The weekly maintenance of both hosts in one run, while people use the app; and runs that are
killed.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[3]
STATE = "/var/lib/gpt-agent-runbook"
UPDATES = "/home/deploy/.local/state/gpt-agent-runbook/npm_update"
NAME = "app.staging.test"
#: Everything that does not depend on the age of something is due.
NOW = {
    "logs_force": True,
    "certificates_renew_force": True,
    "certificates_renew_names": [NAME],
    "postgres_maintenance_cost_delay": 0,
}
KILLS = 2
#: The latest moment of a kill, as a share of the time that the health checks before take: those
#: afterwards take as long, so that the run has not ended by then.
LONGEST = 1.0
#: How the names of the actions of a part begin.
ACTIONS = {
    "dependencies": "npm.",
    "database": "postgres.",
    "logs": "logs.",
    "certificates": "certificate.",
}
#: A registry on loopback, and an app of which a package has a newer version there.
SHOP = """
import json, sys, time
sys.path.insert(0, "/srv/shop")
from npm_registry import registry
own = {"name": "shop", "version": "1.0.0", "dependencies": {"parser": "^1.0.0"}}
with registry() as served:
    served.packages["parser"] = {"1.0.0": {}, "1.1.0": {}}
    dist = served.packument("parser")["versions"]["1.0.0"]["dist"]
    entry = {"version": "1.0.0", "resolved": dist["tarball"], "integrity": dist["integrity"]}
    packages = {"": own, "node_modules/parser": entry}
    lock = {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": packages}
    for name, content in (("package", own), ("package-lock", lock)):
        with open(f"/srv/shop/{name}.json", "w") as stream:
            json.dump(content, stream)
    with open("/srv/shop/url", "w") as stream:
        stream.write(served.url)
    time.sleep(3600)
"""
#: What runs of any part that were killed could leave behind: each command prints what is.
LEFT = {
    "app": (
        "find {archive} -name '*.sha256' -execdir sha256sum --check --quiet {{}} + 2>&1",
        "cd {archive} && find . -type f ! -name '*.sha256' | while read -r file; do"
        ' test -e "$file.sha256" || echo "$file"; done',
        "find /etc/letsencrypt /etc/logrotate.d /var/log {archive} {state} {updates}"
        " -name '.partial-*' -o -name '*.pem.new' -o -name work",
        "logrotate --debug /etc/logrotate.conf 2>&1 | grep ^error",
        "find /var/log/gpt-agent ! -user deploy",
        "nginx -t -q 2>&1",
        # Links to files of several versions.
        "readlink /etc/letsencrypt/live/{name}/*.pem | tr -dc '0-9\\n' | sort -u | tail -n +2",
    ),
    "database": (
        "sudo -u postgres psql -qAtd gpt_agent -c 'SELECT indexrelid::regclass FROM pg_index"
        " WHERE NOT indisvalid'",
        'sudo -u postgres psql -qAtd gpt_agent -c "SELECT pid, query FROM pg_stat_activity'
        " WHERE application_name ~ 'gpt_agent.runbook'\"",
        "find {state} -name '.partial-*'",
    ),
}
#: Prints the locks that are held.
HELD = (
    "for path in {state}/*.lock /etc/letsencrypt/.gpt-agent-runbook.lock /etc/logrotate.d"
    " {updates}/*/.lock; do"
    ' test ! -e "$path" || flock --nonblock "$path" true || echo "$path"; done'
)


@pytest.fixture
def bloated(database: Host) -> Iterator[None]:
    """The app's database has an index that is half empty."""
    psql = "sudo -u postgres psql -qd gpt_agent -c %s"
    update = "SET ROLE gpt_agent; UPDATE messages SET word = md5(word)"
    statements = (
        "SET ROLE gpt_agent; CREATE TABLE messages (id int PRIMARY KEY, word text)",
        "INSERT INTO messages SELECT g, md5(g::text) FROM generate_series(1, 200000) g",
        "SET ROLE gpt_agent; CREATE INDEX messages_word ON messages (word)",
        update,
        "VACUUM messages",
        update,
        "VACUUM ANALYZE messages",
    )
    try:
        for statement in statements:
            database.check_output(psql, statement)
        yield
    finally:
        database.check_output(psql, "DROP TABLE messages")


@pytest.fixture
def outdated(app: Host, put_file: Callable[[str, str, bytes], None]) -> Iterator[dict[str, Any]]:
    """An app that has a package to update; yields the variables for that."""
    app.check_output("mkdir /srv/shop")
    registry = ROOT / "tests/support/npm_registry.py"
    put_file("app", "/srv/shop/npm_registry.py", registry.read_bytes())
    put_file("app", "/srv/shop/serve.py", SHOP.encode())
    app.check_output("systemd-run --quiet --unit=shop --collect python3 /srv/shop/serve.py")
    wait = "for i in $(seq 200); do test -s {0} && break; sleep 0.1; done; cat {0}"
    yield {
        "maintenance_update": True,
        "app_update_path": "/srv/shop",
        "app_update_registry": app.check_output(wait.format("/srv/shop/url")),
        "app_update_commands": ["npm ci --no-audit --no-fund"],
        "app_update_free_disk": 0.1,
    }
    app.check_output(f"systemctl stop shop; rm -r /srv/shop {UPDATES}")


def given(**more: Any) -> tuple[str, str]:
    return "-e", json.dumps({"postgres_maintenance_bloat_bytes": 1_000_000, **more})


def done(run: Any) -> Counter[tuple[str, str]]:
    return Counter(
        (each["host"], each["name"]) for each in run.report["actions"] if each["status"] == "done"
    )


def test_everything_is_due_and_no_request_fails(
    playbook: Callable[..., Any], bloated: None, alone: None, probe: Callable[[], str]
) -> None:
    first = playbook("weekly_maintenance", *given(**NOW))
    assert (first.code, first.bad) == (0, set()), first.output
    found = done(first)
    assert found["database", "postgres.reindex"] == 1, first.output
    assert found["app", "logs.rotate"] >= 1, "nginx's; that of the app has less than a block"
    assert found["app", "certificate.renew"] == 1
    again = playbook("weekly_maintenance", *given())
    assert (again.code, done(again)) == (0, Counter()), again.output
    assert probe() == ""


# --- killed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Staging:
    """What the tests of killed runs look at."""

    hosts: dict[str, Host]
    archive: str

    def left(self) -> list[str]:
        """What is half-done, and the locks that are held."""
        where = {"archive": self.archive, "state": STATE, "updates": UPDATES, "name": NAME}
        return [
            f"{name}: {command}: {found}"
            for name, host in self.hosts.items()
            for command in (*LEFT[name], HELD)
            if (found := host.run(command.format(**where)).stdout)
        ]

    def killed(self) -> dict[str, dict[str, Any]]:
        """The record of the run by host, where it has not ended."""
        found = {}
        for name, host in self.hosts.items():
            run = json.loads(host.check_output(f"cat {STATE}/maintenance-*.json"))["run"]
            if run["ended"] is None:
                found[name] = run
        return found


@pytest.fixture
def staging(app: Host, database: Host, archive: str) -> Staging:
    return Staging({"app": app, "database": database}, archive)


def kill(run: subprocess.Popen[bytes], everything: bool) -> None:
    """The process group; or also the workers, which have left it, as if the machine were gone."""
    os.killpg(run.pid, signal.SIGSTOP)
    processes = [run.pid]
    if everything:
        rows = subprocess.check_output(["ps", "-e", "-o", "pid=,ppid="], text=True).splitlines()
        pairs = [tuple(map(int, row.split())) for row in rows]
        for process in processes:  # grows meanwhile
            processes += [pid for pid, parent in pairs if parent == process]
    for process in processes[1:]:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def until_claimed(run: subprocess.Popen[bytes], log: Path) -> float:
    """Seconds until a run begins with the hosts, after the health checks."""
    began = time.monotonic()
    while b"Claim the host" not in log.read_bytes():
        assert run.poll() is None, log.read_text()
        assert time.monotonic() < began + 120, log.read_text()
        time.sleep(0.05)
    return time.monotonic() - began


def killed_at_random(begin: Callable[[], subprocess.Popen[bytes]], log: Path) -> str:
    """Run it some times, and kill it at random moments; returns when."""
    seed = time.time_ns()
    chance, moments = random.Random(seed), [f"seed {seed}"]
    for _number in range(KILLS):
        run = begin()
        # What a busy machine needs for the checks says how long the parts may take.
        moment = chance.uniform(0, LONGEST) * until_claimed(run, log)
        everything = chance.random() < 0.5
        try:
            run.wait(moment)
            moments.append(f"ended within {moment:.1f} s")
        except subprocess.TimeoutExpired:
            kill(run, everything)
            what = "all its processes" if everything else "its process group"
            task = re.findall(r"TASK \[(.*)\]", log.read_text())[-1]
            moments.append(f"{what} after {moment:.1f} s, in '{task}'")
    print("\n".join(moments))
    return "; ".join(moments)


def test_killed_at_random_moments_it_goes_on_where_it_stopped(
    playbook: Callable[..., Any],
    start: Callable[..., Any],
    tmp_path: Path,
    staging: Staging,
    certificate: Any,
    outdated: dict[str, Any],
    bloated: None,
    alone: None,
    probe: Callable[[], str],
) -> None:
    due, log = given(**NOW, **outdated), tmp_path / "killed.log"
    when = killed_at_random(lambda: start(log, "weekly_maintenance", *due), log)
    killed = staging.killed()
    last = playbook("weekly_maintenance", *due)
    assert last.code == 0, f"{when}\n{last.output}"
    assert last.bad == {(host, "maintenance.run", "") for host in killed}, last.output
    for host, run in killed.items():
        finished = [part for part, each in run["results"].items() if each["status"] == "done"]
        goes_on(last, host, finished)
    assert certificate.served() == certificate.on_disk()
    assert staging.left() == []
    assert probe() == ""


def goes_on(run: Any, host: str, finished: list[str]) -> None:
    """With one that was killed, and without its finished parts."""
    checks = {
        (each["name"], each["subject"]): each["summary"]
        for each in run.report["checks"]
        if each["host"] == host
    }
    said = checks["maintenance.run", ""]
    assert "was killed" in said
    assert "this run goes on with it" in said
    for part in finished:
        assert part in said.partition("does not repeat: ")[2]
        assert "by the run that was killed" in checks["maintenance.part", part]
        prefix = ACTIONS[part]
        assert not [name for on, name in done(run) if on == host and name.startswith(prefix)]
