# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks app_release for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..core.confirmation import require_match
from ..core.errors import NotCollected, UsageError
from ..core.options import checked_seconds
from ..core.text import redact

#: Values of the module's option ``state``.
LISTED = "listed"
DEPLOYED = "deployed"
ROLLED_BACK = "rolled_back"
VERIFIED = "verified"
#: Values of its option ``backend``.
PM2 = "pm2"
DOCKER = "docker"
BACKENDS = (PM2, DOCKER)
#: What else may run the app, by the inventory; no back end of this flow.
VERCEL = "vercel"
STATES = (LISTED, DEPLOYED, ROLLED_BACK, VERIFIED)

_LONGEST_WATCH = 3600
_WHERE = {DOCKER: "under Docker", VERCEL: "on Vercel"}
_HIGHEST_SHARE = 100


@dataclass(frozen=True)
class Options:
    """The options of app_release, validated."""

    name: str
    """Name of the app in PM2's list, or of its service in the compose file."""
    state: str = LISTED
    """One of `STATES`."""
    backend: str = PM2
    """One of `BACKENDS`, or `VERCEL`."""
    compose_project_dir: str = ""
    """Folder of the app's compose file."""
    compose_files: tuple[str, ...] = ()
    """The compose files, by path from that folder; empty for those that Compose finds itself."""
    services: tuple[str, ...] = ()
    """The services that run the app; empty for the one of its name."""
    settle_for: float = 10.0
    """Seconds between one service and the next, for proxies that avoid what they have seen fail."""
    namespace: str | None = None
    pm2_home: str = ""
    """PM2's folder; empty for the one of the user who runs this."""
    root: str = ""
    """Folder of the releases; empty for the one that the app's working directory implies."""
    confirm: str = ""
    """Must be the name of the app, unless it is empty."""
    version: str = ""
    """What to deploy: a tag, a branch or a commit, or the id of a release that is there."""
    rollback_to: str = ""
    """What to roll back to; empty for the last good release."""
    only_from: str = ""
    """Id of the release that must be live, or nothing is done; empty for any."""
    repository: str = ""
    """Path or URL of the git repository; empty for the one of the checkout, if it is one."""
    build: tuple[str, ...] = ("npm ci", "npm run --if-present build")
    """Commands that build a release, in its folder."""
    shared: tuple[str, ...] = ()
    """Files and folders that releases share: links to ``<root>/shared``."""
    health_urls: tuple[str, ...] = ()
    """Must answer with a status of 2xx; asked on the host itself."""
    version_url: str = ""
    """Answers with JSON that has ``version`` or ``commit``; empty if the app says neither."""
    try_first: bool = True
    """Whether to start a release beside the running one before it goes live."""
    trial_for: float = 5.0
    """Seconds for which the release on trial must stay healthy."""
    start_within: float = 30.0
    """Seconds within which a started release must be healthy."""
    bake: float = 10.0
    """Seconds for which the live release is watched after the switch."""
    healthy_share: float = 100.0
    """Percent of the answers during that time that must be healthy."""
    migrations_command: str = ""
    """Prints the migrations that the database has; empty if the app has no database."""
    migrate: str = ""
    """Applies the migrations that the database lacks; empty if someone else does that."""
    migrations_folder: str = ""
    """Folder in a release with its migrations; empty for the usual ones."""
    schema_compatible: bool = False
    """Whether the target works with migrations that it does not know."""
    compatible_migrations: tuple[str, ...] = ()
    """Migrations that older releases work with, by name."""
    env_example: str = ".env.example"
    """File in a release that names the variables it needs."""
    free_disk: float = 1.0
    """GiB that must be free for a build."""
    keep: int = 5
    """Releases to keep beside the live one; older ones that this module built are removed."""
    owner: str = ""
    """Who runs this, for the record."""
    reason: str = ""
    """Why, for the record."""
    timeout: float = 30.0
    """Seconds to wait for PM2, and for one answer of the app."""
    build_timeout: float = 1800.0
    """Seconds for the build."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        given = {key: value for key, value in params.items() if value is not None}
        lists = ["build", "shared", "health_urls", "compatible_migrations"]
        lists += ["compose_files", "services"]
        given.update({key: tuple(given[key]) for key in lists if key in given})
        known = {key: value for key, value in given.items() if key in cls.__dataclass_fields__}
        options = cls(**known)
        _require_valid(options)
        return options

    def require_pm2(self, otherwise: str) -> None:
        """For what only PM2 can be asked; raises `NotCollected` with what to do otherwise."""
        if self.backend != PM2:
            where = _WHERE[self.backend]
            raise NotCollected(f"{self.name} runs {where}, and this needs PM2", otherwise)

    @property
    def wanted(self) -> str:
        """The version that the operator named; empty for none."""
        return self.version if self.state == DEPLOYED else self.rollback_to


def _require_valid(options: Options) -> None:
    if not options.name:
        raise UsageError("name: must be the name of an app in PM2's list, or of a service")
    if options.backend != VERCEL:  # there it is the project, as vercel_deployment knows it
        require_match(options.confirm, "app", options.name)
    if options.state == DEPLOYED and not options.version:
        raise UsageError("version: is needed to deploy: a tag, a branch or a commit")
    for option, value in (("version", options.version), ("rollback_to", options.rollback_to)):
        if value and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./+@:-]*", value):
            raise UsageError(f"{option}: '{value}' is not the name of a version")
    for option in ("root", "compose_project_dir"):
        if getattr(options, option) and not os.path.isabs(getattr(options, option)):
            raise UsageError(f"{option}: {getattr(options, option)} is not an absolute path")
    _require_paths_and_urls(options)
    for option in ("trial_for", "bake", "settle_for"):
        if not 0 <= getattr(options, option) <= _LONGEST_WATCH:
            raise UsageError(f"{option}: must be a number of seconds from 0 to {_LONGEST_WATCH}")
    for option in ("start_within", "timeout"):
        checked_seconds(option, getattr(options, option))
    checked_seconds("build_timeout", options.build_timeout, 4 * _LONGEST_WATCH)
    if not 0 < options.healthy_share <= _HIGHEST_SHARE:
        raise UsageError("healthy_share: must be a percentage above 0 and up to 100")
    if options.keep < 1:
        raise UsageError("keep: at least 1 release must be kept to roll back to")


def _require_paths_and_urls(options: Options) -> None:
    paths = [("shared", path) for path in options.shared]
    paths += [(name, getattr(options, name)) for name in ("env_example", "migrations_folder")]
    for option, path in paths:
        if os.path.isabs(path) or ".." in path.split("/"):
            raise UsageError(f"{option}: {path} is not a path inside a release")
    urls = [("health_urls", url) for url in options.health_urls]
    urls += [("version_url", options.version_url)] if options.version_url else []
    for option, url in urls:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise UsageError(f"{option}: {redact(url)} is not a URL with http or https")
