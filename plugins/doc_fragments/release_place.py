# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an app and its releases are: shared by the modules that work with them."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: PM2's namespace of the app; needed if apps of that name are in several.
    type: str
  pm2_home:
    description:
      - PM2's folder, with the socket C(rpc.sock) of its daemon.
      - Defaults to E(PM2_HOME), or to C(.pm2) in the home folder of the user who runs the module.
    type: path
  root:
    description:
      - Folder of the releases, as M(gpt_agent.runbook.app_release) has it. By default it follows
        from the working directory of the app.
    type: path
"""
