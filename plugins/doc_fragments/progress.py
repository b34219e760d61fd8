# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operations that can run for long have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - File for the current progress, as JSON. It is removed when the task ends.
      - Without it, the task runs in the background of the host, and its progress is shown every
        ten seconds.
    type: path
attributes:
  async:
    support: full
    description: Runs in the background of the host, so a lost connection does not end it.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
"""
