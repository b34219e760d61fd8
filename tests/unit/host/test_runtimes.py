"""Whose a mount is: the operator's, or that of a program that made it for itself."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.host.runtimes import (
    belongs_to_a_runtime,
)

ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("point", "fs_type", "source"),
    [
        (f"/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/{ID}/shm", "tmpfs", "shm"),
        (f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/rootfs", "overlay", "overlay"),
        (f"/var/lib/docker/containers/{ID}/mounts/shm", "tmpfs", "shm"),
        (f"/data/docker/containers/{ID}/mounts/shm", "tmpfs", "shm"),
        (f"/data/docker/containers/{ID}/mounts/secrets", "tmpfs", "tmpfs"),
        (
            "/var/lib/kubelet/pods/0a1b2c3d-0000-1111-2222-333344445555/volumes/"
            "kubernetes.io~csi/pvc-1/mount",
            "ext4",
            "/dev/sdb",
        ),
        (f"/var/lib/docker/devicemapper/mnt/{ID}", "xfs", "/dev/mapper/docker-1"),
        ("/run/user/1000", "tmpfs", "tmpfs"),
        ("/run/user/1000/doc", "fuse.portal", "portal"),
        ("/home/me/.local/share/containers/storage/x/userdata/shm", "tmpfs", "shm"),
        ("/run/netns", "tmpfs", "tmpfs"),
        ("/snap/core/1", "squashfs", "/dev/loop1"),
        ("/var/lib/docker/volumes/share/_data", "nfs4", "server:/x"),
    ],
)
def test_it_is_a_programs_own(point: str, fs_type: str, source: str) -> None:
    assert belongs_to_a_runtime(point, fs_type, source, whole=True)


@pytest.mark.parametrize(
    ("point", "fs_type", "source"),
    [
        ("/", "overlay", "overlay"),
        ("/run", "tmpfs", "tmpfs"),
        ("/dev/shm", "tmpfs", "shm"),
        ("/var/lib/docker", "ext4", "/dev/sdb"),
        ("/var/lib/docker/volumes", "xfs", "/dev/sdb"),
        ("/var/lib/containers/storage", "xfs", "/dev/sdb"),
        ("/var/lib/rancher/k3s/storage", "ext4", "/dev/mapper/vg-k3s"),
        ("/var/lib/kubelet", "ext4", "/dev/sdb"),
        ("/var/lib/postgresql", "ext4", "/dev/sdb"),
        ("/mnt/0a1b2c3d-0000-1111-2222-333344445555/x", "ext4", "/dev/sdb"),
        ("/tmp", "tmpfs", "tmpfs"),
    ],
)
def test_it_is_the_operators(point: str, fs_type: str, source: str) -> None:
    assert not belongs_to_a_runtime(point, fs_type, source, whole=True)
