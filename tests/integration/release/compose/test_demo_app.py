"""The demo's app under Docker Compose: forth and back, and a version that answers 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunModule
from tests.support.compose_app import ComposeApp, Images
from tests.support.demo_image import COMPOSE, PATH, DemoImages


@pytest.fixture
def app(images: Images, run_module: RunModule, tmp_path: Path) -> Iterator[ComposeApp]:
    (tmp_path / "demo").mkdir()
    demo = DemoImages(tmp_path / "demo", images.registry)
    for version in ("v1.0.0", "v1.1.0", "v1.2.0"):
        demo.make(version)
    found = ComposeApp(tmp_path, images, run_module)
    found.url = f"http://127.0.0.1:{found.port}{PATH}"
    found.options.update(health_urls=[found.url], version_url=found.url, start_within=15.0)
    text = COMPOSE.format(image="${APP_IMAGE}", port=found.port)
    (found.folder / "compose.yaml").write_text(text)
    (found.folder / ".env").write_text(f"APP_IMAGE={demo.repository}:v1.0.0\n")
    try:
        found.up()
        yield found
    finally:
        found.remove()
        demo.remove()


def test_forth_and_back_and_a_version_that_answers_500(app: ComposeApp) -> None:
    assert app.serving() == "1.0.0"
    assert app.deploy("v1.1.0")["proven"]
    assert app.serving() == "1.1.0"
    with app.requests() as requests:
        answer = app.deploy("v1.2.0")
    assert answer["failed"], answer
    assert answer["msg"].startswith("Nothing was changed"), answer
    assert requests.failures == []
    assert requests.versions == {"1.1.0"}
    answer = app.roll_back()
    assert "20260302090000_create_documents" in answer["msg"], answer
    answer = app.roll_back(compatible_migrations=["20260302090000_create_documents"])
    assert answer["proven"], answer
    assert app.serving() == "1.0.0"
