# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about the file system of a mount, beside its options."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

from ..linux.proc import read_text
from .mounts import Mount


def inspect(mount: Mount, root: str = "/") -> Mount:
    """The mount with the errors that its file system recorded, and its disk's write protection."""
    if mount.problem or not mount.local or not mount.device:
        return mount
    block = os.path.join(root, "sys/dev/block", mount.device)
    # Named after the kernel's name of the disk, not that of the device mapper.
    recorded = os.path.join(root, "sys/fs/ext4", os.path.basename(os.path.realpath(block)))
    return replace(
        mount,
        device_read_only=_number(f"{block}/ro") == 1,
        errors=_number(f"{recorded}/errors_count"),
        last_error=_number(f"{recorded}/last_error_time"),
    )


def _number(path: str) -> int:
    """The number in a file; 0 if it cannot be read, such as for another file system."""
    with suppress(OSError, ValueError):
        return int(read_text(path))
    return 0
