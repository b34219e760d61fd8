# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of operations that depend on earlier steps of a playbook."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  requires:
    description:
      - Results of earlier steps that must be true before anything is done, each as V(STEP.KEY), a
        key of the result that a task registered as C(__STEP).
      - If this host has no result of that step, or the key is not true in it, nothing is done, and
        one skipped action says why.
    type: list
    elements: str
    default: []
"""
