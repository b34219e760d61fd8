# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins the image of an app's services, so that a plain 'docker compose up -d' keeps it.

Where the compose file names the image with a variable, that variable is set in ``.env``. Elsewhere
a file of ours gives the services their image; ``COMPOSE_FILE`` in ``.env`` adds it to the others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...core.errors import NotCollected
from ...core.files import write_atomically
from .image import Reference
from .project import PIN_FILE, SEPARATOR, Project, pinned

_HEAD = "# Written by app_release (gpt_agent.runbook): the image of the release that is live.\n"
#: Others may read it: it holds no secret.
_MODE = 0o644


@dataclass(frozen=True)
class Way:
    """How an image is pinned."""

    variable: str = ""
    """The variable in ``.env``; empty for the file of ours."""
    value: str = ""

    @property
    def shown(self) -> str:
        return f"{self.variable} in .env" if self.variable else PIN_FILE


def way(project: Project, image: str) -> Way:
    """How to let every service of the app have this image; raises `NotCollected`."""
    reference = Reference.parse(image)
    tag = "@".join(filter(None, (reference.tag, reference.digest)))
    for variable in project.image_variables():
        for value in dict.fromkeys((image, tag, reference.digest)):
            if value and _follows(project, image, {variable: value}):
                return Way(variable, value)
    return Way()


def pin(project: Project, image: str) -> Way:
    """Pin it, in one step; raises `NotCollected` if Compose would start another one then."""
    if not _others(project, image):
        return Way()
    chosen = way(project, image)
    try:
        if chosen.variable:
            project.env.set(chosen.variable, chosen.value)
        else:
            _write_file(project, image)
    except OSError as error:
        name = error.filename or project.folder
        raise NotCollected(f"{name} cannot be written: {error.strerror}") from None
    others = _others(project, image)
    if others:
        text = ", ".join(f"{service} {found}" for service, found in others.items())
        raise NotCollected(
            f"{chosen.shown} names {image}, but Compose would start {text}",
            "Check where the image is set: a variable of the environment outranks .env.",
        )
    return chosen


def _write_file(project: Project, image: str) -> None:
    files = project.files
    write_atomically(
        os.path.join(project.folder, PIN_FILE), _HEAD + pinned(project.services, image), _MODE
    )
    if PIN_FILE not in files:
        separator = project.env.get("COMPOSE_PATH_SEPARATOR") or SEPARATOR
        project.env.set("COMPOSE_FILE", separator.join((*files, PIN_FILE)))


def _follows(project: Project, image: str, variables: dict[str, str]) -> bool:
    """Whether every service gets the image with these variables."""
    try:
        return not _others(project, image, variables)
    except NotCollected:  # not a name of an image
        return False


def _others(
    project: Project, image: str, variables: dict[str, str] | None = None
) -> dict[str, str]:
    """The services that would get another image, with that one."""
    config = project.config(variables)
    found = {name: config.image(name) for name in project.services}
    return {name: other for name, other in found.items() if other != image}
