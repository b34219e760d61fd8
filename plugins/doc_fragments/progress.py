# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of the acts whose work can be long."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - File in which to keep what is being done right now, as JSON, for as long as it lasts.
      - Where it is not given, the work is done in the background of the host, and every ten seconds the output says where it is.
    type: path
"""
