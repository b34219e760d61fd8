#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_health
short_description: Check a host's processors, memory, disks, load, swap, failed units and clock
version_added: "0.1.0"
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
description:
  - Checks the host it runs on and returns one check for each finding. It changes nothing, unless
    O(canary) allows a real write.
  - A container is judged by its own processor and memory limits (cgroup version 1 or 2), unless the
    host machine is in worse shape.
  - C(host.cpu) compares with the counters of an earlier run that was 1 to 15 minutes ago, the
    closest to five minutes, if there is one in O(state_dir) since the host started. C(window) says
    how long. Otherwise it is measured during this run, for up to O(cpu_interval). A value beyond
    its threshold is then V(critical) only if the five-minute load, or the share of five minutes in
    which tasks waited for a processor, shows that it has been like that; V(warning) if this has
    lasted about a minute; and else V(ok). Waiting for disk I/O does not count as busy, time stolen
    by other virtual machines does, the probe's own work does not.
  - C(host.memory) is the memory that is not available to programs, as the kernel estimates it
    (C(MemAvailable)). File cache does not count as used.
  - C(host.disk_used) and C(host.inodes_used) check each file system once, by its shortest mount
    point, and count as C(df) does, without the blocks that are reserved for root. Pseudo file
    systems, images such as squashfs, bind mounts, and overlays other than C(/) are left out. So are
    the mounts that container engines, login sessions and snaps make for themselves, but not a disk
    that is mounted at C(/var/lib/docker); and the inodes of file systems that create them as
    needed, such as btrfs. A mount that is read-only cannot fill up, so it is not judged.
  - C(host.filesystem_writable) is V(critical) if a write would fail now. The kernel stopped the
    file system after an error (C(emergency_ro), C(shutdown), or read-only although mounted
    read-write), it is read-only or not mounted although C(/etc/fstab) or a systemd unit says
    otherwise, or nothing is left for programs that do not run as root. It is V(warning) if the file
    system recorded errors and goes on. A mount that is meant to be read-only is V(ok).
  - The space of a network mount that gives no answer within two seconds is V(unknown), and
    C(host.filesystem_writable) is V(warning) there. It does not delay the other checks. One whose
    server is gone for good is V(critical).
  - C(host.load) is the five-minute load of the host machine for each of its processors,
    in a container too.
  - C(host.oom_kills) counts since the last run. The first run counts since boot, or since the start
    of a container that has a memory limit.
  - C(host.failed_units) is left out if systemd is not the first process.
  - C(host.clock) is what the kernel reports. It is not judged in a container whose host machine
    does not report a synchronised clock.
options:
  cpu_interval:
    description:
      - Seconds over which the processors are measured if they look busy, by the load and the
        waiting tasks of the last minute, and no recent run says more. The other checks run
        meanwhile.
      - Otherwise they are measured for as long as the other checks take.
    type: float
    default: 1.0
  mounts:
    description:
      - Mount points to check, and no others. One that is not mounted is V(critical).
      - If empty, every real mount is checked.
    type: list
    elements: path
    default: []
  mounts_ignore:
    description:
      - Shell patterns of mount points to leave out, beside those that programs make for themselves.
        C(*) matches slashes too.
      - Has no effect on the mount points in O(mounts).
    type: list
    elements: str
    default: []
  canary:
    description:
      - Also write a small file to each mount that is mounted read-write, flush it to disk and
        delete it. This finds what only a write finds, such as a frozen file system, an export that
        is read-only on its server, or a used-up quota of this user.
      - The file is C(.gpt-agent-runbook-canary-UID) in the mount point, and 4 KiB long. Needs
        O(ignore:become) where only root can write there. Check mode writes nothing.
    type: bool
    default: false
notes:
  - Evidence names processes as the kernel does, without their arguments, which may contain secrets.
  - Needs no privilege. An ordinary user does not see mounts in folders that it cannot read, nor
    other users' processes if C(/proc) is mounted with C(hidepid). Use C(become) there.
extends_documentation_fragment:
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.state
"""

EXAMPLES = r"""
- name: Check the host
  gpt_agent.runbook.host_health:

- name: Check only the data disks, with lower thresholds for the one with the backups
  gpt_agent.runbook.host_health:
    mounts: [/, /var/lib/postgresql, /backup]
    thresholds:
      host.disk_used /backup: {warning: 60, critical: 75}
"""

RETURN = r"""
checks:
  description: >-
    The checks; one C(host.disk_used), C(host.inodes_used) and C(host.filesystem_writable) for each
    mount.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      sample: host.disk_used
    subject:
      description: The mount point, for the checks of disks.
      type: str
      sample: /var/lib/postgresql
    status:
      description: V(ok), V(warning), V(critical), or V(unknown) if it could not be judged.
      type: str
      sample: warning
    value:
      description: The measured value, if there is one.
      type: float
      sample: 84.2
    unit:
      description: Unit of the value and its thresholds.
      type: str
      sample: percent
    warning:
      description: Threshold of the warning.
      type: float
      sample: 80.0
    critical:
      description: Threshold beyond which it is critical.
      type: float
      sample: 90.0
    direction:
      description:
        - On which side of its thresholds the value is bad, V(above) or V(below).
        - Empty if the check has no thresholds.
      type: str
      sample: above
    not_judged:
      description: >-
        Why an V(ok) is no verdict: too little to judge by yet, or nothing to compare with; else
        empty.
      type: str
    summary:
      description: The finding in one line.
      type: str
      sample: 84.2 % used, 15.8 GiB of 100 GiB free
    remedy:
      description: What to do about it; empty if it is ok.
      type: str
      sample: >-
        Clean logs, increase storage: 'du -xh --max-depth=2 MOUNT | sort -h' shows what fills it.
    window:
      description: Time span that the value covers; empty for a value of the moment.
      type: str
      sample: ""
    evidence:
      description: The rows behind the verdict.
      type: list
      elements: dict
      sample: [{device: /dev/sdb1, type: ext4, used: 84.2 GiB, free: 15.8 GiB}]
"""

from collections.abc import Iterator
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import read_options, run_probe
from ..module_utils.core.state import StateFile, store_sample
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.host.assess import assess, no_answer
from ..module_utils.host.checks import CHECKS
from ..module_utils.host.collect import collect, cpu_state
from ..module_utils.host.options import Options

ARGUMENT_SPEC = {
    "cpu_interval": {"type": "float", "default": 1.0},
    "mounts": {"type": "list", "elements": "path", "default": []},
    "mounts_ignore": {"type": "list", "elements": "str", "default": []},
    "canary": {"type": "bool", "default": False},
    **STATE_OPTION,
    **PROBE_OPTIONS,
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = read_options(module, Options.from_params)
    if module.check_mode:
        options = replace(options, canary=False)
    state = StateFile(options.state_dir, "host", "this host")

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        snapshot = collect(options, state, deadline)
        if snapshot.sample:
            store_sample(module, state, snapshot.sample)
        if snapshot.cpu_sample:
            store_sample(module, cpu_state(options), snapshot.cpu_sample)
        yield from assess(snapshot, thresholds)

    run_probe(module, CHECKS, probe, lambda thresholds: no_answer(options, thresholds))


if __name__ == "__main__":
    main()
