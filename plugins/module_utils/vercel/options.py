# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks vercel_deployment for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import UsageError
from ..core.options import LONGEST, checked_seconds
from ..net.url import Url, is_loopback

#: Values of the module's option ``state``.
DIAGNOSED = "diagnosed"
LISTED = "listed"
PROMOTED = "promoted"
ROLLED_BACK = "rolled_back"
VERIFIED = "verified"
STATES = (DIAGNOSED, LISTED, PROMOTED, ROLLED_BACK, VERIFIED)

API = "https://api.vercel.com"


@dataclass(frozen=True)
class Options:
    """The options of vercel_deployment, validated."""

    project: str
    """Id or name of the project."""
    token: str = field(repr=False)
    state: str = LISTED
    """One of `STATES`."""
    team: str = ""
    """Id or slug of the team; empty for the token's own account."""
    confirm: str = ""
    """Must be the name or the id of the project, unless it is empty."""
    version: str = ""
    """What to promote or to diagnose: id or URL of a deployment, or its commit or tag."""
    rollback_to: str = ""
    """What to roll back to, likewise; empty for the production deployment before."""
    health_urls: tuple[str, ...] = ()
    """Must answer with a status of 2xx, as users ask them."""
    version_url: str = ""
    """Answers with JSON that has ``version`` or ``commit``; empty if the app says neither."""
    start_within: float = 30.0
    """Seconds after the switch within which the endpoints must answer as they should."""
    bake: float = 10.0
    """Seconds for which the endpoints are watched then."""
    healthy_share: float = 100.0
    """Percent of their answers that must be healthy."""
    owner: str = ""
    reason: str = ""
    timeout: float = 15.0
    """Seconds for one answer of Vercel or of the app."""
    time_limit: float = 300.0
    """Seconds for everything until the domains have moved."""
    api_url: str = API
    record_dir: str = ""
    """Folder of the lock and of the record of rollbacks; empty for the default."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        given = {key: value for key, value in params.items() if value is not None}
        if not given.get("project"):
            raise UsageError(
                "project: is not set: set vercel_project in the inventory to the id or name of the "
                "project on Vercel, and VERCEL_TOKEN in the environment to an access token"
            )
        if not given.get("token"):
            raise UsageError(
                "token: is needed to use Vercel's API: set VERCEL_TOKEN in the environment"
            )
        given["health_urls"] = tuple(given.get("health_urls", ()))
        known = {key: value for key, value in given.items() if key in cls.__dataclass_fields__}
        options = cls(**known)
        _require_valid(options)
        return options

    @property
    def wanted(self) -> str:
        """The deployment that the operator named; empty for none."""
        return self.rollback_to if self.state == ROLLED_BACK else self.version

    @property
    def scope(self) -> dict[str, str]:
        """The team as each request names it."""
        if not self.team:
            return {}
        return {"teamId" if self.team.startswith("team_") else "slug": self.team}


def _require_valid(options: Options) -> None:
    for option in ("project", "team"):
        value = getattr(options, option)
        if value and not re.fullmatch(r"\w[\w.-]*", value, re.ASCII):
            raise UsageError(f"{option}: {value!r} is neither an id nor a name")
    if not re.fullmatch(r"[\x21-\x7e]+", options.token):
        raise UsageError("token: it holds a space or a control character")
    if options.state == PROMOTED and not options.version:
        raise UsageError("version: is needed to promote: the id or URL of a deployment")
    for option in ("version", "rollback_to"):
        value = getattr(options, option)
        if value and not re.fullmatch(r"\w[\w./:+@?=&%#-]*", value, re.ASCII):
            raise UsageError(f"{option}: {value!r} is not the name of a deployment")
    for url in options.health_urls:
        Url.parse("health_urls", url)
    if options.version_url:
        Url.parse("version_url", options.version_url)
    api = Url.parse("api_url", options.api_url)
    if api.scheme == "http" and not is_loopback(api.host):
        raise UsageError(f"api_url: {api.shown} would send the token unencrypted; use https://")
    if not 0 <= options.bake <= LONGEST:
        raise UsageError(f"bake: must be a number of seconds from 0 to {LONGEST}")
    for option in ("start_within", "timeout", "time_limit"):
        checked_seconds(option, getattr(options, option))
    if not 0 < options.healthy_share <= 100:
        raise UsageError("healthy_share: must be a percentage above 0 and up to 100")
