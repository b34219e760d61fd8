# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options and attributes that every probe has."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check.
      - Each is a mapping with V(warning), V(critical) or both, numbers in the unit of the check. A
        level that is not named keeps its default, V(null) switches it off.
      - C("host.disk_used /backup"), a name, one space and a subject, changes the thresholds for
        that subject only.
      - Thresholds of other modules' checks are ignored, so one setting serves a whole playbook.
      - C(docs/checks.md) lists all checks with their units and default thresholds.
    type: dict
    default: {}
  timeout:
    description:
      - Maximum seconds for the whole probe. It then returns the checks it has made so far.
      - A service that has not answered by then is reported as a check, not as an error.
    type: float
    default: 10.0
attributes:
  check_mode:
    support: full
    description: Returns the same checks, but keeps no counters for the next run.
  diff_mode:
    support: none
    description: A probe changes nothing.
  idempotent:
    support: full
    description: A probe changes nothing, so C(changed) is always V(false).
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
"""
