"""certbot's files: versions, links, and when a certificate is due."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.lineage import (
    Lineage,
    complete_versions,
    due_at,
    parse_interval,
    parse_settings,
    read_lineages,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.links import (
    link_version,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from tests.support.certificates import NOW, certificate
from tests.support.throwaway import issue

DAY = timedelta(days=1)
KINDS = ("cert", "chain", "fullchain", "privkey")


def days_until_due(certbot: tuple[int, ...], lifetime: float = 90, **more: Any) -> float | None:
    """For a certificate that has just been issued."""
    lineage = Lineage("a", certificate=certificate(left=lifetime, lifetime=lifetime), **more)
    due = due_at(lineage, certbot)
    return None if due is None else (due - NOW) / DAY


def test_old_certbots_count_days_and_new_ones_the_share_of_the_lifetime() -> None:
    assert days_until_due((2, 1, 0)) == 60
    assert days_until_due((5, 8, 0)) == 60
    assert days_until_due((2, 1, 0), 47) == 17
    assert days_until_due((5, 8, 0), 45) == 30
    assert days_until_due((5, 8, 0), 6) == 3


def test_a_setting_of_its_own_counts() -> None:
    assert days_until_due((5, 8, 0), renew_before="10 days") == 80
    assert days_until_due((5, 8, 0), renew_before="in a while") is None
    assert days_until_due((5, 8, 0), automatic=False) is None


@pytest.mark.parametrize(
    ("text", "days"), [("30 days", 30), ("14", 14), ("2 weeks", 14), ("1 Day", 1), ("soon", None)]
)
def test_intervals(text: str, days: int | None) -> None:
    assert parse_interval(text) == (None if days is None else timedelta(days=days))


def test_settings_in_a_renewal_file() -> None:
    text = """# renew_before_expiry = 30 days
version = 5.8.0
cert = /etc/letsencrypt/live/a/cert.pem
[renewalparams]
server = https://acme.example/dir
autorenew = False
[[webroot_map]]
cert = /not/this
"""
    assert parse_settings(text) == {
        "version": "5.8.0",
        "cert": "/etc/letsencrypt/live/a/cert.pem",
        "server": "https://acme.example/dir",
        "autorenew": "False",
    }


def test_a_version_counts_with_all_of_its_files() -> None:
    names = [f"{kind}{number}.pem" for kind in KINDS for number in (1, 2)]
    assert complete_versions([*names, "cert3.pem", "cert2.pem.old"]) == {1, 2}


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    """certbot's folder with one certificate in two versions."""
    archive, live = tmp_path / "archive" / "a", tmp_path / "live" / "a"
    for folder in (archive, live, tmp_path / "renewal"):
        folder.mkdir(parents=True)
    for version in (1, 2):
        pem = issue("a", names=["a"]).pem
        for kind in KINDS:
            (archive / f"{kind}{version}.pem").write_bytes(pem)
    for kind in KINDS:
        (live / f"{kind}.pem").symlink_to(f"../../archive/a/{kind}2.pem")
    (tmp_path / "renewal" / "a.conf").write_text(f"cert = {live}/cert.pem\n")
    return tmp_path


def test_a_certificate_with_its_versions(config_dir: Path) -> None:
    (found,) = read_lineages(str(config_dir))
    assert (found.name, found.newest, found.linked, found.problem) == ("a", 2, 2, "")


def test_links_back_to_an_earlier_version(config_dir: Path) -> None:
    (found,) = read_lineages(str(config_dir))
    link_version(found, 1)
    (after,) = read_lineages(str(config_dir))
    assert (after.newest, after.linked) == (2, 1)
    assert (config_dir / "live" / "a" / "cert.pem").readlink() == Path("../../archive/a/cert1.pem")
    with pytest.raises(NotCollected, match=r"cert7\.pem does not exist"):
        link_version(after, 7)


def test_links_that_disagree(config_dir: Path) -> None:
    link = config_dir / "live" / "a" / "privkey.pem"
    link.unlink()
    link.symlink_to("../../archive/a/privkey1.pem")
    (found,) = read_lineages(str(config_dir))
    assert found.linked == 0


def test_what_certbot_could_not_read_either(config_dir: Path) -> None:
    (config_dir / "renewal" / "b.conf").write_text("archive_dir = /nowhere\n")
    (config_dir / "renewal" / "c.conf").write_text("cert = /nowhere/cert.pem\n")
    found = read_lineages(str(config_dir))
    assert [one.name for one in found] == ["a", "b", "c"]
    assert "names no certificate" in found[1].problem
    assert "No such file" in found[2].problem


def test_no_certbot_has_been_here(tmp_path: Path) -> None:
    assert read_lineages(str(tmp_path / "none")) == []
