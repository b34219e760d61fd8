# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of every module for PostgreSQL's backups."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  bin_dir:
    description:
      - Folder of PostgreSQL's client programs, the only one that is searched. Without it, they are
        searched in E(PATH) and in the folders of the distributions' packages.
    type: path
"""
