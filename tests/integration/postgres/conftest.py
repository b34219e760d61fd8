"""Which tests of PostgreSQL run on which of its versions; all run on the demo's, the newest."""

from __future__ import annotations

import pytest

from tests.support.postgres import FOLDERS

#: Folders of tests that run on the oldest version, too: their statements are many.
ON_THE_OLDEST = ("maintenance", "review", "sessions")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of what differs between versions run on each of them."""
    folders = []
    if metafunc.definition.get_closest_marker("every_version"):
        folders = FOLDERS
    elif metafunc.definition.path.parent.name in ON_THE_OLDEST:
        folders = FOLDERS[:1]
    itself = any("own" in mark.args for mark in metafunc.definition.iter_markers("parametrize"))
    if folders and "own" in metafunc.fixturenames and not itself:
        names = [f"native-{folder}" for folder in folders]
        metafunc.parametrize("own", ["", *folders], indirect=True, ids=["demo", *names])
