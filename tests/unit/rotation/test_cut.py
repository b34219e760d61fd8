# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that are taken off the head of a log: stopped after each step, and with everything odd."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.logs.rotation import MARK
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation import cut
from tests.support.rotation import needs_cut

pytestmark = needs_cut

LINES = [b"line %d %s" % (number, b"x" * 60) for number in range(400)]
STAMP = 1795824000
#: Each changes something; a process can be killed before any of them.
STEPS = ("ftruncate", "fsync", "pwrite", "unlink", "symlink", "replace")


class Killed(BaseException):
    """Stands for the end of the process."""


class Log:
    """A log, of which copies are made as logrotate makes them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "out.log"
        self.path.write_bytes(b"".join(line + b"\n" for line in LINES))

    def copy(self, number: int = 0, missing: int = 0) -> Path:
        """All of it, or without its last bytes, as if it was killed."""
        copy = self.path.with_name(f"out.log-20261128-{STAMP + number}")
        copy.write_bytes(self.path.read_bytes()[: -missing or None])
        return copy

    def append(self, line: bytes) -> None:
        with self.path.open("ab") as stream:
            stream.write(line + b"\n")

    @property
    def lines(self) -> list[bytes]:
        """All that there are, in all files, without the marks."""
        folder = self.path.parent
        texts = [path.read_bytes() for path in sorted(folder.iterdir()) if not path.is_symlink()]
        lines = [line for text in texts for line in text.splitlines()]
        return sorted(line for line in lines if not line.startswith(b"# The lines before"))


@pytest.fixture
def log() -> Iterator[Log]:
    with tempfile.TemporaryDirectory(prefix="runbook-cut-") as folder:
        yield Log(Path(folder))


def test_what_was_copied_is_in_the_copy_alone(log: Log) -> None:
    cut.begin(str(log.path), 0)
    assert cut.pending(str(log.path)) == []
    copy = log.copy()
    assert cut.pending(str(log.path)) == [str(copy)]
    log.append(b"later")
    os.utime(log.path, (1795000000, 1795000000))
    assert cut.finish(str(log.path), str(copy)) == [str(copy)]
    assert copy.stat().st_mtime == 1795000000, "when its last line was written"
    text = copy.read_bytes()
    mark = f"{MARK}{copy.name} ({len(text)} bytes, CRC-32 {zlib.crc32(text):08x})".encode()
    assert [line.rstrip() for line in log.path.read_bytes().splitlines()] == [mark, b"later"]
    assert log.lines == sorted([*LINES, b"later"])
    assert cut.pending(str(log.path)) == []
    assert cut.finish(str(log.path), str(copy)) == [], "a second time does nothing"
    assert log.lines == sorted([*LINES, b"later"])


def test_a_line_that_was_half_copied_stays_in_the_log(log: Log) -> None:
    cut.begin(str(log.path), 0)
    copy = log.copy(missing=30)
    cut.finish(str(log.path), str(copy))
    assert log.path.read_bytes().splitlines()[1:] == LINES[-1:]
    assert log.lines == sorted(LINES)


def stop_before(number: int, patch: pytest.MonkeyPatch, torn: bool) -> None:
    """Let the process end before a change, or with half of what it writes."""
    left = iter(range(number, -1, -1))

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if next(left) == 0:
                if torn and function.__name__ == "pwrite":
                    handle, data, at = arguments
                    function(handle, data[: len(data) // 2], at)
                raise Killed
            return function(*arguments)

        return call

    stopping = {name: watched(getattr(os, name)) for name in STEPS}
    for name, function in stopping.items():
        patch.setattr(cut.os, name, function)
    patch.setattr(cut, "collapse", watched(cut.collapse))


@pytest.mark.parametrize("torn", [False, True])
def test_after_each_step_that_is_the_last_the_next_run_completes(log: Log, torn: bool) -> None:
    stopped = 0
    for number in range(20):
        folder = log.path.with_name(str(number))
        folder.mkdir()
        tried = Log(folder)
        with pytest.MonkeyPatch.context() as patch:
            stop_before(number, patch, torn)
            try:
                cut.begin(str(tried.path), 0)
                cut.finish(str(tried.path), str(tried.copy()))
            except Killed:
                stopped += 1
        tried.append(b"later")
        cut.complete(str(tried.path))
        assert tried.lines == sorted([*LINES, b"later"]), number
        cut.begin(str(tried.path), 0)
        cut.finish(str(tried.path), str(tried.copy(1)))
        assert tried.lines == sorted([*LINES, b"later"]), number
    assert 8 < stopped < 20, "it was killed at each of its steps, and went on to the end"


def test_a_log_with_less_than_a_block_stays(log: Log) -> None:
    log.path.write_bytes(b"few\n")
    cut.begin(str(log.path), 0)
    cut.finish(str(log.path), str(log.copy()))
    assert log.lines == [b"few"]
    assert list(log.path.parent.iterdir()) == [log.path]


def test_a_log_that_was_emptied_meanwhile_is_left_alone(log: Log) -> None:
    cut.begin(str(log.path), 0)
    copy = log.copy(missing=30)
    whole = copy.read_bytes()
    log.path.write_bytes(b"new\n" * 9000)
    cut.finish(str(log.path), str(copy))
    assert (log.path.read_bytes(), copy.read_bytes()) == (b"new\n" * 9000, whole)
    cut.begin(str(log.path), 0)
    log.path.unlink()
    assert cut.finish(str(log.path)) == []
    assert cut.pending(str(log.path)) == []


def test_two_copies_in_the_same_second(log: Log) -> None:
    """The first was archived meanwhile, so that its name is free again."""
    cut.begin(str(log.path), 0)
    first = log.copy()
    cut.finish(str(log.path), str(first))
    archived = log.path.with_name("archived")
    first.rename(archived)
    with log.path.open("ab") as stream:
        stream.write(archived.read_bytes())
    cut.begin(str(log.path), 0)
    cut.finish(str(log.path), str(log.copy()))
    assert log.lines == sorted(LINES * 2)


def test_one_that_comes_late_does_nothing(log: Log) -> None:
    """What a killed logrotate had started waits, while the next one has begun."""
    cut.begin(str(log.path), 0)
    first = log.copy()
    cut.complete(str(log.path))
    cut.begin(str(log.path), 0)
    log.append(b"later")
    half = log.copy(1, missing=3)
    assert cut.finish(str(log.path), str(first)) == []
    assert cut.pending(str(log.path)) == [str(half)]
    cut.finish(str(log.path), str(half))
    assert log.lines == sorted([*LINES, b"later"])


def test_a_beginning_that_comes_late_does_nothing(log: Log) -> None:
    """It waited for the lock; the next logrotate has made its copy meanwhile."""
    cut.begin(str(log.path), 0)
    copy = log.copy()
    cut.begin(str(log.path), 0)
    assert cut.finish(str(log.path), str(copy)) == [str(copy)]
    assert log.lines == sorted(LINES)


def test_what_is_refused(log: Log) -> None:
    with pytest.raises(OSError, match="would leave less than"):
        cut.begin(str(log.path), 1 << 60)
    cut.begin(str(log.path), 0)
    copy = log.copy()
    with copy.open("ab"), pytest.raises(OSError, match="someone still writes to it"):
        cut.finish(str(log.path), str(copy))
    other = log.path.with_name("other")
    other.write_bytes(copy.read_bytes())
    copy.unlink()
    copy.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        cut.finish(str(log.path), str(copy))
    copy.unlink()
    copy.hardlink_to(other)
    with pytest.raises(OSError, match="no plain file with one name"):
        cut.finish(str(log.path), str(copy))
    assert other.read_bytes().splitlines() == LINES


def test_a_log_that_is_emptied_at_any_step_loses_nothing_that_is_new(log: Log) -> None:
    """As by 'pm2 flush'; the app goes on to write."""
    new = [b"new %d" % number for number in range(3)]

    def empty_before(step: str, patch: pytest.MonkeyPatch) -> None:
        real = getattr(os, step)

        def call(*arguments: Any, **keywords: Any) -> Any:
            patch.undo()
            log.path.write_bytes(b"".join(line + b"\n" for line in new))
            return real(*arguments, **keywords)

        patch.setattr(cut.os, step, call)

    for number, step in enumerate(("ftruncate", "utime", "fsync")):
        log.path.write_bytes(b"".join(line + b"\n" for line in LINES))
        cut.begin(str(log.path), 0)
        copy = log.copy(number)
        with pytest.MonkeyPatch.context() as patch:
            empty_before(step, patch)
            cut.finish(str(log.path), str(copy))
        assert log.path.read_bytes().splitlines() == new, step
        assert copy.read_bytes().splitlines() == LINES, step


def test_a_log_that_is_emptied_before_the_last_step(log: Log) -> None:
    cut.begin(str(log.path), 0)
    copy = log.copy()

    def write(handle: int, data: bytes, at: int) -> None:
        os.pwrite(handle, data, at)
        log.path.write_bytes(b"new\n")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "_write", write)
        cut.finish(str(log.path), str(copy))
    assert log.lines == sorted([*LINES, b"new"])


def test_what_the_file_system_cannot_do_is_undone(log: Log) -> None:
    """There may be no space for it, or the log was moved to another disk."""

    def fail(_handle: int, _length: int) -> None:
        raise OSError(95, "not supported")

    whole = log.path.read_bytes()
    cut.begin(str(log.path), 0)
    copy = log.copy(missing=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "collapse", fail)
        with pytest.raises(OSError, match="not supported"):
            cut.finish(str(log.path), str(copy))
        assert (log.path.read_bytes(), copy.exists()) == (whole, False)
        cut.complete(str(log.path))


def test_a_log_that_was_renamed_after_that_is_no_copy(log: Log) -> None:
    """The flag was left, and others rotate the log by now; the new one begins as the old did."""
    log.path.write_bytes(b"started\n")
    cut.begin(str(log.path), 0)
    renamed = log.copy()
    log.path.replace(renamed)
    log.path.write_bytes(b"started\nagain\n")
    assert cut.pending(str(log.path)) == []
    cut.finish(str(log.path))
    cut.complete(str(log.path))
    flag = log.path.with_name(".out.log.rotating")
    flag.unlink()
    flag.symlink_to("of someone else")
    cut.complete(str(log.path))
    assert log.lines == [b"again", b"started", b"started"]


def test_a_copy_that_is_named_after_a_later_second(log: Log) -> None:
    """The clock was wrong."""
    later = log.path.with_name("out.log-20991231-4102358400")
    later.write_bytes(b"kept\n")
    cut.begin(str(log.path), 0)
    cut.finish(str(log.path), str(log.copy()))
    assert log.lines == sorted([*LINES, b"kept"])


def test_who_locks_the_log_does_not_stop_logrotate_for_ever(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "_PATIENCE", 0.1)
    with log.path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        with pytest.raises(OSError, match="another process has locked it"):
            cut.begin(str(log.path), 0)


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", cut.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_as_logrotate_starts_it(log: Log) -> None:
    path = str(log.path)
    assert script("complete", "", "", str(log.path.with_name("*.log"))).returncode == 0
    assert script("begin", "", "", "0", path).returncode == 0
    copy = log.copy()
    assert script("finish", "", "", path, str(copy)).returncode == 0
    assert log.lines == sorted(LINES)
    failed = script("begin", "", "", str(1 << 60), path)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"{path}: copying it would leave less than ")


def test_one_that_cannot_be_completed_does_not_keep_the_next_from_it(log: Log) -> None:
    other = log.path.with_name("a.log")
    other.write_bytes(log.path.read_bytes())
    for path in (log.path, other):
        cut.begin(str(path), 0)
    copy = log.copy()
    held = other.with_name(f"a.log-20261128-{STAMP}")
    held.write_bytes(other.read_bytes())
    with held.open("ab"):
        done = script("complete", "", "", str(log.path.with_name("*.log")))
    assert (done.returncode, done.stderr) == (1, f"{held}: someone still writes to it\n")
    assert cut.pending(str(log.path)) == []
    assert copy.read_bytes().splitlines() == LINES


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other permissions to give up")
def test_a_folder_of_a_user_who_turns_it_into_a_link(log: Log) -> None:
    """The user is the one of the configuration, and not who owns what the folder leads to now."""
    folder = log.path.parent
    folder.chmod(0o755)
    link = str(log.path)
    done = script("begin", "nobody", "nogroup", "0", link)
    assert "Permission denied" in done.stderr
    assert list(folder.iterdir()) == [log.path]
    assert script("begin", "65534", "65534", "0", link).stderr == done.stderr
