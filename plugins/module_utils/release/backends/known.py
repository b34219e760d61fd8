# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can run an app on a host, by the value of the option ``backend``."""

from __future__ import annotations

from typing import Callable

from ..backend import Backend
from ..options import DOCKER, PM2, Options
from .docker import Docker
from .pm2 import Pm2

_BACKENDS: dict[str, Callable[[Options], Backend]] = {PM2: Pm2, DOCKER: Docker}


def backend_of(options: Options) -> Backend:
    """Raises `UsageError` if its options make no sense on this host."""
    return _BACKENDS[options.backend](options)
