# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of modules that recover a service."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  unit:
    description:
      - The systemd unit of the service. Unless given, it is found by process, port and usual names;
        none is used if several are possible.
    type: str
  restart_command:
    description:
      - The command that restarts the service, with its arguments, instead of a systemd unit; such
        as V([docker, restart, cache]). If a restart is the cure and the host cannot run it, that is
        an error that says why, in check mode, too.
    type: list
    elements: str
  log_file:
    description:
      - The log of the service. Found by its configuration unless it is given.
    type: path
  confirm:
    description:
      - The host once more, by its name in the inventory, as a guard against a slip. A name that no
        host of the play has is an error, and nothing is restarted. With the name of another one
        only the plan is shown here, as in check mode.
    type: str
    default: ""
  timeout:
    description:
      - Seconds for each inspection of the service.
    type: float
    default: 10.0
  wait:
    description:
      - Seconds to wait after a restart until the service works. If systemd gives up, it is not
        waited for.
    type: float
    default: 60.0
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check. The checks of this module
        have none.
    type: dict
    default: {}
  attempt:
    description:
      - How a restart ended. Set once the service has been restarted, so that the result can be
        verified; not for playbooks.
    type: dict
    suboptions:
      failed:
        description: Whether the restart failed.
        type: bool
        default: false
      text:
        description: What it said then.
        type: str
        default: ""
      seconds:
        description: Seconds that it took.
        type: float
        default: 0.0
      because:
        description: The cause that called for it.
        type: str
        default: ""
attributes:
  async:
    support: none
    description: Looks, restarts and looks again, which takes several steps.
  check_mode:
    support: full
    description: Looks, and shows the restart that it would make.
  diff_mode:
    support: full
    description: Shows the restart before, and nothing afterwards.
  idempotent:
    support: full
    description: A service that works, or is only starting, is left alone.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
"""
