# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the operations on PostgreSQL's backups."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  age_program:
    description: Name or path of the program C(age), which encrypts and decrypts.
    type: str
    default: age
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check, as
        M(gpt_agent.runbook.pg_health) takes them. The checks of this module have none.
    type: dict
    default: {}
  timeout:
    description:
      - Seconds to wait for PostgreSQL to answer one question; the run itself is limited by
        O(time_limit).
    type: float
    default: 30.0
"""
