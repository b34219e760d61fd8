# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and behaviour of releases under Docker Compose."""

from __future__ import annotations


class ModuleDocFragment:
    """The documentation."""

    DOCUMENTATION = r"""
options:
  settle_for:
    description:
      - Seconds between one service of O(services) and the next, at most 3600. A proxy in front of
        them avoids for a while a server that it has seen fail, and must use the first one again
        before the second one goes. nginx does so for its C(fail_timeout), 10 seconds by default,
        unless C(max_fails) is 0.
    type: float
    default: 10.0
notes:
  - Under Docker, a tag is resolved to a digest and pulled before anything
    stops. The image is tried in a container of its own, with no port of the host. Then one service
    of O(services) is recreated after the other, and each must answer before the next. Nothing is
    ever pruned, and other services are left alone.
  - What Compose cannot do, the report says. One container is never recreated without a gap; it is
    measured. Two services behind a proxy have none.
  - A plain C(docker compose up -d) keeps the live release. If the compose file names the image by a
    variable, that is set in C(.env), as C(TAG=v1@sha256:...) or as a whole name. Otherwise
    C(compose.runbook.yaml) names it, and C(COMPOSE_FILE) in C(.env) adds that file to yours. A
    command line with C(--file) reads neither C(COMPOSE_FILE) nor that file.
  - Under Docker it runs C(docker) as the user of the task, with that user's logins to registries.
    In check mode a container is made from an image that is on the host, never started, and removed,
    to read the files that the guards need.
"""
