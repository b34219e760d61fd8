# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of the probes that compare counters with the last run."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state_dir:
    description:
      - Folder on the host for the counters of the last run, so that the next run can judge what
        happened since.
      - Created with mode 0700 if it is missing. Its files have mode 0600 and contain only numbers,
        no secrets.
      - Defaults to C(/var/lib/gpt-agent-runbook) for root, otherwise to
        C($XDG_STATE_HOME/gpt-agent-runbook), where E(XDG_STATE_HOME) defaults to C(~/.local/state).
    type: path
"""
