# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack's five services."""

from __future__ import annotations

from demo.services.app import App, Pm2
from demo.services.base import Service, fetch
from demo.services.nginx import Nginx
from demo.services.postgres import Postgres
from demo.services.redis import Redis

__all__ = ["SERVICES", "App", "Nginx", "Pm2", "Postgres", "Redis", "Service", "fetch"]

SERVICES: dict[str, type[Service]] = {
    service.name: service for service in (Postgres, Redis, Nginx, Pm2, App)
}
