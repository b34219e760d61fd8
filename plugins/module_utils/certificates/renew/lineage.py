# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that certbot keeps, as its files have them.

For each there are numbered versions in ``archive/NAME``, links to one of them in ``live/NAME``, and
``renewal/NAME.conf``, which says how it is renewed.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...core.errors import NotCollected, RunbookError
from ..certificate import Certificate
from ..files import read_certificates

_BECOME = "Run this task with 'become: true': certbot's files are root's."
#: The files of one version.
KINDS = ("cert", "chain", "fullchain", "privkey")
_SETTING = re.compile(r"\s*([\w-]+)\s*=\s*(.*?)\s*$")
_SECTION = re.compile(r"\s*\[+\s*(.+?)\s*\]+\s*$")
_INTERVAL = re.compile(r"(\d+)\s*(hour|day|week|month|year)s?", re.IGNORECASE)
_DAYS = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30, "year": 365}
#: Since this version certbot renews at a share of the lifetime, before that at 30 days.
_BY_SHARE = (4, 0)
_FIXED = timedelta(days=30)
_SHORT = timedelta(days=10)
#: Versions that are compared with what is served, the newest first.
_COMPARED = 5


@dataclass(frozen=True)
class Lineage:
    """One certificate with its versions, as certbot calls it."""

    name: str
    live: str = ""
    """The folder with the links."""
    archive: str = ""
    linked: int = 0
    """The version that the links lead to; 0 if they do not agree."""
    newest: int = 0
    certificate: Certificate | None = None
    """Of the newest version, which certbot judges by."""
    renew_before: str = ""
    """``renew_before_expiry`` of its own, if it has one."""
    automatic: bool = True
    """Whether certbot renews it."""
    server: str = ""
    """URL of its authority."""
    version: tuple[int, ...] = ()
    """Of the certbot that renewed it last."""
    problem: str = ""
    """Why certbot cannot read it."""

    @property
    def fullchain(self) -> str:
        return os.path.join(self.live, "fullchain.pem")

    def file(self, kind: str, version: int) -> str:
        return os.path.join(self.archive, f"{kind}{version}.pem")


def read_lineages(config_dir: str) -> list[Lineage]:
    """All of them by name; none if certbot has no folder. Raises `NotCollected`."""
    folder = os.path.join(config_dir, "renewal")
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotCollected.of(error, _BECOME) from None
    return [_read(config_dir, name[: -len(".conf")]) for name in names if name.endswith(".conf")]


def _read(config_dir: str, name: str) -> Lineage:
    conf = os.path.join(config_dir, "renewal", f"{name}.conf")
    try:
        with open(conf, encoding="utf-8", errors="replace") as stream:
            settings = parse_settings(stream.read())
        cert = settings["cert"]
        live = os.path.dirname(cert)
        archive = settings.get("archive_dir") or os.path.join(config_dir, "archive", name)
        newest = max(complete_versions(os.listdir(archive)), default=0)
        path = os.path.join(archive, f"cert{newest}.pem") if newest else cert
        return Lineage(
            name,
            live,
            archive,
            _linked(live),
            newest,
            read_certificates(path)[0],
            settings.get("renew_before_expiry", ""),
            settings.get("autorenew", "True").lower() not in ("false", "0", "no", "off"),
            settings.get("server", ""),
            tuple(int(part) for part in re.findall(r"\d+", settings.get("version", ""))),
        )
    except KeyError:
        return Lineage(name, problem=f"{conf} names no certificate")
    except PermissionError as error:
        raise NotCollected.of(error, _BECOME) from None
    except NotCollected as error:
        raise NotCollected(str(error), _BECOME) from None
    except RunbookError as error:
        return Lineage(name, problem=str(error))
    except OSError as error:
        return Lineage(name, problem=f"{error.filename}: {error.strerror}")


def parse_settings(text: str) -> dict[str, str]:
    """The settings of a certificate: those before all sections, and the renewal's own."""
    found: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        if begun := _SECTION.match(line):
            section = begun[1]
        elif (setting := _SETTING.match(line)) and section in ("", "renewalparams"):
            found.setdefault(setting[1], setting[2].strip("'\""))
    return found


def complete_versions(names: list[str]) -> set[int]:
    """The versions of which an archive has all files."""
    versions = [
        {int(found[1]) for name in names if (found := re.fullmatch(rf"{kind}(\d+)\.pem", name))}
        for kind in KINDS
    ]
    return set.intersection(*versions)


def _linked(live: str) -> int:
    found = set()
    for kind in KINDS:
        path = os.path.realpath(os.path.join(live, f"{kind}.pem"))
        number = re.fullmatch(rf"{kind}(\d+)\.pem", os.path.basename(path))
        found.add(int(number[1]) if number else 0)
    return found.pop() if len(found) == 1 else 0


def version_of(lineage: Lineage, fingerprint: str) -> int:
    """The version of a certificate with this fingerprint, among the last ones; 0 if there is none.

    A version that cannot be read is left out.
    """
    for version in range(lineage.newest, max(0, lineage.newest - _COMPARED), -1):
        with suppress(RunbookError):
            if read_certificates(lineage.file("cert", version))[0].fingerprint == fingerprint:
                return version
    return 0


def due_at(lineage: Lineage, certbot: tuple[int, ...]) -> datetime | None:
    """When certbot renews it, unless its authority asks for an earlier date.

    None if it never does, or by a rule that is not understood.
    """
    certificate = lineage.certificate
    if certificate is None or not lineage.automatic:
        return None
    if lineage.renew_before:
        before = parse_interval(lineage.renew_before)
        return None if before is None else certificate.not_after - before
    if certbot < _BY_SHARE:
        return certificate.not_after - _FIXED
    lifetime = certificate.not_after - certificate.not_before
    share = lifetime / 2 if lifetime < _SHORT else lifetime / 3
    return certificate.not_after - share


def parse_interval(text: str) -> timedelta | None:
    """``30 days``, or a number of days; none for anything else."""
    text = text.strip()
    if text.isdigit():
        return timedelta(days=int(text))
    found = _INTERVAL.fullmatch(text)
    return timedelta(days=int(found[1]) * _DAYS[found[2].lower()]) if found else None
