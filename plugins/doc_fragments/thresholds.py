# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of operations that judge what they find."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  thresholds:
    description:
      - Thresholds that differ from the defaults, by name of the check, as the probes have them.
      - Thresholds of other modules' checks are ignored.
    type: dict
    default: {}
"""
