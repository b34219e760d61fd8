# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the run itself."""

from __future__ import annotations

from .definition import Definition

CHECKS: dict[str, Definition] = {
    "runbook.step": Definition(
        "The step of the playbook ran.",
        "Fix what the message names, then run the playbook again.",
    ),
}
