"""The daily checklist as operators start it: the shipped playbook on a real stack, with every fault really there."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from demo.certificates import Authority
from demo.stack import Stack
from tests.conftest import ROOT

AREAS = {"host", "app", "web", "postgres", "redis", "certificate"}


@dataclass
class Run:
    """What one run of the checklist left behind."""

    code: int
    output: str
    report: dict[str, Any]

    def check(self, name: str, subject: str = "") -> dict[str, Any]:
        """The worst check of that name whose subject matches the pattern."""
        found = [
            check
            for check in self.report["checks"]
            if check["name"] == name and re.search(subject, check["subject"])
        ]
        assert found, (
            f"no check {name} {subject} in {[(c['name'], c['subject']) for c in self.report['checks']]}"
        )
        return max(
            found, key=lambda check: ("ok", "unknown", "warning", "critical").index(check["status"])
        )

    @property
    def bad(self) -> list[str]:
        return [
            f"{c['name']} {c['subject']}: {c['summary']}"
            for c in self.report["checks"]
            if c["status"] in ("warning", "critical")
        ]


Checklist = Callable[..., Run]

#: The machine that runs the tests may be short of anything; the faults tested here are put in.
NOT_JUDGED = (
    "host.cpu",
    "host.memory",
    "host.disk_used",
    "host.inodes_used",
    "host.load",
    "host.swap",
    "host.oom_kills",
    "host.failed_units",
)
THRESHOLDS = {
    **{name: {"warning": None, "critical": None} for name in NOT_JUDGED},
    **{
        name: {"warning": 1.2, "critical": 1.4}
        for name in ("web.response_time_p95", "web.page_load_time")
    },
}


def run_checklist(
    stack: Stack,
    folder: Path,
    *arguments: str,
    inventory: Path | None = None,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    playbook: str = "playbooks/daily_checklist.yml",
) -> Run:
    """Run the shipped playbook on the tests' stack; its reports go below the folder."""
    reports = folder / f"reports-{time.monotonic_ns()}"
    environment = {
        **os.environ,
        "RUNBOOK_DEMO_DIR": str(stack.directory),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "160",
        **(env or {}),
    }
    variables = {"runbook_thresholds": THRESHOLDS, "runbook_report_dir": str(reports)}
    command = [str(Path(sys.executable).parent / "ansible-playbook")]
    command += ["-i", str(inventory or ROOT / "inventories" / "demo"), playbook]
    command += ["-e", json.dumps(variables), *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    latest = reports / "daily_checklist" / "latest.json"
    assert latest.exists(), f"no report:\n{done.stdout}\n{done.stderr}"
    return Run(done.returncode, done.stdout + done.stderr, json.loads(latest.read_text()))


@pytest.fixture
def checklist(stack: Stack, tmp_path: Path) -> Checklist:
    """``checklist("-e", "...", inventory=..., cwd=...)``."""
    return functools.partial(run_checklist, stack, tmp_path)


def quiet(stack: Stack) -> None:
    """A healthy stack with an empty error log: no errors of an earlier fault."""
    stack.up()
    Path(stack.settings["app"]["error_log"]).write_text("")


@pytest.fixture
def healthy(stack: Stack) -> Stack:
    quiet(stack)
    return stack


@pytest.mark.versions
def test_a_healthy_stack_gives_a_full_and_green_checklist(
    healthy: Stack, checklist: Checklist
) -> None:
    run = checklist()
    assert (run.code, run.bad) == (0, []), run.output
    assert len(run.report["checks"]) >= 30
    assert {check["name"].split(".")[0] for check in run.report["checks"]} >= AREAS
    assert "[WARNING]" not in run.output, run.output
    assert "changed=0" in run.output
    for check in run.report["checks"]:
        assert check["remedy"] or check["status"] == "ok", f"{check['name']} has no remedy"


# --- faults -----------------------------------------------------------------------------------------------------------


@dataclass
class Fault:
    name: str
    inject: Callable[[Stack], AbstractContextManager[None]]
    check: str
    summary: str
    """A pattern that the summary matches."""
    remedy: str
    """A pattern that the remedy matches."""
    subject: str = ""
    status: str = "critical"
    variables: Callable[[Stack], dict[str, Any]] = field(default=lambda stack: {})


@contextlib.contextmanager
def nothing(stack: Stack) -> Iterator[None]:
    yield


def stopped(service: str) -> Callable[[Stack], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        stack.stop(service)
        try:
            yield
        finally:
            stack.up()

    return inject


def frozen(service: str) -> Callable[[Stack], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        pid = stack.pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return inject


def misbehaving(**fault: Any) -> Callable[[Stack], AbstractContextManager[None]]:
    return lambda stack: stack.fault(**fault)


def pm2(stack: Stack, *arguments: str) -> str:
    return stack.run([stack.settings["bin"]["pm2"], *arguments], check=False).stdout


def crashing(**which: int) -> Callable[[Stack], AbstractContextManager[None]]:
    """The app, or one instance of it, ends as soon as it starts."""

    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        with stack.fault(crash=True, **which):
            pm2(stack, "restart", str(which.get("instance", stack.settings["app"]["name"])))
            yield
        # Its restarts are forgotten with it; 'up' starts it anew.
        pm2(stack, "delete", stack.settings["app"]["name"])

    return inject


@contextlib.contextmanager
def one_instance_errored(stack: Stack) -> Iterator[None]:
    with crashing(instance=1)(stack):
        wait_for(lambda: "errored" in pm2(stack, "jlist", "--silent"))
        yield


def wait_for(true: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def serving(which: str, *, reload: bool = True) -> Callable[[Stack], AbstractContextManager[None]]:
    """nginx with another certificate: one of the methods of the demo's authority."""

    @contextlib.contextmanager
    def inject(stack: Stack) -> Iterator[None]:
        files = stack.settings["certificates"]
        authority = Authority(Path(files["ca"]).parent)
        getattr(authority, which)().install(files)
        try:
            if reload:
                stack.reload("nginx")
            yield
        finally:
            authority.issue().install(files)
            stack.reload("nginx")

    return inject


@contextlib.contextmanager
def out_of_slots(stack: Stack) -> Iterator[None]:
    taken = []
    try:
        with contextlib.suppress(psycopg2.OperationalError):
            for _ in range(500):
                taken.append(psycopg2.connect(stack.database_url, application_name="leaky worker"))
        assert taken
        yield
    finally:
        for connection in taken:
            connection.close()


HEALTH = "/api/health"
WRONG = ":wrong-hunter2@"

#: The faults, in groups that do not meet each other: each group is put in at once, in this order.
GROUPS: dict[str, list[Fault]] = {
    "down": [
        Fault("app stopped", stopped("app"), "app.process", "gpt-agent", "pm2"),
        Fault(
            "postgres stopped",
            stopped("postgres"),
            "postgres.reachable",
            "refuse[ds].*nothing listens",
            "postgresql",
        ),
        Fault(
            "certificate expired",
            serving("expired"),
            "certificate.expiry",
            "expired",
            "certbot renew",
        ),
        Fault(
            "redis frozen",
            frozen("redis"),
            "redis.reachable",
            "no answer|did not answer",
            "[Rr]edis",
        ),
    ],
    "crashing": [
        Fault(
            "app crash-looping",
            crashing(),
            "app.process",
            "crash|errored|restart",
            "log|roll back",
        ),
        Fault(
            "redis stopped",
            stopped("redis"),
            "redis.reachable",
            "refuse[ds]|nothing listens",
            "[Rr]edis",
        ),
        Fault(
            "certificate not yet valid",
            serving("not_yet_valid"),
            "certificate.expiry",
            "not valid|not yet",
            "",
        ),
        Fault(
            "postgres out of slots",
            out_of_slots,
            "postgres.reachable",
            "slots|too many",
            "pool|sessions|connections",
        ),
    ],
    "half": [
        Fault(
            "one instance errored",
            one_instance_errored,
            "app.process",
            "1 of 2.*errored|errored.*1 of 2|1 errored",
            "log|roll back",
        ),
        Fault(
            "wrong password",
            nothing,
            "postgres.reachable",
            "password",
            "password|DATABASE_URL|database_url|postgres_url",
            variables=lambda stack: {
                "postgres_url": re.sub(r":[^:@/]+@", WRONG, stack.database_url)
            },
        ),
        Fault(
            "certificate for another name",
            serving("other_name"),
            "certificate.hostname",
            "other.example",
            "server_name|name",
        ),
    ],
    "answers": [
        Fault(
            "app answers 500",
            misbehaving(status=500, paths=[HEALTH]),
            "web.endpoint",
            "500",
            "app|pm2",
            subject=f"{HEALTH}$",
        ),
        Fault(
            "app answers slowly",
            misbehaving(delay_ms=1500, paths=[f"{HEALTH}/db"]),
            "web.response_time_p95",
            r"1\.[5-9]|[2-9]\.",
            "slow",
            subject=f"{HEALTH}/db$",
        ),
        Fault(
            "app answers HTML",
            misbehaving(html=True, paths=[f"{HEALTH}/redis"]),
            "web.endpoint",
            "HTML",
            "",
            subject=f"{HEALTH}/redis$",
        ),
        Fault(
            "certificate renewed and not reloaded",
            serving("renewed", reload=False),
            "certificate.served_is_file",
            "not reloaded",
            "reload",
        ),
    ],
    "chain": [
        Fault(
            "certificate without intermediate",
            serving("missing_intermediate"),
            "certificate.chain",
            "intermediate",
            "full ?chain",
        ),
        Fault(
            "disk full",
            nothing,
            "host.disk_used",
            "%",
            "Clean logs",
            variables=lambda stack: {
                "runbook_thresholds": {
                    **THRESHOLDS,
                    "host.disk_used": {"warning": 0.0001, "critical": 0.0002},
                }
            },
        ),
    ],
}


def each_fault() -> Iterator[Any]:
    for group, faults in GROUPS.items():
        # The first group is run on the other versions of ansible-core, too.
        marks = [pytest.mark.versions] if group == "down" else []
        for fault in faults:
            yield pytest.param(group, fault, id=f"{group}: {fault.name}", marks=marks)


@pytest.fixture(scope="module")
def sick_and_healed(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Run, Run]]:
    """The checklist with all faults of a group, and once they are gone; run once a group."""
    folder = tmp_path_factory.mktemp("faults")

    @functools.cache
    def both(group: str) -> tuple[Run, Run]:
        quiet(stack)
        variables: dict[str, Any] = {}
        with contextlib.ExitStack() as injected:
            for fault in GROUPS[group]:
                injected.enter_context(fault.inject(stack))
                variables |= fault.variables(stack)
            sick = run_checklist(stack, folder, "-e", json.dumps(variables))
        quiet(stack)
        return sick, run_checklist(stack, folder)

    return both


@pytest.mark.parametrize(("group", "fault"), each_fault())
def test_a_fault_is_found_named_and_seen_to_be_gone(
    group: str, fault: Fault, sick_and_healed: Callable[[str], tuple[Run, Run]]
) -> None:
    run, after = sick_and_healed(group)
    found = run.check(fault.check, fault.subject)
    assert found["status"] == fault.status, found
    assert re.search(fault.summary, found["summary"]), found
    assert re.search(fault.remedy, found["remedy"]), found
    assert run.code != 0
    assert {check["name"].split(".")[0] for check in run.report["checks"]} >= AREAS, (
        "the rest of the checklist is complete"
    )
    assert found["name"] in run.output, "the terminal says so too"
    assert "hunter2" not in run.output
    assert (after.code, after.bad) == (0, []), after.output


def inventory_with(folder: Path, hosts: dict[str, dict[str, Any]]) -> Path:
    """The demo's inventory with more hosts, in every group."""
    folder.mkdir()
    (folder / "settings.py").symlink_to(ROOT / "inventories/demo/settings.py")
    demo = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    names: dict[str, dict[str, Any]] = {"demo": demo, **hosts}
    groups = {
        group: {"hosts": dict.fromkeys(names)}
        for group in ("app_servers", "web_servers", "database_servers", "redis_servers")
    }
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": names, "children": groups}}))
    return folder


@pytest.mark.parametrize("limit", [[], ["--limit", "gone"]], ids=["beside others", "alone"])
def test_an_unreachable_host_is_critical_and_the_others_are_looked_at(
    limit: list[str], stack: Stack, checklist: Checklist, tmp_path: Path
) -> None:
    quiet(stack)
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    run = checklist(*limit, inventory=inventory_with(tmp_path / "inventory", {"gone": gone}))
    assert run.code != 0
    found = [check for check in run.report["checks"] if check["host"] == "gone"]
    assert [(check["name"], check["status"]) for check in found] == [("host.reachable", "critical")]
    assert "refused" in found[0]["summary"]
    assert {check["host"] for check in run.report["checks"]} == (
        {"gone"} if limit else {"gone", "demo"}
    )
    assert [check["host"] for check in run.report["checks"] if check["status"] == "critical"] == [
        "gone"
    ]


# --- misuse -----------------------------------------------------------------------------------------------------------


NOT_A_CERTIFICATE = "nonsense.pem"
#: Wrong variables, each of another step's; and a wrong entry of the thresholds that all steps read.
MISUSES: dict[str, dict[str, Any]] = {
    "connections": {
        "postgres_url": "postgresql://[nonsense",
        "redis_url": "http://localhost",
        "web_endpoints": [{"url": "localhost/api"}],
    },
    "name": {"runbook_thresholds": {"host.dsk": {"warning": 1}}},
    "limit": {"runbook_thresholds": {"host.cpu": {"warning": "lots"}}},
}


@pytest.fixture(scope="module")
def misused(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    folder = tmp_path_factory.mktemp("misuse")
    nonsense = folder / NOT_A_CERTIFICATE
    nonsense.write_text("no certificate")

    @functools.cache
    def run(name: str) -> Run:
        quiet(stack)
        variables = dict(MISUSES[name])
        if name == "connections":
            variables["certificates_files"] = [{"path": str(nonsense)}]
        return run_checklist(stack, folder, "-e", json.dumps(variables))

    return run


@pytest.mark.parametrize(
    ("misuse", "subject", "sentence"),
    [
        ("connections", "postgres_health", "database_url|postgres_url"),
        ("connections", "redis_health", "redis_url"),
        ("connections", "web_health", "localhost/api"),
        ("name", "host_health", "host.dsk"),
        ("limit", "host_health", "'lots' is not a number"),
    ],
    ids=[
        f"misuse: {case}"
        for case in ("database url", "redis url", "endpoint", "threshold's name", "limit")
    ],
)
def test_misuse_is_one_clear_sentence_and_the_rest_is_looked_at(
    misuse: str, subject: str, sentence: str, misused: Callable[[str], Run]
) -> None:
    run = misused(misuse)
    assert run.code != 0
    found = run.check("runbook.step", subject)
    assert found["status"] == "critical"
    assert re.search(sentence, found["summary"])
    assert "Traceback" not in run.output
    if misuse == "connections":
        looked_at = [check["name"].split(".")[0] for check in run.report["checks"]]
        assert {"host", "app", "certificate"} <= set(looked_at)
        assert len(looked_at) >= 12


@pytest.mark.parametrize("misuse", ["connections"], ids=["misuse: certificate"])
def test_an_unreadable_certificate_file_is_named(
    misuse: str, misused: Callable[[str], Run]
) -> None:
    run = misused(misuse)
    assert any(
        NOT_A_CERTIFICATE in check["summary"] + check["subject"]
        for check in run.report["checks"]
        if check["name"].startswith("certificate.") and check["status"] != "ok"
    )


# --- promises ---------------------------------------------------------------------------------------------------------


def test_no_password_shows_up_anywhere(
    healthy: Stack, checklist: Checklist, tmp_path: Path
) -> None:
    secrets = [healthy.settings[service]["password"].encode() for service in ("postgres", "redis")]
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    line = path.read_bytes()
                    seen.update(
                        line.decode(errors="replace") for secret in secrets if secret in line
                    )

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        quiet_run = checklist("-vvvv")
        with stopped("redis")(healthy), out_of_slots(healthy):
            sick_run = checklist("-vvvv")
    finally:
        done.set()
        watcher.join()
    assert quiet_run.code == 0
    assert sick_run.code != 0
    assert not seen, "in the process list"
    for secret in secrets:
        for run in (quiet_run, sick_run):
            assert secret.decode() not in run.output
        folders = [tmp_path, healthy.directory / "state"]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        assert any(path.suffix == ".html" for path in files)
        assert any(path.parent.name == "state" for path in files)
        assert [str(path) for path in files if secret in path.read_bytes()] == []


def test_check_mode_gives_the_same_report(healthy: Stack, checklist: Checklist) -> None:
    before = sorted(
        (path.name, path.stat().st_mtime_ns) for path in (healthy.directory / "state").glob("*")
    )
    looked = checklist("--check", "--diff")
    assert before == sorted(
        (path.name, path.stat().st_mtime_ns) for path in (healthy.directory / "state").glob("*")
    )
    really = checklist()
    assert [(check["name"], check["subject"]) for check in looked.report["checks"]] == [
        (check["name"], check["subject"]) for check in really.report["checks"]
    ]
    assert (looked.code, looked.bad) == (0, [])


def test_two_runs_at_once_do_not_disturb_each_other(healthy: Stack, checklist: Checklist) -> None:
    with ThreadPoolExecutor(2) as both:
        runs = list(both.map(lambda _: checklist(), range(2)))
    assert [(run.code, run.bad) for run in runs] == [(0, [])] * 2
    assert len(runs[0].report["checks"]) == len(runs[1].report["checks"])


def test_a_probe_that_gets_no_answer_is_bounded(healthy: Stack, checklist: Checklist) -> None:
    with frozen("redis")(healthy), frozen("postgres")(healthy):
        run = checklist("-e", "runbook_timeout=3")
    for name in ("redis.reachable", "postgres.reachable"):
        assert run.check(name)["status"] == "critical"
    assert run.report["seconds"] < 120, "twenty probes that each wait for ever would take longer"
    after = checklist()
    assert (after.code, after.bad) == (0, []), after.output


@pytest.fixture
def oldest_python(tmp_path: Path) -> Path:
    """An environment of the oldest Python that hosts may have, with the probes' libraries as it can get them."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which("python3.9"), *map(str, pyenv.glob("versions/3.9*/bin/python3.9"))]
    usable = [
        one
        for one in candidates
        if one
        and subprocess.run(
            [one, "-c", "import venv, ensurepip"], capture_output=True, check=False
        ).returncode
        == 0
    ]
    if not usable:
        pytest.skip(
            "there is no Python 3.9 with venv here, neither on PATH nor under pyenv, so modules were not tried on the oldest that hosts may have"
        )
    found = usable[0]
    subprocess.run([found, "-m", "venv", tmp_path / "python"], check=True)
    python = tmp_path / "python" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-r", ROOT / "requirements.txt"], check=True
    )
    return python


def test_it_works_on_hosts_with_the_oldest_python(
    healthy: Stack, checklist: Checklist, oldest_python: Path
) -> None:
    run = checklist("-e", f"ansible_python_interpreter={oldest_python}")
    assert (run.code, run.bad) == (0, []), run.output
    assert {check["name"].split(".")[0] for check in run.report["checks"]} >= AREAS
    assert "[WARNING]" not in run.output, run.output
    with stopped("redis")(healthy), stopped("postgres")(healthy), stopped("nginx")(healthy):
        run = checklist("-e", f"ansible_python_interpreter={oldest_python}")
    assert {"redis.reachable", "postgres.reachable", "web.endpoint"} <= {
        name.split()[0] for name in run.bad
    }, run.output
    assert not [check for check in run.report["checks"] if check["name"] == "runbook.step"], (
        run.output
    )


def test_it_works_by_name_from_the_installed_artifact_and_another_directory(
    healthy: Stack, checklist: Checklist, tmp_path: Path
) -> None:
    programs = Path(sys.executable).parent
    built = subprocess.run(
        [programs / "ansible-galaxy", "collection", "build", "--output-path", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [artifact] = tmp_path.glob("*.tar.gz")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    config = elsewhere / "ansible.cfg"
    config.write_text(
        f"[defaults]\ncollections_path = {tmp_path / 'installed'}\ncallbacks_enabled = gpt_agent.runbook.summary\n"
    )
    environment = {"ANSIBLE_CONFIG": str(config)}
    install = [
        programs / "ansible-galaxy",
        "collection",
        "install",
        "-p",
        tmp_path / "installed",
        artifact,
    ]
    installed = subprocess.run(
        install,
        env={**os.environ, **environment},
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    run = checklist(playbook="gpt_agent.runbook.daily_checklist", cwd=elsewhere, env=environment)
    assert (run.code, run.bad) == (0, []), run.output
    assert len(run.report["checks"]) >= 30
