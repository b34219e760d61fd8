# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of all scenarios share: the two hosts, and the shipped playbooks run on them as
operators do.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
INVENTORY = ROOT / "molecule" / "shared" / "inventory"
#: Asks the app through nginx, one request after the other, until the file is removed.
PROBE = (
    "rm -f /run/probe.failed; touch /run/probe; while [ -e /run/probe ]; do curl --silent --fail "
    "--max-time 5 --output /dev/null https://app.staging.test/api/health || "
    "echo $? >>/run/probe.failed; done"
)


@dataclass(frozen=True)
class Run:
    """What one run of a playbook left behind."""

    code: int
    output: str
    report: dict[str, Any]

    @property
    def bad(self) -> set[tuple[str, str, str]]:
        """Host, name and subject of every check that is neither ok nor unknown."""
        return {
            (check["host"], check["name"], check["subject"])
            for check in self.report["checks"]
            if check["status"] in ("warning", "critical")
        }


@dataclass(frozen=True)
class Certificate:
    """The app's certificate, by its serial number."""

    host: Host
    name: str = "app.staging.test"

    def served(self) -> str:
        return self.host.check_output(
            f"openssl s_client -connect {self.name}:443 -servername {self.name} "
            "-verify_return_error </dev/null 2>/dev/null | openssl x509 -noout -serial"
        )

    def on_disk(self) -> str:
        file = f"/etc/letsencrypt/live/{self.name}/fullchain.pem"
        return self.host.check_output(f"openssl x509 -noout -serial -in {file}")


Playbook = Callable[..., Run]
PutFile = Callable[[str, str, bytes], None]
Network = Callable[[str, str], None]
Start = Callable[..., "subprocess.Popen[bytes]"]
Module = Callable[..., dict[str, Any]]
Reboot = Callable[[str], None]


def _host(name: str) -> Host:
    return testinfra.get_host(
        f"ssh://{name}", ssh_config=str(DIRECTORY / "ssh" / "config"), sudo=True
    )


@pytest.fixture(scope="session")
def app() -> Host:
    return _host("app")


@pytest.fixture(scope="session")
def database() -> Host:
    return _host("database")


@pytest.fixture(scope="session")
def certificate(app: Host) -> Certificate:
    return Certificate(app)


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    """The passwords that were made up for this run, by what they are for."""
    return {file.name: file.read_text().split()[0] for file in (DIRECTORY / "passwords").iterdir()}


def _command(directory: Path, name: str, *arguments: str) -> dict[str, Any]:
    """A shipped playbook with the project's own settings, as `subprocess` takes it."""
    command = [
        "ansible-playbook",
        f"playbooks/{name}.yml",
        f"--inventory={INVENTORY}",
        "-e",
        f"runbook_report_dir={directory}",
        *arguments,
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "160"}
    return {"args": command, "cwd": ROOT, "env": environment}


