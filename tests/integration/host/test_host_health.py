"""host_health on the real machine, compared with the system's own tools, and with real faults."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from tests.conftest import ROOT, RunModule, by_name
from tests.support.mounts import LIBC, MS_BIND, MS_RDONLY, mounted, mounts_of_its_own, needs_mount

Ask = Callable[..., dict[str, Any]]

MEBIBYTE = 1024 * 1024
#: Left out where systemd is not the first process, and not made by this module, in that order.
OPTIONAL = {"host.failed_units", "host.reachable"}


@pytest.fixture
def own_mounts() -> Iterator[None]:
    with mounts_of_its_own():
        yield


@pytest.fixture
def ask(run_module: RunModule, tmp_path: Path) -> Ask:
    def run(*, check: bool = False, **options: Any) -> dict[str, Any]:
        return run_module(
            "host_health",
            {"state_dir": str(tmp_path / "state"), "cpu_interval": 0.1, **options},
            check=check,
        )

    return run


def df(point: str, *options: str) -> list[str]:
    return (
        subprocess.run(
            ["df", "-P", "-B1", *options, point], capture_output=True, text=True, check=True
        )
        .stdout.splitlines()[1]
        .split()
    )


# --- well -------------------------------------------------------------------------------------------------------------


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
    assert check["window"] == "1.0 s"
    assert secret not in json.dumps(answer)


# --- disks ------------------------------------------------------------------------------------------------------------


def test_a_limit_lowered_makes_a_disk_critical(ask: Ask) -> None:
    check = by_name(
        ask(thresholds={"host.disk_used /": {"warning": 0, "critical": 0}}, mounts=["/"]),
        "host.disk_used",
    )
    assert check["status"] == "critical"
    assert "free" in check["summary"]
    assert "Clean logs" in check["remedy"]


def test_listed_mounts_have_to_be_there(ask: Ask, tmp_path: Path) -> None:
    answer = ask(mounts=[str(tmp_path), "/proc", "/"])
    missing = by_name(answer, "host.disk_used", str(tmp_path))
    assert (missing["status"], missing["summary"]) == ("critical", "Not mounted")
    assert by_name(answer, "host.disk_used", "/proc")["status"] == "unknown"
    assert {check["subject"] for check in answer["checks"]} == {"", str(tmp_path), "/proc", "/"}


@needs_mount
@pytest.mark.usefixtures("own_mounts")
def test_a_full_disk(ask: Ask, tmp_path: Path) -> None:
    with mounted(tmp_path / "full", "tmpfs", options="size=1m,nr_inodes=20") as point:
        (point / "file").write_bytes(bytes(MEBIBYTE - 40960))
        for number in range(18):
            (point / f"{number}").touch()
        answer = ask()
        full, inodes = (
            by_name(answer, name, str(point)) for name in ("host.disk_used", "host.inodes_used")
        )
        for check in (full, inodes):
            assert check["status"] == "critical"
            assert check["value"] > 90
        assert full["evidence"][0]["type"] == "tmpfs"
        assert (
            by_name(ask(mounts=[str(point)], state_dir=str(point / "state")), "host.disk_used")[
                "status"
            ]
            == "critical"
        )
        ignored = ask(mounts_ignore=[f"{tmp_path}/*"])
        assert str(point) not in {check["subject"] for check in ignored["checks"]}
    assert str(point) not in {check["subject"] for check in ask()["checks"]}


@needs_mount
@pytest.mark.usefixtures("own_mounts")
def test_the_state_cannot_be_kept_on_a_full_disk(ask: Ask, tmp_path: Path) -> None:
    with mounted(tmp_path / "full", "tmpfs", options="size=64k") as point:
        with suppress(OSError):
            (point / "file").write_bytes(bytes(MEBIBYTE))
        answer = ask(state_dir=str(point / "state"))
        assert "No space left" in json.dumps(answer["warnings"])
        assert by_name(answer, "host.oom_kills")["value"] is not None
        assert not list((point / "state").iterdir())


@needs_mount
@pytest.mark.usefixtures("own_mounts")
def test_duplicates_and_images_are_left_out(ask: Ask, tmp_path: Path) -> None:
    for name in ("upper", "work", "lower"):
        (tmp_path / name).mkdir()
    with (
        mounted(tmp_path / "bind", "none", str(tmp_path / "lower"), flags=MS_BIND),
        mounted(tmp_path / "read-only", "tmpfs", options="size=4k", flags=MS_RDONLY),
        mounted(tmp_path / "data", "tmpfs", options="size=4m") as data,
        mounted(tmp_path / "again", "none", str(data), flags=MS_BIND),
    ):
        found = {
            check["subject"]
            for check in ask()["checks"]
            if check["subject"].startswith(str(tmp_path))
        }
        assert found == {str(data)}


@contextmanager
def fuse(point: Path) -> Iterator[Callable[[], None]]:
    """A FUSE file system whose daemon takes every request and answers none; what is yielded lets the daemon die."""
    device = os.open("/dev/fuse", os.O_RDWR)
    done = threading.Event()

    def daemon() -> None:
        while not done.is_set():
            try:
                request = os.read(device, MEBIBYTE)
            except OSError:
                return
            _length, operation, unique = struct.unpack_from("IIQ", request)
            if operation == 26:  # FUSE_INIT
                body = struct.pack("IIIIHHII32x", 7, 31, 0, 0, 12, 10, 4096, 1)
                os.write(device, struct.pack("IiQ", 16 + len(body), 0, unique) + body)

    def die() -> None:
        done.set()
        LIBC.umount2(str(point).encode(), 1)  # MNT_FORCE: the kernel gives up on all requests
        with suppress(OSError):
            os.close(device)

    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    with mounted(point, "fuse.dead", "server:/export", options):
        threading.Thread(target=daemon, daemon=True).start()
        try:
            yield die
        finally:
            die()


@needs_mount
@pytest.mark.usefixtures("own_mounts")
@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no FUSE here")
def test_a_dead_network_mount_holds_nothing_up(ask: Ask, tmp_path: Path) -> None:
    with fuse(tmp_path / "remote") as die:
        started = time.monotonic()
        answer = ask()
        assert time.monotonic() - started < 8
        check = by_name(answer, "host.disk_used", str(tmp_path / "remote"))
        assert check["status"] == "unknown"
        assert "server:/export" in check["summary"]
        assert by_name(answer, "host.disk_used", "/")["status"] != "unknown"
        assert by_name(answer, "host.memory")["value"] > 0
        hurried = ask(timeout=1)
        assert by_name(hurried, "host.disk_used", str(tmp_path / "remote"))["status"] == "unknown"
        assert by_name(hurried, "host.cpu")["value"] is not None
        die()
    assert "remote" not in json.dumps(ask()["checks"])


# --- a container's limits ---------------------------------------------------------------------------------------------


@contextmanager
def cgroup(**thresholds: str) -> Iterator[list[Path]]:
    """A cgroup of each controller that this system has, with limits such as ``memory="64m"``; yields their folders."""
    top, name = Path("/sys/fs/cgroup"), f"runbook-test-{os.getpid()}"
    unified = (top / "cgroup.controllers").exists()
    folders = (
        [top / name]
        if unified
        else [top / controller / name for controller in ("memory", "cpu", "cpuacct")]
    )
    made: list[Path] = []
    try:
        for folder in folders:
            folder.mkdir()
            made.append(folder)
        for file, value in thresholds.items():
            found = [
                folder / file.replace("__", ".")
                for folder in folders
                if (folder / file.replace("__", ".")).exists()
            ]
            for path in found:
                path.write_text(value)
    except OSError as error:
        for folder in made:
            folder.rmdir()
        pytest.skip(f"no cgroup of the test's own here: {error}")
    try:
        yield folders
    finally:
        for folder in folders:
            for _ in range(50):
                with suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.1)


def inside(folders: list[Path], command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Run a command as the first process of a pid namespace in these cgroups, as a container engine does."""
    join = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
    return subprocess.Popen(
        ["sh", "-c", f'{join}exec unshare --pid --fork --mount-proc "$@"', "sh", *command],
        text=True,
        **options,
    )


