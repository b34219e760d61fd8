# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts that container engines, login sessions and packages make for themselves."""

from __future__ import annotations

import re

#: Where nothing is the operator's, not even a disk.
_PRIVATE = re.compile(
    "/run/(containerd|containers|credentials|crio|cri-dockerd|docker|k0s|k3s|lxc|lxd|netns|podman"
    "|snapd|systemd|user)(/.*)?|/(snap|var/lib/snapd/snap|var/lib/lxcfs)/.*"
)
#: Folders of container engines: a disk that the operator mounts in one is the operator's.
_ENGINES = re.compile(
    "/var/lib/(cni|containerd|containers|docker|incus|k0s|kubelet|lxc|lxd|machines|nerdctl|rancher)"
    "/.*|/var/snap/.*|/(home/[^/]+|root)/[.]local/share/(containers|docker)/.*"
)
#: What engines mount for one container, wherever their folder is.
_OF_ONE_CONTAINER = re.compile(
    ".*(/[0-9a-f]{64}(/|$)|/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/|/kubernetes[.]io[~/]"
    "|/io[.]containerd[.]|/devicemapper/mnt/|/zfs/graph/|/userdata/shm$|/mounts/shm$).*"
)
_IN_MEMORY = ("tmpfs", "overlay", "fuse.fuse-overlayfs", "ramfs")


def belongs_to_a_runtime(point: str, fs_type: str, source: str, *, whole: bool) -> bool:
    """Whether a program made this mount for itself or for one container.

    How full it is, is that program's business: such as the 64 KiB of a container's /dev/shm, which
    is full once 64 KiB are written to it. A disk mounted at /var/lib/docker is none of them.
    """
    if _PRIVATE.fullmatch(point):
        return True
    if fs_type in _IN_MEMORY and source == "shm" and point != "/dev/shm":  # noqa: S108
        return True
    inside = bool(_ENGINES.fullmatch(point))
    if (fs_type in _IN_MEMORY or inside) and _OF_ONE_CONTAINER.fullmatch(point):
        return True
    return inside and (fs_type in _IN_MEMORY or not whole or not source.startswith("/dev/"))
