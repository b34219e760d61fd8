# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator wants mounted, and how: /etc/fstab and systemd's mount units."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ..linux.proc import read_text

FSTAB = "/etc/fstab"
_UNITS = "/etc/systemd/system"
#: Entries that are no storage for programs.
_NO_DISK = re.compile("swap|none|ignore|proc|sysfs|devpts|devtmpfs|cgroup2?|squashfs|iso9660|udf")


@dataclass(frozen=True)
class Declared:
    """How a mount is meant to be."""

    where: str
    """The file that says so."""
    fs_type: str
    """Empty for any."""
    read_only: bool
    at_boot: bool
    """Whether it is mounted when the host starts."""
    optional: bool
    """Whether the host starts without it (``nofail``)."""

    def means(self, fs_type: str) -> bool:
        """Whether a mount of this type is the one that is meant.

        Systems with an immutable root mount something else, such as an overlay, in its place.
        """
        return self.fs_type in ("", fs_type) or fs_type == "fuseblk"


def read_declared() -> dict[str, Declared]:
    """What is declared on this host, by mount point."""
    declared = {}
    with suppress(OSError):
        names = sorted(name for name in os.listdir(_UNITS) if name.endswith(".mount"))
        for path in (os.path.join(_UNITS, name) for name in names):
            with suppress(OSError):
                declared.update(parse_unit(read_text(path), path))
    with suppress(OSError):
        declared.update(parse_fstab(read_text(FSTAB)))
    if os.path.exists("/run/ostree-booted"):  # an immutable root, whatever the file says
        declared.pop("/", None)
    return declared


def parse_fstab(text: str) -> dict[str, Declared]:
    """The entries of ``/etc/fstab`` that mount storage, by mount point."""
    declared = {}
    for line in text.split("\n"):
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        point, fs_type, options = (*fields, "")[1:4]
        point = _unescape(point)
        if point.startswith("/") and not _NO_DISK.fullmatch(fs_type):
            point = point.rstrip("/") or "/"
            declared[point] = _declared(FSTAB, fs_type, options.split(","), at_boot=True)
    return declared


def parse_unit(text: str, path: str) -> dict[str, Declared]:
    """What a mount unit of systemd declares; it is started only where it is installed."""
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            fields[key.strip()] = value.strip()
    point = fields.get("Where", "")
    if not point.startswith("/") or _NO_DISK.fullmatch(fields.get("Type", "")):
        return {}
    options = fields.get("Options", "").split(",")
    return {
        point.rstrip("/") or "/": _declared(path, fields.get("Type", ""), options, at_boot=False)
    }


def _declared(where: str, fs_type: str, options: list[str], *, at_boot: bool) -> Declared:
    # A network mount, a bind mount and "auto" show another type than they are declared with.
    known = fs_type if re.fullmatch("btrfs|ext[234]|f2fs|tmpfs|vfat|xfs", fs_type) else ""
    if "bind" in options or "rbind" in options:
        known = ""
    started = at_boot and not {"noauto", "x-systemd.automount", "comment=systemd.automount"} & {
        *options
    }
    writable = [option for option in options if option in ("ro", "rw", "defaults")]
    return Declared(where, known, writable[-1:] == ["ro"], started, "nofail" in options)


def not_mounted(
    declared: Mapping[str, Declared], mounted: Mapping[str, object]
) -> dict[str, Declared]:
    """What should be mounted and is not, by mount point."""
    return {
        point: entry
        for point, entry in declared.items()
        if entry.at_boot and point not in mounted and os.path.realpath(point) not in mounted
    }


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