def ask_inside(folders: list[Path], **options: Any) -> dict[str, Any]:
    code = "import runpy; runpy.run_module('ansible_collections.gpt_agent.runbook.plugins.modules.host_health', run_name='__main__')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "collections")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with inside(folders, [sys.executable, "-c", code], env=environment, **pipes) as child:
        output, errors = child.communicate(json.dumps({"ANSIBLE_MODULE_ARGS": options}), timeout=60)
    assert output, errors
    answer: dict[str, Any] = json.loads(output)
    return answer


@needs_mount
def test_the_memory_limit_of_a_container(tmp_path: Path) -> None:
    limit = str(256 * MEBIBYTE)
    with cgroup(memory__limit_in_bytes=limit, memory__max=limit) as folders:
        cache = tmp_path / "cached"
        with inside(
            folders,
            ["dd", "if=/dev/zero", f"of={cache}", "bs=1M", "count=200"],
            stderr=subprocess.DEVNULL,
        ) as writer:
            assert writer.wait() == 0
        answer = ask_inside(folders, state_dir=str(tmp_path / "state"), cpu_interval=0.1)
        check = by_name(answer, "host.memory")
        assert check["status"] == "ok", "file cache is not use"
        assert "of this container's limit of 256 MiB" in check["summary"]
        assert by_name(answer, "host.oom_kills")["value"] == 0

        hold = "data = bytearray(220 << 20); print('held', flush=True); import time; time.sleep(60)"
        with inside(folders, [sys.executable, "-c", hold], stdout=subprocess.PIPE) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            check = by_name(
                ask_inside(folders, state_dir=str(tmp_path / "other"), cpu_interval=0.1),
                "host.memory",
            )
            _kill(folders)
        assert check["status"] in ("warning", "critical")

        with inside(
            folders, [sys.executable, "-c", "bytearray(400 << 20)"], stderr=subprocess.DEVNULL
        ) as greedy:
            greedy.wait()
        check = by_name(
            ask_inside(folders, state_dir=str(tmp_path / "state"), cpu_interval=0.1),
            "host.oom_kills",
        )
        assert check["value"] >= 1
        assert check["status"] in ("warning", "critical")
        assert "the container started" in check["window"]


