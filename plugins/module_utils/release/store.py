# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on a host: their folders, the link to the current one, and what is recorded of them.

<root>/current -> releases/<id>        what the app's manager starts
<root>/releases/<id>/                  one folder for each release
<root>/.runbook/releases/<id>.json     its record
<root>/.runbook/releases/<id>.building  its build has begun and not ended
<root>/.runbook/history.jsonl          every switch, oldest first
<root>/.runbook/pending.json           the switch in progress; a killed run leaves it behind
<root>/.runbook/failed-build.json      what the last build that failed had to say
<root>/.runbook/gates/<id>.json        the answers that were given before and after its deployment
<root>/.runbook/origin                 the repository that releases are built from
<root>/.runbook/repository.git         a copy of it
<root>/.runbook/lock                   one run at a time
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..core.errors import NotCollected
from ..core.files import PARTIAL, sync_folder, write_atomically
from .record import FailedBuild, Release, Switch, as_json, release_from_json

#: Folder of the records, below the root.
FOLDER = ".runbook"
#: How the mark of a release ends that is being built.
_BUILDING = ".building"


@dataclass(frozen=True)
class Pending:
    """A switch in progress, written down before anything that serves is touched."""

    kind: str
    """``deploy`` or ``rollback``."""
    before: str
    """Id of the release that was live when it began, to which a failure returns."""
    after: str
    started: float
    """Unix time."""
    owner: str = ""
    phase: str = "switch"
    """``switch``, ``verify`` or ``revert``: what was being done last."""


class Store:
    """The releases below one root."""

    def __init__(self, root: str, link: str = "") -> None:
        """``link`` leads to the live release; ``current`` in the root unless given."""
        self.root = root
        self.records = os.path.join(root, FOLDER)
        self.releases_folder = os.path.join(root, "releases")
        self.link = link or os.path.join(root, "current")
        self.lock = os.path.join(self.records, "lock")

    def prepare(self) -> None:
        """Make the folder of the records; raises OSError."""
        os.makedirs(os.path.join(self.records, "releases"), mode=0o700, exist_ok=True)

    def releases(self) -> dict[str, Release]:
        """Every recorded release whose folder exists, or that has an image, by id; raises
        `NotCollected`.
        """
        folder = os.path.join(self.records, "releases")
        found = {}
        for name in _names(folder):
            if name.endswith(".json") and not name.startswith(PARTIAL):
                release = _read_release(os.path.join(folder, name))
                if release.image or os.path.isdir(release.path):
                    found[release.id] = release
        return found

    def write(self, release: Release) -> None:
        """Record a release, in place of what was recorded of it; raises OSError."""
        path = os.path.join(self.records, "releases", f"{release.id}.json")
        write_atomically(path, json.dumps(as_json(release), indent=1) + "\n")

    def forget(self, release: Release) -> None:
        """Remove the record of a release that is gone."""
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self.records, "releases", f"{release.id}.json"))

    @property
    def origin(self) -> str:
        """The repository that a release was built from last; empty if there is none."""
        with suppress(OSError), open(os.path.join(self.records, "origin")) as stream:
            return stream.read().strip()
        return ""

    def remember_origin(self, origin: str) -> None:
        """For an adopted checkout: no release but the adopted one names it. Raises OSError."""
        write_atomically(os.path.join(self.records, "origin"), f"{origin}\n")

    def unfinished(self) -> list[str]:
        """Ids of the releases whose build has begun and not ended."""
        names = _names(os.path.join(self.records, "releases"))
        return sorted(name[: -len(_BUILDING)] for name in names if name.endswith(_BUILDING))

    def begin_build(self, identity: str) -> None:
        """Write down that a release is being built; raises OSError."""
        write_atomically(self._mark(identity), "")

    def end_build(self, identity: str) -> None:
        """The build has ended, or its folder is gone."""
        with suppress(FileNotFoundError):
            os.unlink(self._mark(identity))

    def failed_build(self) -> FailedBuild | None:
        """The last build that failed; none if there is none, or its record is damaged."""
        with suppress(OSError, ValueError, TypeError), open(self._failed_build) as stream:
            return FailedBuild(**json.load(stream))
        return None

    def keep_failed_build(self, failed: FailedBuild) -> None:
        """In place of the one before; raises OSError."""
        write_atomically(self._failed_build, json.dumps(as_json(failed), indent=1) + "\n")

    def forget_failed_build(self, identity: str = "") -> None:
        """This release was built after all; without one, whichever it was."""
        failed = self.failed_build()
        if failed and identity in ("", failed.release):
            os.unlink(self._failed_build)

    @property
    def _failed_build(self) -> str:
        return os.path.join(self.records, "failed-build.json")

    def _mark(self, identity: str) -> str:
        return os.path.join(self.records, "releases", f"{identity}{_BUILDING}")

    def history(self) -> list[Switch]:
        """Every switch, oldest first; a line that a power failure has cut is left out."""
        switches = []
        for line in _lines(os.path.join(self.records, "history.jsonl")):
            with suppress(ValueError, TypeError):
                switches.append(Switch(**json.loads(line)))
        return switches

    def append(self, switch: Switch) -> None:
        """Add a switch to the history, flushed to disk; raises OSError."""
        path = os.path.join(self.records, "history.jsonl")
        with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as stream:
            stream.write(json.dumps(as_json(switch)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def pending(self) -> Pending | None:
        """The switch that an earlier run has not finished; raises `NotCollected`."""
        path = os.path.join(self.records, "pending.json")
        if not os.path.exists(path):
            return None
        try:
            return Pending(**_read(path))
        except (TypeError, ValueError):
            raise NotCollected(
                f"{path} is damaged", "Find out which release is live, then remove this file."
            ) from None

    def begin(self, pending: Pending) -> None:
        """Write down what is about to happen, or its next phase; raises OSError."""
        path = os.path.join(self.records, "pending.json")
        write_atomically(path, json.dumps(as_json_pending(pending)) + "\n")

    def finish(self) -> None:
        """The switch has ended, one way or the other."""
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self.records, "pending.json"))

    def current(self) -> str:
        """Path of the live release with all links resolved; empty if there is no link."""
        return os.path.realpath(self.link) if os.path.islink(self.link) else ""

    def point(self, path: str) -> None:
        """Let the link show to a release, with no moment in between; raises OSError."""
        parent, name = os.path.split(self.link)
        beside = os.path.join(parent, f"{PARTIAL}{name}")
        with suppress(FileNotFoundError):
            os.unlink(beside)
        os.symlink(os.path.relpath(path, os.path.realpath(parent)), beside)
        os.replace(beside, self.link)
        sync_folder(parent)


def as_json_pending(pending: Pending) -> dict[str, Any]:
    """Plain data."""
    return dict(vars(pending))


def _read_release(path: str) -> Release:
    try:
        return release_from_json(_read(path))
    except (TypeError, ValueError):
        raise NotCollected(
            f"{path} is damaged", "Restore it, or remove it: the release is unknown then."
        ) from None


def _read(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream)
    except OSError as error:
        raise NotCollected(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.readlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotCollected(f"{path} cannot be read: {error.strerror}") from None


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotCollected(f"{folder} cannot be read: {error.strerror}") from None
