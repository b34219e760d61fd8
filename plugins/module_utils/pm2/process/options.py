# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks pm2_process for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.confirmation import require_match
from ...core.deadline import Deadline
from ...core.errors import UsageError
from ...core.options import checked_seconds
from ..client import Client
from ..daemon import default_home
from ..options import check_instances
from .definition import Definition

#: Values of the module's option ``state``.
RESTARTED = "restarted"
STARTED = "started"
PRESENT = "present"
RELOADED = "reloaded"
STOPPED = "stopped"
ABSENT = "absent"
STATES = (PRESENT, STARTED, STOPPED, RESTARTED, RELOADED, ABSENT)
#: Values that take a definition of the app.
DEFINING = (PRESENT, RELOADED)

_MAX_STABLE_FOR = 600


@dataclass(frozen=True)
class Options:
    """The options of pm2_process, validated."""

    home: str
    """PM2's folder."""
    name: str
    state: str = RESTARTED
    """One of `STATES`; with `STARTED`, instances that are online are left alone."""
    namespace: str | None = None
    instances: int | None = None
    """Instances that the app must have; none means as many as PM2 has."""
    stable_for: float = 5.0
    """Seconds for which an instance must stay online before it counts as started."""
    timeout: float = 30.0
    """Seconds to wait for PM2's answer, beyond what it gives the app to stop and to start."""
    url: str = ""
    """Must answer with a status of 2xx while the app is proven; empty for no request."""
    trial_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables of the trial instance, such as another port, so that no user reaches it."""
    trial_url: str = ""
    """What must answer in place of `url` while there is a trial instance; with `trial_env`."""
    definition: Definition = field(default_factory=Definition)
    """What the operator says about the app."""
    save: bool = False
    """Whether PM2's dump must be what PM2 runs."""
    boot: bool = False
    """Whether systemd must start PM2 after a reboot."""
    executable: str = ""
    """PM2's command; empty for the one on PATH."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        options = cls(
            home=params["pm2_home"] or default_home(),
            name=params["name"],
            state=params["state"],
            namespace=params["namespace"] or None,
            instances=_count(params["instances"]),
            stable_for=params["stable_for"],
            timeout=checked_seconds("timeout", params["timeout"]),
            url=_checked_url("url", params["url"]),
            trial_env={name: str(value) for name, value in params["trial_env"].items()},
            trial_url=_checked_url("trial_url", params["trial_url"]),
            definition=Definition.from_params(params),
            save=params["save"],
            boot=params["boot"],
            executable=params["pm2_executable"] or "",
        )
        if not options.name:
            raise UsageError("name: must be the name of an app in PM2's list")
        require_match(params["confirm"], "app", options.name)
        check_instances(options.instances)
        if not 0 <= options.stable_for <= _MAX_STABLE_FOR:
            raise UsageError(
                f"stable_for: {options.stable_for:g} is not a number of seconds "
                f"from 0 to {_MAX_STABLE_FOR}"
            )
        if not options.definition.is_empty and options.state not in DEFINING:
            raise UsageError(
                f"state: {options.state} changes no settings; use present or reloaded with "
                "options that describe the app"
            )
        if bool(options.trial_env) != bool(options.trial_url):
            raise UsageError("trial_env: trial_env and trial_url need each other")
        return options

    def connect(self, extra_seconds: float = 0.0) -> Client:
        """A connection to PM2, for calls that may take ``extra_seconds`` beyond the time limit."""
        return Client(self.home, Deadline(self.timeout + extra_seconds))


def _count(given: str | int | None) -> int | None:
    """A number of instances as PM2 counts: ``max`` for all processors, -1 for all but one."""
    if given in (None, ""):
        return None
    processors = os.cpu_count() or 1
    try:
        count = 0 if given == "max" else int(str(given))
    except ValueError:
        raise UsageError(f"instances: {given} is neither a number nor max") from None
    if count > 0:
        return count
    if given != "max" and count == 0:
        check_instances(0)
    return max(1, processors + count)


def _checked_url(option: str, url: str | None) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise UsageError(f"{option}: {url} is not an address with http:// or https://")
    return url or ""
