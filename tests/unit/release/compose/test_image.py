"""How images are named, and what is known of them."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.choose import (
    identity,
    release_of,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.compose.image import (
    Image,
    Reference,
    image_from,
    wanted,
)

DIGEST = f"sha256:{'a1' * 32}"
APP = "registry.example.com:5000/team/app"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("app", ("app", "", "")),
        ("app:v1", ("app", "v1", "")),
        (APP, (APP, "", "")),
        (f"{APP}:v1", (APP, "v1", "")),
        (f"{APP}@{DIGEST}", (APP, "", DIGEST)),
        (f"{APP}:v1@{DIGEST}", (APP, "v1", DIGEST)),
    ],
)
def test_the_parts_of_a_name(text: str, parts: tuple[str, str, str]) -> None:
    found = Reference.parse(text)
    assert (found.repository, found.tag, found.digest) == parts
    assert str(found) == text


@pytest.mark.parametrize(
    ("asked", "image"),
    [
        ("v2", f"{APP}:v2"),
        (DIGEST, f"{APP}@{DIGEST}"),
        ("other/app:v2", "other/app:v2"),
        ("other/app", "other/app:latest"),
        (f"other@{DIGEST}", f"other@{DIGEST}"),
    ],
)
def test_what_an_operator_means(asked: str, image: str) -> None:
    assert str(wanted(asked, APP)) == image


def test_what_the_engine_says() -> None:
    config = {
        "ExposedPorts": {"3000/tcp": {}, "53/udp": {}},
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {"org.opencontainers.image.revision": "3f2a91c"},
        "WorkingDir": "/app",
    }
    found = image_from({"Id": DIGEST, "Config": config, "RepoDigests": [f"{APP}@{DIGEST}"]})
    assert (found.ports, found.has_health_check, found.folder) == ((3000,), False, "/app")
    assert (found.revision, found.digest_in(APP), found.digest_in("app")) == ("3f2a91c", DIGEST, "")
    assert image_from({"Id": DIGEST, "Config": None}).ports == ()
    config["Healthcheck"] = {"Test": ["CMD", "check"]}
    assert image_from({"Id": DIGEST, "Config": config}).has_health_check


def test_a_release_is_named_by_tag_and_digest() -> None:
    known = Image("sha256:feed", (f"{APP}@{DIGEST}",))
    release = release_of(known, Reference(APP, "v1"))
    assert (release.id, release.image) == ("v1-a1a1a1a", f"{APP}:v1@{DIGEST}")
    assert (release.path, release.adopted) == ("sha256:feed", True)
    assert identity("feature/x y", DIGEST) == "feature-x-y-a1a1a1a"


def test_an_image_that_is_in_no_registry_is_named_by_the_tag_that_keeps_it() -> None:
    release = release_of(Image("sha256:feedfeedfeedfeed"), Reference("app", "v1"))
    assert release.image == "app:runbook-feedfeedfeed"
    assert release.id == "v1-feedfee"
