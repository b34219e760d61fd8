# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the collection by name, merged from the technologies' own checks.py.

For the report and the documentation. A module imports only its own technology's checks.
"""

from __future__ import annotations

from ..certificates import checks as certificates
from ..host import checks as host
from ..maintenance import checks as maintenance
from ..npm import checks as npm
from ..pm2 import checks as pm2
from ..postgres import checks as postgres
from ..redis import checks as redis
from ..release import checks as release
from ..rotation import checks as rotation
from ..vercel import checks as vercel
from ..web import checks as web
from . import checks as core
from .definition import Definition

CATALOG: dict[str, Definition] = {
    name: definition
    for technology in (
        *(host, pm2, release, vercel, npm, web, postgres, redis, certificates, rotation),
        *(maintenance, core),
    )
    for name, definition in technology.CHECKS.items()
}