@needs_mount
def test_the_processor_limit_of_a_container(tmp_path: Path) -> None:
    with cgroup(cpu__cfs_quota_us="20000", cpu__max="20000 100000") as folders:
        with inside(folders, [sys.executable, "-c", "while True: pass"]):
            try:
                worst = {
                    "host.cpu": {"warning": 0, "critical": 0}
                }  # or a machine busy with other things would be reported
                check = by_name(
                    ask_inside(folders, state_dir=str(tmp_path), cpu_interval=1, thresholds=worst),
                    "host.cpu",
                )
            finally:
                _kill(folders)
        assert check["value"] > 60
        assert "of this container's limit of 0.2 processors" in check["summary"]


def _kill(folders: list[Path]) -> None:
    for pid in (folders[0] / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)


# --- misuse and state -------------------------------------------------------------------------------------------------


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
def test_misuse_is_one_sentence(ask: Ask, options: dict[str, Any], said: str) -> None:
    answer = ask(**options)
    assert answer["failed"]
    assert said in answer["msg"]


def test_check_mode_keeps_nothing(ask: Ask, tmp_path: Path) -> None:
    names = [(check["name"], check["subject"]) for check in ask(check=True, mounts=["/"])["checks"]]
    assert not (tmp_path / "state").exists()
    assert names == [(check["name"], check["subject"]) for check in ask(mounts=["/"])["checks"]]
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_second_run_counts_from_the_first(ask: Ask, tmp_path: Path) -> None:
    assert by_name(ask(), "host.oom_kills")["window"].startswith("since ")
    (file,) = (tmp_path / "state").iterdir()
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
    assert len(list((tmp_path / "state").iterdir())) == 1
