# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the releases of an app are, by the folder that it runs in."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..core.errors import NotCollected
from .backend import Live
from .options import Options
from .store import Store


@dataclass(frozen=True)
class Layout:
    """The releases of an app, and how its working directory leads to the live one."""

    store: Store
    checkout: bool = False
    """Whether the app runs in a plain git checkout, which is not a release yet."""
    image: str = ""
    """Id of the live release's image, for an app that runs in containers."""

    @property
    def current(self) -> str:
        """Path of the live release without links, or its image."""
        return self.image or os.path.realpath(self.store.link)


def locate(options: Options, live: Live) -> Layout:
    """Where the releases are; raises `NotCollected` if the working directory implies nothing."""
    cwd = live.cwd.rstrip("/")
    link = _link_in(cwd)
    if link:
        return Layout(Store(options.root or _root_of(link), link))
    inside = os.path.dirname(cwd)
    beside = os.path.join(os.path.dirname(inside), "current")
    if os.path.basename(inside) == "releases" and os.path.realpath(beside) == os.path.realpath(cwd):
        # PM2 keeps the resolved path of an app that was started from within the link.
        return Layout(Store(options.root or os.path.dirname(inside), beside))
    if os.path.exists(os.path.join(cwd, ".git")):
        return Layout(Store(options.root or f"{cwd}-releases", cwd), checkout=True)
    raise NotCollected(
        f"{options.name} runs in {cwd or 'an unknown folder'}, which is neither reached through a "
        "link to a release nor a git checkout",
        "Deploy it once into a folder 'releases' with a link 'current', and start it through that.",
    )


def _link_in(cwd: str) -> str:
    """The part of a path that is a link to a release; empty if there is none."""
    part = cwd
    while part and part != "/":
        if os.path.islink(part):
            target = os.path.realpath(part)
            is_release = os.path.basename(os.path.dirname(target)) == "releases"
            if is_release or part == cwd:
                return part
        part = os.path.dirname(part)
    return ""


def _root_of(link: str) -> str:
    target = os.path.realpath(link)
    folder = os.path.dirname(target)
    return os.path.dirname(folder if os.path.basename(folder) == "releases" else link)
