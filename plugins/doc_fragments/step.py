# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of operations that are one step of a playbook."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  requires:
    description:
      - Results of earlier steps of this host that must be true, each as V(STEP.KEY), a key of the
        result that a task registered as C(__STEP). Otherwise one skipped action says why.
    type: list
    elements: str
    default: []
  thresholds:
    description:
      - Thresholds that differ from the defaults, by name of the check, as the probes have them.
      - Thresholds of other modules' checks are ignored.
    type: dict
    default: {}
"""