def _play(directory: Path, name: str, *arguments: str) -> Run:
    """Run it to its end, and read its report."""
    given = _command(directory, name, *arguments)
    done = subprocess.run(**given, capture_output=True, text=True, timeout=300, check=False)
    latest = directory / name / "latest.json"
    assert latest.exists(), f"no report:\n{done.stdout}\n{done.stderr}"
    report = json.loads(latest.read_text())
    latest.unlink()
    return Run(done.returncode, done.stdout + done.stderr, report)


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    """``playbook("daily_checklist", "--limit", "app")``"""
    return partial(_play, tmp_path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a playbook in a process group of its own: ``start(log, "daily_checklist")``."""
    with ExitStack() as stack:

        def begin(log: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
            output = stack.enter_context(log.open("wb"))
            given = _command(tmp_path / "begun", name, *arguments)
            return subprocess.Popen(
                **given, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

        yield begin


@pytest.fixture
def module(tmp_path: Path) -> Module:
    """Run one module on a host as a user: ``module("app", "deploy", "pm2_process", {…})``."""

    def run(
        host: str, user: str, name: str, options: dict[str, Any], *, check: bool = False
    ) -> dict[str, Any]:
        command = ["ansible", host, f"--inventory={INVENTORY}", f"--tree={tmp_path}", "--become"]
        command += [f"--become-user={user}", "-e", "ansible_pipelining=true"]
        command += ["-m", f"gpt_agent.runbook.{name}", "-a", json.dumps(options)]
        command += ["--check"] if check else []
        subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
        answer: dict[str, Any] = json.loads((tmp_path / host).read_text())
        return answer

    return run


@pytest.fixture(scope="session")
def addresses() -> dict[str, str]:
    """The hosts' addresses, by host."""
    lines = [line.split() for line in (DIRECTORY / "ssh" / "config").read_text().splitlines()]
    return dict(
        zip(
            [line[1] for line in lines if line[0] == "HostKeyAlias"],
            [line[1] for line in lines if line[0] == "HostName"],
        )
    )


@pytest.fixture(scope="session")
def ca_file() -> Path:
    """The authority of the hosts' own connections; its key lies beside it."""
    return DIRECTORY / "certificates" / "ca.pem"


@pytest.fixture(scope="session")
def put_file() -> PutFile:
    """Write a file on a host, ``put_file("app", path, content)``, its content being seen in no
    argument.
    """

    def put(host: str, path: str, content: bytes) -> None:
        command = ["ssh", "-F", str(DIRECTORY / "ssh" / "config"), host, "sudo", "tee", path]
        subprocess.run(command, input=content, stdout=subprocess.DEVNULL, timeout=30, check=True)

    return put


def _network_name() -> str:
    digest = hashlib.sha1(str(DIRECTORY).encode()).hexdigest()  # as in the inventory
    return f"gpt-agent-runbook-{digest[:8]}"


@pytest.fixture(scope="session")
def reboot() -> Reboot:
    """Shut a host down, start it again, and wait until it has booted: ``reboot("app")``."""

    def restart(host: str) -> None:
        command = ["docker", "restart", "-t", "60", f"{_network_name()}-{host}"]
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        ssh = ["ssh", "-F", str(DIRECTORY / "ssh" / "config")]
        # The connection to the host as it was.
        subprocess.run([*ssh, "-O", "exit", host], capture_output=True, check=False)
        booted = ["sudo", "systemctl", "is-system-running", "--wait"]
        end = time.monotonic() + 60
        while subprocess.run([*ssh, host, *booted], capture_output=True, check=False).returncode:
            assert time.monotonic() < end, f"{host} does not come back"
            time.sleep(0.5)

    return restart


@pytest.fixture(scope="session")
def network(addresses: dict[str, str]) -> Network:
    """Take a host off the network, ``network("disconnect", "database")``, or put it back:
    ``network("connect", "database")``.
    """
    name = _network_name()

    def change(what: str, host: str) -> None:
        address = (
            ["--ip", addresses[host], "--alias", f"{host}.staging.test"]
            if what == "connect"
            else []
        )
        subprocess.run(
            ["docker", "network", what, *address, name, f"{name}-{host}"],
            capture_output=True,
            timeout=60,
            check=True,
        )

    return change


@pytest.fixture
def probe(app: Host) -> Iterator[Callable[[], str]]:
    """Asks the app without a pause; the function ends that, and returns what failed."""
    app.check_output("systemd-run --quiet --unit=probe --collect sh -c %s", PROBE)

    def end() -> str:
        app.check_output("rm -f /run/probe")
        return app.run("cat /run/probe.failed").stdout

    yield end
    app.run("rm -f /run/probe /run/probe.failed; systemctl stop probe")


@pytest.fixture
def archive(app: Host) -> Iterator[str]:
    """The folder of the logs that were rotated."""
    folder = "/var/backups/logs"
    app.check_output("mkdir -p %s", folder)
    yield folder
    app.check_output("rm -rf %s", folder)


@pytest.fixture
def config() -> str:
    """What the rotation of logs installs."""
    return "/etc/logrotate.d/gpt-agent-runbook"


@pytest.fixture
def alone(app: Host, archive: str, config: str) -> Iterator[None]:
    """Nothing else rotates these logs."""
    aside = "/var/tmp/aside"
    app.check_output(f"mkdir {aside} && mv /etc/logrotate.d/gpt-agent {aside}")
    app.check_output(f"mv /etc/logrotate.d/nginx {aside}")
    yield
    app.check_output(f"rm -f {config} && mv {aside}/* /etc/logrotate.d && rmdir {aside}")
