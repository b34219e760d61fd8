"""An app under Docker Compose on a real engine, with a registry of its own and broken versions."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.services import fetch
from tests.conftest import ROOT, RunModule, start_module
from tests.support.nginx_server import nginx

#: Where `tests/tools/docker_programs.sh` unpacks what the machine lacks.
PROGRAMS = ROOT / ".cache" / "docker"
PLUGIN = PROGRAMS / "usr/libexec/docker/cli-plugins/docker-compose"
REGISTRY = PROGRAMS / "usr/bin/docker-registry"
BUSYBOX = PROGRAMS / "usr/bin/busybox"
PORT = 3000
PATH = "/cgi-bin/health"

_APP = """#!/bin/sh
. /release
trap 'kill $! 2>/dev/null; exit 0' TERM INT
case $MODE in
  deaf) sleep 1000 & ;;
  *) httpd -f -p 3000 -h /www & ;;
esac
echo "version $VERSION starts"
case $MODE in
  dies) sleep 3; echo 'Error: out of luck' >&2; exit 3 ;;
esac
wait
"""
_HEALTH = """#!/bin/sh
. /release
if [ "$MODE" = fails ]; then printf 'Status: 500 Broken\\r\\n\\r\\n'; exit; fi
printf 'Content-Type: application/json\\r\\n\\r\\n{"version": "%s"}' "$VERSION"
"""
_DOCKERFILE = """FROM scratch
COPY root/ /
COPY own/ /www/
ENV PATH=/bin
EXPOSE 3000
WORKDIR /www
CMD ["/bin/app"]
"""
_SECOND = """  app2:
    <<: *app
    ports: ["127.0.0.1:{port}:3000"]
"""
_CHECK = (
    "HEALTHCHECK --interval=1s --timeout=3s --retries=3 CMD wget -q -O /dev/null "
    f"http://127.0.0.1:{PORT}{PATH}\n"
)
_COMPOSE = """services:
  app: &app
    image: {image}
    environment:
      TOKEN: swordfish-and-chips
    ports: ["127.0.0.1:{port}:3000"]
    restart: unless-stopped
    stop_grace_period: 5s
    ulimits: &limits {{nofile: 4096, nproc: 4096}}
  migrate:
    image: {once}
    command: ["/bin/sh", "-c", "exit 0"]
    ulimits: *limits
"""


def missing() -> str:
    """Why these tests cannot run here; empty if they can."""
    for program in (PLUGIN, REGISTRY, BUSYBOX):
        if not program.exists():
            return f"{program.name} is missing: run tests/tools/docker_programs.sh"
    if not shutil.which("docker"):
        return "docker is not installed"
    done = subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=60)
    return "no Docker engine answers" if done.returncode else ""


def use_plugin(folder: Path) -> None:
    """Let this process' docker have Compose."""
    plugins = folder / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(PLUGIN)
    os.environ["DOCKER_CONFIG"] = str(folder)


#: A docker that kills the program that calls it when it is told to do something.
_KILLER = """#!/bin/sh
what=" $* "
case $what in
  *" $KILL_AT "*)
    [ "$KILL_WHEN" = before ] && kill -s KILL $PPID && exit 1
    if [ "$KILL_WHEN" = during ]; then
      setsid {docker} "$@" >/dev/null 2>&1 </dev/null &
      kill -s KILL $PPID
      exit 1
    fi
    {docker} "$@"
    kill -s KILL $PPID
    ;;
  *) exec {docker} "$@" ;;
esac
"""


def killer(folder: Path, at: str, when: str) -> dict[str, str]:
    """The environment of a program that is killed before, during or after a command of docker's."""
    folder.mkdir(exist_ok=True)
    program = folder / "docker"
    program.write_text(_KILLER.format(docker=shutil.which("docker")))
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {"PATH": path, "KILL_AT": at, "KILL_WHEN": when}


def docker(*arguments: str, folder: Path = ROOT, check: bool = True) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        cwd=folder,
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not check or done.returncode == 0, f"docker {arguments}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Registry:
    """Debian's registry on the loopback interface, where no TLS is needed."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        settings = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        (folder / "config.yml").write_text(json.dumps(settings))

    def start(self) -> None:
        self._process = subprocess.Popen(
            [REGISTRY, "serve", "config.yml"],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        while fetch(f"http://127.0.0.1:{self.port}/v2/")[0] != 200:
            assert time.monotonic() < end, "the registry does not answer"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()


class Images:
    """Versions of an app in a registry."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder = folder
        folder.mkdir()
        self.registry = registry
        self.repository = f"127.0.0.1:{registry.port}/app"
        (folder / "root" / "bin").mkdir(parents=True)
        (folder / "root" / "www" / "cgi-bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, folder / "root" / "bin" / "busybox")
        for name in ("sh", "httpd", "sleep", "wget", "kill", "cat"):
            (folder / "root" / "bin" / name).symlink_to("busybox")
        for path, text in (("bin/app", _APP), (f"www{PATH}", _HEALTH)):
            file = folder / "root" / path
            file.write_text(text)
            file.chmod(0o755)

    def make(
        self,
        version: str,
        mode: str = "works",
        *,
        checked: bool = True,
        tag: str = "",
        files: Mapping[str, str] | None = None,
    ) -> str:
        """Build a version and push it with a tag; it stays in the registry only."""
        release = self._folder / "root" / "release"
        release.write_text(f"VERSION={version.removeprefix('v')}\nMODE={mode}\n")
        own = self._folder / "own"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        for name, text in (files or {}).items():
            (own / name).parent.mkdir(exist_ok=True)
            (own / name).write_text(text)
        (self._folder / "Dockerfile").write_text(_DOCKERFILE + (_CHECK if checked else ""))
        name = f"{self.repository}:{tag or version}"
        docker("build", "--quiet", "--tag", name, ".", folder=self._folder)
        docker("push", "--quiet", name)
        docker("image", "rm", "--force", name)
        return version

    def remove(self) -> None:
        """All of them, with the tags that keep them."""
        names = docker("images", "--quiet", "--no-trunc", self.repository).split()
        docker("image", "rm", "--force", *dict.fromkeys(names), check=False)


@dataclass
class Requests:
    """A constant stream of requests."""

    sent: int = 0
    failures: list[str] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)


