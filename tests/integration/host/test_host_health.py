"""host_health on the real machine, compared with the system's own tools; misuse, and state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from tests.conftest import by_name
from tests.support.host_probe import Ask

#: Left out where systemd is not the first process, and not made by this module, in that order.
OPTIONAL = {"host.failed_units", "host.reachable"}


def df(point: str, *options: str) -> list[str]:
    return (
        subprocess.run(
            ["df", "-P", "-B1", *options, point], capture_output=True, text=True, check=True
        )
        .stdout.splitlines()[1]
        .split()
    )


def test_every_check_is_there_and_agrees_with_the_system(ask: Ask) -> None:
    answer = ask()
    assert answer["changed"] is False
    assert "warnings" not in answer
    names = {check["name"] for check in answer["checks"]}
    assert names - OPTIONAL == {name for name in CATALOG if name.startswith("host.")} - OPTIONAL
    assert ("host.failed_units" in names) == os.path.isdir("/run/systemd/system")
    size, used, available = (int(field) for field in df("/")[1:4])
    root = by_name(answer, "host.disk_used", "/")
    assert root["value"] == pytest.approx(100 * used / (used + available), abs=1)
    assert used + available <= size
    memory = {
        line.split(":")[0]: int(line.split()[1])
        for line in Path("/proc/meminfo").read_text().splitlines()
    }
    assert by_name(answer, "host.memory")["value"] == pytest.approx(
        100 - 100 * memory["MemAvailable"] / memory["MemTotal"], abs=5
    )
    assert 0 <= by_name(answer, "host.cpu")["value"] <= 100
    processors = os.sysconf("SC_NPROCESSORS_ONLN")
    assert by_name(answer, "host.load")["value"] == pytest.approx(
        os.getloadavg()[1] / processors, abs=0.5
    )
    for check in answer["checks"]:
        assert check["summary"]
        assert bool(check["remedy"]) == (check["status"] != "ok")


def test_real_mounts_are_what_df_finds(ask: Ask) -> None:
    """df leaves out pseudo file systems and duplicates as well."""
    found = {
        check["subject"]
        for check in ask(mounts_ignore=[])["checks"]
        if check["name"] == "host.disk_used"
    }
    excluded = ["devtmpfs", "squashfs", "iso9660", "overlay"]
    lines = subprocess.run(
        ["df", "-P", *(f"--exclude-type={kind}" for kind in excluded)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    known = {line.split()[5] for line in lines[1:]}
    assert found <= known | {"/"}
    assert "/" in found


def test_a_busy_processor_is_seen_and_named_without_its_arguments(ask: Ask) -> None:
    secret = "password=Zq7x"
    with subprocess.Popen([sys.executable, "-c", "while True: pass", f"--{secret}"]) as child:
        try:
            answer = ask(cpu_interval=1)
        finally:
            child.kill()
    check = by_name(answer, "host.cpu")
    assert check["value"] > 50 / os.sysconf("SC_NPROCESSORS_ONLN")
    assert any(f"(pid {child.pid})" in row["what"] for row in check["evidence"])
    assert check["window"].endswith(" s")
    assert secret not in json.dumps(answer)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"cpu_interval": 9},
            "cpu_interval: 9 is not between 0.1 and half of the timeout of 10 seconds",
        ),
        ({"cpu_interval": 0}, "cpu_interval: 0"),
        ({"timeout": -1}, "timeout: -1"),
        ({"thresholds": {"host.dsk_used": {"warning": 1}}}, "did you mean 'host.disk_used'"),
        ({"thresholds": {"host.cpu": {"warning": "lots"}}}, "'lots' is not a number"),
    ],
)
def test_a_usage_error_is_one_sentence(ask: Ask, options: dict[str, Any], said: str) -> None:
    answer = ask(**options)
    assert answer["failed"]
    assert said in answer["msg"]


def test_check_mode_keeps_nothing(ask: Ask, tmp_path: Path) -> None:
    names = [(check["name"], check["subject"]) for check in ask(check=True, mounts=["/"])["checks"]]
    assert not (tmp_path / "state").exists()
    assert names == [(check["name"], check["subject"]) for check in ask(mounts=["/"])["checks"]]
    files = list((tmp_path / "state").iterdir())
    assert sorted(file.name.split("-")[0] for file in files) == ["host", "host_cpu"]
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_second_run_counts_from_the_first(ask: Ask, tmp_path: Path) -> None:
    assert by_name(ask(), "host.oom_kills")["window"].startswith("since ")
    (file,) = (tmp_path / "state").glob("host-*")
    data = json.loads(file.read_text())
    data["samples"][0]["time"] -= 86400
    file.write_text(json.dumps(data))
    check = by_name(ask(), "host.oom_kills")
    assert check["window"].endswith("/PT24H")
    assert check["value"] == 0
    file.write_text("[" * 9)
    assert by_name(ask(), "host.oom_kills")["window"].startswith("since ")


def test_a_state_that_cannot_be_kept(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = ask(state_dir=str(tmp_path / "file/below"))
    assert "state_dir" in json.dumps(answer["warnings"])
    assert by_name(answer, "host.oom_kills")["value"] is not None


def test_two_at_once(ask: Ask, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: ask(), range(4)))
    assert all("checks" in answer and "warnings" not in answer for answer in answers)
    assert len(list((tmp_path / "state").iterdir())) == 2


def test_the_processors_are_compared_with_a_run_five_minutes_ago(ask: Ask, tmp_path: Path) -> None:
    assert by_name(ask(), "host.cpu")["window"].endswith(" s")
    (file,) = (tmp_path / "state").glob("host_cpu-*")
    data = json.loads(file.read_text())
    counters = data["samples"][0]["counters"]
    # As if it had been five minutes ago, and all processors idle since.
    counters["monotonic"] -= 300
    for name in ("total", "idle"):
        counters[name] -= 300 * counters["processors"]
    file.write_text(json.dumps(data))
    never = {"host.cpu": {"warning": None, "critical": None}}
    check = by_name(ask(thresholds=never), "host.cpu")
    assert check["window"].startswith("5 min")
    assert check["value"] < 20
