# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an app under Docker Compose is: shared by the modules that work with it."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation."""

    DOCUMENTATION = r"""
options:
  compose_project_dir:
    description: Folder of the app's compose file; needed with O(backend=docker).
    type: path
  compose_files:
    description:
      - The compose files, as paths from O(compose_project_dir), if they are not those that
        C(docker compose) finds there by itself, or that C(COMPOSE_FILE) in C(.env) names.
    type: list
    elements: str
    default: []
  services:
    description:
      - The services that run the app, each with one image, in the order in which they are
        recreated. By default the one called O(name).
    type: list
    elements: str
    default: []
requirements:
  - with O(backend=docker), Docker 20.10 or newer with Compose v2; no Python library
"""
