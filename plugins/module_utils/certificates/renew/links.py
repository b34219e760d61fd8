# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Back to the certificate before: the links in ``live/NAME`` lead to an earlier version again."""

from __future__ import annotations

import os
from contextlib import suppress

from ...core.errors import NotCollected
from ...core.files import sync_folder
from .lineage import KINDS, Lineage


def link_version(lineage: Lineage, version: int) -> None:
    """Let the links lead to a version; raises `NotCollected`.

    Each link is replaced at once. If this is interrupted, the links disagree, nginx refuses the
    configuration and goes on with what it has, and certbot's next run links the newest version.
    """
    for kind in KINDS:
        target = lineage.file(kind, version)
        if not os.path.isfile(target):
            raise NotCollected(f"{target} does not exist", "Restore it from a backup.")
    try:
        for kind in KINDS:
            link = os.path.join(lineage.live, f"{kind}.pem")
            _replace_link(link, os.path.relpath(lineage.file(kind, version), lineage.live))
        sync_folder(lineage.live)
    except OSError as error:
        raise NotCollected.of(error, "Run this task with 'become: true'.") from None


def _replace_link(link: str, target: str) -> None:
    staged = f"{link}.new"
    with suppress(FileNotFoundError):
        os.unlink(staged)
    os.symlink(target, staged)
    os.replace(staged, link)
