"""A checkout becomes a release, whatever happens in between."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release import adopt as adoption
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.adopt import adopt, repair
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.layout import Layout
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.store import Store

#: What Python says before it changes a path, or looks up a function that does.
STEPS = {"open", "os.rename", "os.symlink", "os.remove", "os.link", "ctypes.dlsym"}


def killed_before(number: int, work: Callable[[], object]) -> bool:
    """Do it in a process of its own that is killed before one of its steps; whether it was."""
    child = os.fork()
    if not child:
        left = itertools.count(1)

        def look(event: str, arguments: object) -> None:
            if event in STEPS and next(left) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def checkout(folder: Path) -> tuple[Layout, Release]:
    path = folder / "app"
    path.mkdir(parents=True)
    (path / "server.js").write_text("it works")
    store = Store(f"{path}-releases", str(path))
    store.prepare()
    place = Path(store.releases_folder) / "v1.0.0"
    return Layout(store, checkout=True), Release("v1.0.0", "v1.0.0", str(place))


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_kill_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:

        def not_supported(first: str, second: str) -> None:
            raise adoption._NotSupported

        monkeypatch.setattr(adoption, "_exchange", not_supported)
    for number in itertools.count(1):
        layout, release = checkout(tmp_path / str(number))
        path = Path(layout.store.link)
        killed = killed_before(number, partial(adopt, layout, release))
        if in_one_step:
            assert (path / "server.js").read_text() == "it works", number
        repair(layout.store.root, str(path))
        assert (path / "server.js").read_text() == "it works", number
        if not path.is_symlink():
            adopt(layout, release)
        assert os.path.realpath(path) == os.path.realpath(release.path)
        assert (path / "server.js").read_text() == "it works", number
        assert not repair(layout.store.root, str(path))
        assert sorted(os.listdir(path.parent)) == ["app", "app-releases"]
        if not killed:
            break
    assert number > 2