class ComposeApp:
    """A project with one app and a service beside it that runs once."""

    def __init__(self, folder: Path, images: Images, run_module: RunModule) -> None:
        self.name = f"runbook-test-{uuid.uuid4().hex[:8]}"
        self.folder = folder / self.name
        self.folder.mkdir()
        self.images = images
        self._run_module = run_module
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self.records = self.folder / ".runbook"
        self.options: dict[str, Any] = {
            "name": "app",
            "backend": "docker",
            "compose_project_dir": str(self.folder),
            "health_urls": [self.url],
            "version_url": self.url,
            "free_disk": 0.001,
            "trial_for": 0.5,
            "start_within": 5.0,
            "bake": 0.5,
        }

    def write(self, image: str = "${APP_IMAGE}", **env: str) -> None:
        """The compose file and its variables, as an operator has them."""
        once = f"{self.images.repository}:v1.0.0"
        text = _COMPOSE.format(image=image, port=self.port, once=once)
        (self.folder / "compose.yaml").write_text(text)
        lines = [f"{name}={value}" for name, value in env.items()]
        (self.folder / ".env").write_text("# by hand\n" + "".join(f"{line}\n" for line in lines))

    def two_instances(self) -> None:
        """A second service with the same image, which runs."""
        self.second_port = free_port()
        with (self.folder / "compose.yaml").open("a") as stream:
            stream.write(_SECOND.format(port=self.second_port))
        self.up()

    @contextlib.contextmanager
    def behind_nginx(self) -> Iterator[str]:
        """A URL that nginx hands to either instance."""
        servers = "".join(
            f"server 127.0.0.1:{port} max_fails=1 fail_timeout=1s; "
            for port in (self.port, self.second_port)
        )
        hand_over = (
            "location / { proxy_pass http://app; proxy_connect_timeout 1s; "
            "proxy_next_upstream error timeout invalid_header non_idempotent; }"
        )
        folder = self.folder / "nginx"
        folder.mkdir()
        with nginx(folder, hand_over, http=f"upstream app {{ {servers} }}") as port:
            yield f"http://127.0.0.1:{port}{PATH}"

    def state(self) -> dict[str, str]:
        """What must stay as it is where nothing is to be changed."""
        names = ("compose.yaml", ".env", "compose.runbook.yaml")
        files = {name: self.folder / name for name in names}
        found = {name: file.read_text() for name, file in files.items() if file.exists()}
        return {**found, "containers": " ".join(sorted(self.containers()))}

    def up(self, *services: str) -> None:
        """By hand."""
        docker("compose", "up", "--detach", *services, folder=self.folder)

    def run(self, state: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        answer = self._run_module("app_release", self.given(state, options), check=check)
        assert "swordfish" not in json.dumps(answer)
        return answer

    def gate(self, **options: Any) -> dict[str, Any]:
        """Record answers of people."""
        names = ("name", "backend", "compose_project_dir", "health_urls")
        given = {name: self.options[name] for name in names}
        return self._run_module("deployment_gate", {**given, "owner": "eve", **options})

    def deploy(self, version: str, **options: Any) -> dict[str, Any]:
        return self.run("deployed", version=version, **options)

    def roll_back(self, **options: Any) -> dict[str, Any]:
        return self.run("rolled_back", **options)

    def start(
        self, state: str, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """The same in a process that can be killed."""
        return start_module("app_release", self.given(state, options), env)

    def given(self, state: str, options: dict[str, Any]) -> dict[str, Any]:
        return {**self.options, "state": state, **options}

    def serving(self) -> str:
        """The version that answers; raises once it is clear that none does."""
        end = time.monotonic() + 10
        while True:
            status, body = fetch(self.url)
            if status == 200:
                return str(json.loads(body)["version"])
            assert time.monotonic() < end, (status, body, self.logs())
            time.sleep(0.1)

    def statuses(self) -> dict[str, str]:
        return {one["version"]: one["status"] for one in self.run("listed")["releases"]}

    def logs(self) -> str:
        """What the containers said, for a test that fails."""
        return docker("compose", "logs", "--tail", "20", folder=self.folder, check=False)

    def containers(self) -> list[str]:
        """The ids of all containers of the project, also those of trials."""
        return docker(
            "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}"
        ).split()

    @contextlib.contextmanager
    def requests(self, url: str = "") -> Iterator[Requests]:
        """Send requests one after the other until the block ends."""
        found, finished = Requests(), threading.Event()

        def send() -> None:
            while not finished.wait(0.02):
                status, body = fetch(url or self.url)
                found.sent += 1
                if status == 200:
                    found.versions.add(json.loads(body)["version"])
                else:
                    found.failures.append(f"{status} {body!r}")

        client = threading.Thread(target=send)
        client.start()
        try:
            yield found
        finally:
            finished.set()
            client.join()

    def remove(self) -> None:
        """Everything of it."""
        for one in self.containers():
            docker("rm", "--force", "--volumes", one, check=False)
        docker("network", "rm", f"{self.name}_default", check=False)
