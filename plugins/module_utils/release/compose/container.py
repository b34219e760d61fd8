# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of an app's services, as the engine has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.units import pluralize

_ONE_OFF, _SERVICE = "com.docker.compose.oneoff", "com.docker.compose.service"
_HASH = "com.docker.compose.config-hash"
_QUOTED = 200


@dataclass(frozen=True)
class Container:
    """One container at one moment."""

    id: str
    name: str = ""
    service: str = ""
    image: str = ""
    """Id of the image that it runs."""
    reference: str = ""
    """How the image is named in the configuration that it was made with."""
    status: str = "running"
    """``created``, ``running``, ``paused``, ``restarting``, ``exited`` or ``dead``."""
    exit_code: int = 0
    restarts: int = 0
    health: str = ""
    """``starting``, ``healthy`` or ``unhealthy``; empty without a health check."""
    config_hash: str = ""
    """That of the service when the container was made."""
    address: str = ""
    """Its address on the first of its networks; empty if it has none of its own."""
    variables: frozenset[str] = frozenset()
    """Names of its variables; the values are secrets."""

    @property
    def problem(self) -> str:
        """Why it does not serve; empty if it may."""
        if self.status == "restarting" or (self.restarts and self.status == "exited"):
            many = pluralize(self.restarts, "restart")
            return f"it ended with exit code {self.exit_code} again and again, {many} so far"
        if self.status in ("exited", "dead"):
            return f"it ended with exit code {self.exit_code}"
        if self.status != "running":
            return f"it is {self.status}"
        return "its health check fails" if self.health == "unhealthy" else ""


def container_from(inspected: Mapping[str, Any]) -> Container:
    """By what ``docker container inspect`` says."""
    config, state = inspected.get("Config") or {}, inspected.get("State") or {}
    labels = config.get("Labels") or {}
    networks = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [str(one.get("IPAddress") or "") for one in networks.values()]
    return Container(
        id=str(inspected["Id"]),
        name=str(inspected.get("Name") or "").lstrip("/"),
        service=str(labels.get(_SERVICE) or ""),
        image=str(inspected.get("Image") or ""),
        reference=str(config.get("Image") or ""),
        status=str(state.get("Status") or ""),
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(inspected.get("RestartCount") or 0),
        health=str((state.get("Health") or {}).get("Status") or "").replace("none", ""),
        config_hash=str(labels.get(_HASH) or ""),
        address=next(filter(None, addresses), ""),
        variables=frozenset(entry.partition("=")[0] for entry in config.get("Env") or ()),
    )


def filters(project: str) -> tuple[str, str]:
    """What finds the containers of a project that are not one-off ones."""
    return f"label=com.docker.compose.project={project}", f"label={_ONE_OFF}=False"


def by_service(found: Sequence[Container], services: Sequence[str]) -> dict[str, list[Container]]:
    """The containers of these services."""
    return {name: [one for one in found if one.service == name] for name in services}
