"""Every situation with a known truth gets its verdict; ``make truth`` prints them as a table."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.truth import SITUATIONS, Bed, Situation

for file in sorted(Path(__file__).parent.glob("*.py")):
    if not file.name.startswith(("test_", "conftest", "__")):
        importlib.import_module(f"{__package__}.{file.stem}")


@pytest.mark.parametrize(
    "situation", SITUATIONS, ids=lambda situation: f"{situation.service}: {situation.words}"
)
def test_the_verdict_is_right(
    situation: Situation,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record_property: pytest.FixtureDef[object],
) -> None:
    with ExitStack() as ends:
        found = situation.judge(situation.look(Bed(request, tmp_path, ends)))
    record_property("truth", (situation.service, situation.words, found))


def test_no_situation_is_described_twice() -> None:
    described = [(situation.service, situation.words) for situation in SITUATIONS]
    assert described
    assert len(set(described)) == len(described)
