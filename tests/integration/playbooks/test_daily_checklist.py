"""The daily checklist as operators start it: the shipped playbook on a real stack."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.checklist import AREAS, Checklist, Run, quiet, run_checklist
from tests.support.faults import frozen, out_of_slots, stopped


@pytest.mark.versions
def test_a_healthy_stack_gives_a_full_and_green_checklist(
    healthy: Stack, checklist: Checklist
) -> None:
    run = checklist(fresh=True)
    assert (run.code, run.bad) == (0, []), run.output
    assert len(run.report["checks"]) >= 30
    assert {check["name"].split(".")[0] for check in run.report["checks"]} >= AREAS
    assert "[WARNING]" not in run.output, run.output
    assert "changed=0" in run.output
    for check in run.report["checks"]:
        assert check["remedy"] or check["status"] == "ok", f"{check['name']} has no remedy"


# --- misuse ---------------------------------------------------------------------------------------


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
    "undefined": {
        "postgres_url": "postgresql://monitor:{{ vault_word }}@localhost/app",
        "redis_url": "redis://:{{ vault_word }}@localhost",
        "runbook_base_url": "https://{{ site_name }}",
    },
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
        ("connections", "web_health", r"web_endpoints \(endpoints\[0\].url\): 'localhost/api'"),
        ("name", "host_health", "host.dsk"),
        ("limit", "host_health", "'lots' is not a number"),
        ("undefined", "postgres_health", r"postgres_url .*the variable 'vault_word' is undefined"),
        ("undefined", "redis_health", r"redis_url: the variable 'vault_word' is undefined"),
        ("undefined", "web_health", r"runbook_base_url .*the variable 'site_name' is undefined"),
    ],
    ids=[
        f"misuse: {case}"
        for case in (
            *("database url", "redis url", "endpoint", "threshold's name", "limit"),
            *("undefined in database url", "undefined in redis url", "undefined in base url"),
        )
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


# --- promises -------------------------------------------------------------------------------------


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
        quiet_run = checklist("-vvvv", fresh=True)
        with stopped("redis")(healthy), out_of_slots(healthy):
            sick_run = checklist("-vvvv", fresh=True)
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
    """An environment of the oldest Python that hosts may have, with the probes' libraries as it can
    get them.
    """
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
            "there is no Python 3.9 with venv here, neither on PATH nor under pyenv, so modules "
            "were not tried on the oldest that hosts may have"
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
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    built = subprocess.run(
        [galaxy, "collection", "build", "--output-path", tmp_path],
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
        f"[defaults]\ncollections_path = {tmp_path / 'installed'}\n"
        "callbacks_enabled = gpt_agent.runbook.summary\n"
    )
    environment = {"ANSIBLE_CONFIG": str(config)}
    installed = subprocess.run(
        [galaxy, "collection", "install", "-p", tmp_path / "installed", artifact],
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
