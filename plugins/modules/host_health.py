#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_health
short_description: Look at a host's processors, memory, disks, load, swap, OOM kills, failed units and clock
version_added: "0.1.0"
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
description:
  - Looks at the host it runs on and returns one check for each thing it looked at. It changes nothing.
  - A container is judged by its own processor and memory limits (cgroup version 1 or 2), unless the machine below it is in worse shape.
  - C(host.cpu) is measured over O(cpu_interval); waiting for a disk does not count as busy, time taken by other virtual machines does.
    As the runbook means five minutes, a value beyond its limits is V(ok) while the five-minute load says that it is a matter of moments.
  - C(host.memory) is what programs cannot get, as the kernel estimates it (C(MemAvailable)); file cache does not count as used.
  - C(host.disk_used) and C(host.inodes_used) look at each file system once, by its shortest mount point, and count as
    C(df) does, without the blocks reserved for root. Pseudo file systems, images such as squashfs, bind mounts, and overlays
    other than C(/) are left out; so are inodes of file systems that make them as needed, such as btrfs.
  - A network mount that gives no answer within two seconds is V(unknown) and does not hold up the rest; one whose server
    has gone for good is V(critical).
  - C(host.load) is the five-minute load of the machine for each of its processors, in a container too.
  - C(host.oom_kills) counts since the last run, or since boot (since its start, in a container with a memory limit) at the first.
  - C(host.failed_units) is left out where systemd is not the first process.
  - C(host.clock) is the kernel's own account. In a container whose machine does not say that its clock is set, it is V(unknown).
options:
  cpu_interval:
    description:
      - Seconds over which the processors are watched. The other things are looked at meanwhile.
    type: float
    default: 0.2
  mounts:
    description:
      - Mount points to look at, and no others. One that is not mounted is V(critical).
      - Looks at every real mount where this is empty.
    type: list
    elements: path
    default: []
  mounts_ignore:
    description:
      - Shell patterns of mount points to leave out. C(*) matches slashes too.
      - Has no effect on the mount points in O(mounts).
    type: list
    elements: str
    default:
      - /run/credentials/*
      - /run/user/*
      - /snap/*
      - /var/lib/containers/*
      - /var/lib/docker/*
      - /var/lib/kubelet/*
notes:
  - Evidence names processes as the kernel does, without their arguments, which may hold secrets.
  - Needs no privilege. An ordinary user does not see mounts below folders that are closed to it, nor other users' processes
    where C(/proc) is mounted with C(hidepid); use C(become) there.
extends_documentation_fragment:
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.state
"""

EXAMPLES = r"""
- name: Look at the host
  gpt_agent.runbook.host_health:

- name: Look at the data disks alone, with room to spare on the one for backups
  gpt_agent.runbook.host_health:
    mounts: [/, /var/lib/postgresql, /backup]
    thresholds:
      host.disk_used /backup: {warning: 60, critical: 75}
"""

RETURN = r"""
checks:
  description: What was looked at, in this order; one C(host.disk_used) and C(host.inodes_used) for each mount.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      sample: host.disk_used
    subject:
      description: The mount point, where there are several.
      type: str
      sample: /var/lib/postgresql
    status:
      description: V(ok), V(warning), V(critical), or V(unknown) where there was nothing to base a verdict on.
      type: str
      sample: warning
    value:
      description: The measured value, or none.
      type: float
      sample: 84.2
    unit:
      description: Unit of the value and its limits.
      type: str
      sample: percent
    warning:
      description: Limit of the warning.
      type: float
      sample: 80.0
    critical:
      description: Limit beyond which it is critical.
      type: float
      sample: 90.0
    summary:
      description: The finding in one line.
      type: str
      sample: 84.2 % used, 15.8 GiB of 100 GiB free
    remedy:
      description: What to do about it.
      type: str
      sample: "Clean logs, increase storage: 'du -xh --max-depth=2 MOUNT | sort -h' shows what fills it."
    window:
      description: What the value covers, where it covers a span of time.
      type: str
      sample: ""
    evidence:
      description: The few rows behind the verdict.
      type: list
      elements: dict
      sample: [{device: /dev/sdb1, type: ext4, used: 84.2 GiB, free: 15.8 GiB}]
"""

from collections.abc import Iterator

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.errors import UsageError
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import run_probe
from ..module_utils.core.state import StateFile, store_sample
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.host.assess import Wanted, assess, collect, silent
from ..module_utils.host.checks import CHECKS
from ..module_utils.host.mounts import IGNORED

ARGUMENT_SPEC = {
    "cpu_interval": {"type": "float", "default": 0.2},
    "mounts": {"type": "list", "elements": "path", "default": []},
    "mounts_ignore": {"type": "list", "elements": "str", "default": IGNORED},
    **STATE_OPTION,
    **PROBE_OPTIONS,
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        if not 0.1 <= params["cpu_interval"] <= params["timeout"] / 2:
            raise UsageError(
                f"cpu_interval: {params['cpu_interval']:g} is not between 0.1 and half of the timeout of {params['timeout']:g} seconds"
            )
        state = StateFile(params["state_dir"], "host", "this host")
        wanted = Wanted(params["cpu_interval"], params["mounts"], params["mounts_ignore"])
        snapshot, sample = collect(wanted, state, deadline)
        if sample:
            store_sample(module, state, sample)
        yield from assess(snapshot, thresholds)

    run_probe(module, CHECKS, probe, lambda thresholds: silent(thresholds, params["timeout"]))


if __name__ == "__main__":
    main()
