# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asked for: which certificates, and how they are deployed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import UsageError
from ...core.options import checked_seconds
from ..options import Target, parse_targets

#: Where certbot keeps what it is to run after each renewal, below its folder.
_HOOK = "renewal-hooks/deploy/gpt-agent-runbook"


@dataclass(frozen=True)
class Options:
    """What the operator asked for, validated."""

    targets: tuple[Target, ...] = ()
    """The endpoints that serve certificates."""
    ca_file: str | None = None
    connect_timeout: float = 5.0
    names: tuple[str, ...] = ()
    """Of the certificates, as certbot calls them; empty for all."""
    force: bool = False
    dry_run: bool = False
    config_dir: str = "/etc/letsencrypt"
    command: tuple[str, ...] = ("certbot",)
    hook_file: str = ""
    """Path of the deploy hook; empty if it is left alone."""
    check_command: tuple[str, ...] = ("nginx", "-t")
    reload_command: tuple[str, ...] = ()
    """Empty for the usual one of this host."""
    time_limit: float = 900.0
    lock_wait: float = 60.0
    """Seconds to wait for another run to end, and then for another certbot."""
    serve_wait: float = 15.0
    """Seconds to wait until the new certificate is served."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's parameters, validated; raises `UsageError`."""
        if params["force"] and not params["names"]:
            raise UsageError(
                "force: name the certificates to renew in names; to renew all of them before they"
                " are due soon exceeds the limits of a certificate authority"
            )
        config_dir = params["config_dir"]
        for option in ("config_dir", "hook_file"):
            if params[option] and not params[option].startswith("/"):
                raise UsageError(f"{option}: {params[option]!r} must be an absolute path")
        for option in ("command", "check_command"):
            if not params[option]:
                raise UsageError(f"{option}: it is empty; give the program and its arguments")
        hook_file = params["hook_file"] or os.path.join(config_dir, _HOOK)
        return cls(
            targets=parse_targets(params),
            ca_file=params["ca_file"],
            connect_timeout=params["connect_timeout"],
            names=tuple(dict.fromkeys(params["names"])),
            force=params["force"],
            dry_run=params["dry_run"],
            config_dir=config_dir,
            command=tuple(params["command"]),
            hook_file=hook_file if params["hook"] else "",
            check_command=tuple(params["check_command"]),
            reload_command=tuple(params["reload_command"] or ()),
            time_limit=checked_seconds("time_limit", params["time_limit"]),
            lock_wait=checked_seconds("lock_wait", params["lock_wait"]),
            serve_wait=checked_seconds("serve_wait", params["serve_wait"]),
        )
