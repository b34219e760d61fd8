"""host_health and disks: full, missing, duplicate and dead mounts."""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import by_name
from tests.support.host_probe import Ask
from tests.support.mounts import (
    LIBC,
    MEBIBYTE,
    MS_BIND,
    MS_RDONLY,
    mounted,
    mounts_of_its_own,
    needs_mount,
)


@pytest.fixture
def own_mounts() -> Iterator[None]:
    with mounts_of_its_own():
        yield


def test_a_lower_threshold_makes_a_disk_critical(ask: Ask) -> None:
    check = by_name(
        ask(thresholds={"host.disk_used /": {"warning": 0, "critical": 0}}, mounts=["/"]),
        "host.disk_used",
    )
    assert check["status"] == "critical"
    assert "free" in check["summary"]
    assert "Clean logs" in check["remedy"]


def test_listed_mounts_must_be_mounted(ask: Ask, tmp_path: Path) -> None:
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


@needs_mount
@pytest.mark.usefixtures("own_mounts")
def test_a_canary_leaves_nothing_and_check_mode_writes_nothing(ask: Ask, tmp_path: Path) -> None:
    with mounted(tmp_path / "data", "tmpfs", options="size=1m") as point:
        (point / f".gpt-agent-runbook-canary-{os.geteuid()}").touch()  # of a run that was killed
        options = {"canary": True, "mounts": [str(point)]}
        planned = by_name(ask(check=True, **options), "host.filesystem_writable", str(point))
        assert "Mounted read-write" in planned["summary"]
        assert list(point.iterdir())
        written = by_name(ask(**options), "host.filesystem_writable", str(point))
        assert "A file was written" in written["summary"]
        assert not list(point.iterdir())


@contextmanager
def fuse(point: Path) -> Iterator[Callable[[], None]]:
    """A FUSE file system whose daemon takes every request and answers none.

    Yields a function that ends the daemon.
    """
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
def test_a_dead_network_mount_delays_nothing(ask: Ask, tmp_path: Path) -> None:
    with fuse(tmp_path / "remote") as die:
        started = time.monotonic()
        answer = ask()
        assert time.monotonic() - started < 8
        check = by_name(answer, "host.disk_used", str(tmp_path / "remote"))
        assert check["status"] == "unknown"
        assert "server:/export" in check["summary"]
        writable = by_name(answer, "host.filesystem_writable", str(tmp_path / "remote"))
        assert writable["status"] == "warning"
        assert by_name(answer, "host.disk_used", "/")["status"] != "unknown"
        assert by_name(answer, "host.memory")["value"] > 0
        hurried = ask(timeout=1)
        assert by_name(hurried, "host.disk_used", str(tmp_path / "remote"))["status"] == "unknown"
        assert by_name(hurried, "host.cpu")["value"] is not None
        die()
    assert "remote" not in json.dumps(ask()["checks"])
