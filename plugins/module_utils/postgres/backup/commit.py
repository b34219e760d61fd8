# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a backup gets its final name, and how it loses it: each step leaves a state that is known.

A partial manifest whose data has its final name is the one state in between. `complete` finishes
it.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress

from ...core.errors import NotCollected
from ...core.files import PARTIAL, sync_folder
from .manifest import Manifest, read_manifest, write_manifest
from .naming import MANIFEST, Name, manifest_time, parse_name

_PARTIAL_MANIFEST = re.compile(rf"{re.escape(PARTIAL)}[0-9a-f]+-(.+\.{re.escape(MANIFEST)})")


def partial_manifest(folder: str, run: str, name: Name) -> str:
    """Path of a manifest until its backup is complete."""
    return os.path.join(folder, f"{PARTIAL}{run}-{name.manifest}")


def commit(folder: str, run: str, name: Name, manifest: Manifest) -> None:
    """Give a backup its final name; its data is flushed already. Raises OSError."""
    partial = partial_manifest(folder, run, name)
    write_manifest(partial, manifest)
    sync_folder(folder)
    os.rename(os.path.join(folder, name.partial(run)), os.path.join(folder, str(name)))
    os.rename(partial, os.path.join(folder, name.manifest))
    sync_folder(folder)


def remove(folder: str, run: str, name: Name) -> None:
    """Remove a backup and its manifest; raises OSError.

    A run that is killed before the data is renamed leaves what `complete` turns into the whole
    backup again; after that, what `discard` removes.
    """
    partial = partial_manifest(folder, run, name)
    data = os.path.join(folder, name.partial(run))
    os.rename(os.path.join(folder, name.manifest), partial)
    os.rename(os.path.join(folder, str(name)), data)
    sync_folder(folder)
    discard(partial)
    discard(data)


def complete(partial: str) -> str:
    """Finish a commit that was interrupted between its two renames, or a removal before them.

    Returns the name of the backup; empty if ``partial`` is no such manifest.
    """
    folder, entry = os.path.split(partial)
    found = _PARTIAL_MANIFEST.fullmatch(entry)
    if found is None or not manifest_time(found[1]):
        return ""
    try:
        manifest = read_manifest(partial)
    except NotCollected:
        return ""
    name = parse_name(manifest.name)
    final = os.path.join(folder, found[1])
    if name is None or name.manifest != found[1] or os.path.lexists(final):
        return ""
    if not os.path.lexists(os.path.join(folder, str(name))):
        return ""
    os.rename(partial, final)
    sync_folder(folder)
    return str(name)


def discard(path: str) -> None:
    """Remove a file or folder with a partial name; raises OSError."""
    if not os.path.basename(path).startswith(PARTIAL):
        raise ValueError(f"{path} is not partial")
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)
