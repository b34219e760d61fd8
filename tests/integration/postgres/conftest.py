"""Which tests of PostgreSQL run on which of its versions."""

from __future__ import annotations

import pytest

from tests.support.postgres import FOLDERS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of what differs between versions run on each of them, the others on the demo's."""
    if metafunc.definition.get_closest_marker("every_version"):
        names = [f"native-{folder}" for folder in FOLDERS]
        metafunc.parametrize("own", ["", *FOLDERS], indirect=True, ids=["demo", *names])
