# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the releases of an app are, for the modules that work with them."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation."""

    DOCUMENTATION = r"""
options:
  name:
    description: Name of the app in PM2's list.
    type: str
    required: true
  root:
    description:
      - Folder of the releases, as M(gpt_agent.runbook.app_release) has it. By default it follows
        from the working directory of the app.
    type: path
"""
