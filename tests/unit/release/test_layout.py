"""Where the releases are, by the folder that PM2 starts the app in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.adopt import (
    adopt,
    repair,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.backend import Live
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.layout import (
    Layout,
    locate,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.record import Release

APP = Options(name="app")


def place(cwd: Path, options: Options = APP) -> tuple[str, str, bool]:
    found = locate(options, Live(str(cwd)))
    return found.store.root, found.store.link, found.checkout


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "srv" / "releases" / "v1"
    (folder / "web").mkdir(parents=True)
    (tmp_path / "srv" / "current").symlink_to("releases/v1")
    return folder


def test_a_link_to_a_release(release: Path) -> None:
    root = release.parent.parent
    wanted = (str(root), str(root / "current"), False)
    assert place(root / "current") == wanted
    assert place(root / "current" / "web") == wanted


def test_the_resolved_path_of_a_release(release: Path) -> None:
    """As PM2 keeps it if the app was started from within the link."""
    root = release.parent.parent
    assert place(release) == (str(root), str(root / "current"), False)


def test_a_checkout_and_what_becomes_of_it(tmp_path: Path) -> None:
    checkout = tmp_path / "app"
    (checkout / ".git").mkdir(parents=True)
    root = str(tmp_path / "app-releases")
    assert place(checkout) == (root, str(checkout), True)
    found = locate(APP, Live(str(checkout)))
    found.store.prepare()
    adopt(found, Release("v1", "v1", f"{root}/releases/v1"))
    assert (checkout.is_symlink(), (checkout / ".git").is_dir()) == (True, True)
    assert checkout.resolve() == Path(root, "releases", "v1")
    assert place(checkout) == (root, str(checkout), False)


def test_a_folder_of_the_operators_own(tmp_path: Path) -> None:
    checkout = tmp_path / "app"
    (checkout / ".git").mkdir(parents=True)
    options = Options(name="app", root=str(tmp_path / "elsewhere"))
    assert place(checkout, options)[0] == str(tmp_path / "elsewhere")


def test_any_other_folder_implies_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotCollected, match="neither reached through a link"):
        place(tmp_path)


def test_a_checkout_that_cannot_be_moved_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    found: Layout = locate(APP, Live(str(_with_git(tmp_path / "app"))))
    found.store.prepare()

    def refuse(first: str, second: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(f"{adopt.__module__}._exchange", refuse)
    with pytest.raises(NotCollected, match=r"cannot be moved .* cross-device"):
        adopt(found, Release("v1", "v1", ""))
    assert not (tmp_path / "app").is_symlink()
    assert list(Path(found.store.releases_folder).iterdir()) == []


def test_without_an_exchange_the_checkout_is_moved_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = _checkout_without_exchange(tmp_path, monkeypatch)
    found = locate(APP, Live(str(checkout)))
    adopt(found, Release("v1", "v1", ""))
    assert (checkout.is_symlink(), (checkout / ".git").is_dir()) == (True, True)
    assert place(checkout) == (found.store.root, str(checkout), False)
    assert repair(found.store.root, str(checkout)) is False


def test_a_run_that_is_killed_between_the_two_steps_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = _checkout_without_exchange(tmp_path, monkeypatch)
    found = locate(APP, Live(str(checkout)))
    mark = Path(found.store.records, "adopting")
    mark.write_text(f"{found.store.releases_folder}/v1\n")
    assert repair(found.store.root, str(checkout)) is False, "nothing was moved yet"
    mark.write_text(f"{found.store.releases_folder}/v1\n")
    Path(found.store.releases_folder).mkdir()
    checkout.rename(Path(found.store.releases_folder, "v1"))
    assert repair(found.store.root, str(checkout)) is True
    assert (checkout / ".git").is_dir()
    assert not mark.exists()


def _checkout_without_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app").mkdir()
    checkout = _with_git(tmp_path / "app")
    locate(APP, Live(str(checkout))).store.prepare()

    class Library:
        """A C library without renameat2."""

    monkeypatch.setattr("ctypes.CDLL", lambda *args, **options: Library())
    return checkout


def _with_git(folder: Path) -> Path:
    (folder / ".git").mkdir()
    return folder
