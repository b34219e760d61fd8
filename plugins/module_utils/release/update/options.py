# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator asks npm_update for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import UsageError
from ...core.options import checked_seconds
from ...core.state import default_dir
from ...core.text import redact

#: Values of the option ``offer``.
PATCH = "patch"
BRANCH = "branch"
OFFERS = (PATCH, BRANCH)
#: What npm calls a package.
_NAME = re.compile(r"(?:@[a-z0-9~][a-z0-9._~-]*/)?[A-Za-z0-9~_][A-Za-z0-9._~-]*")
_LONGEST_COMMAND = 14400
#: Length from which a value is masked, if its name says that it is a secret, and if it does not.
_SHORT, _LONG = 4, 8
_SECRET = re.compile("(?i)pass|secret|token|key|auth|url|credential")
#: Variables of this process that a command gets; any other could be the way to a live database.
_PASSED = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|XDG_.*|SSH_AUTH_SOCK|GIT_SSH.*"
    "|SSL_CERT_.*|NODE_EXTRA_CA_CERTS|(?:https?|no|all)_proxy|(?:HTTPS?|NO|ALL)_PROXY"
    "|(?:npm_config|NPM_CONFIG)_.*"
)


@dataclass(frozen=True)
class Options:
    """The options of npm_update, validated."""

    path: str = ""
    """Folder of the live app; empty if there is nothing to update."""
    dest: str = ""
    """Folder for the copy and for what is offered."""
    state_dir: str = ""
    """Folder of the default for ``dest``; empty for the collection's own."""
    repository: str = field(default="", repr=False)
    """Path or URL of the app's git repository; empty to copy the folder."""
    version: str = ""
    """Tag, branch or commit to update; empty for that of the live app."""
    only: tuple[str, ...] = ()
    """The packages to update; empty for all."""
    exclude: tuple[str, ...] = ()
    """The packages to leave as they are."""
    vulnerable: bool = False
    """Whether to update only packages with known vulnerabilities."""
    commands: tuple[str, ...] = (
        "npm ci",
        "npm run --if-present build",
        "npm run --if-present test",
        "npm run --if-present test:e2e",
    )
    """They must succeed in the copy."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables for them; each value counts as a secret."""
    offer: str = PATCH
    """One of `OFFERS`."""
    find_cause: bool = True
    """Whether to look for the package that makes a command fail."""
    search_time: float = 900.0
    """Seconds for that."""
    npm: str = "npm"
    registry: str = ""
    snyk: str = "snyk"
    """The program."""
    snyk_token: str = field(default="", repr=False)
    free_disk: float = 1.0
    """GiB that must be free beside the copy."""
    timeout: float = 300.0
    """Seconds for each question to npm or Snyk."""
    command_timeout: float = 1800.0
    """Seconds for each of the commands."""
    owner: str = ""
    """Who runs this, for the lock and the commit."""

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Options:
        """The module's options; raises `UsageError` for values that make no sense."""
        given = {key: value for key, value in params.items() if value is not None}
        for key in ("only", "exclude", "commands"):
            given[key] = tuple(given.get(key) or getattr(cls, key))
        given["environment"] = {
            str(name): str(value) for name, value in (given.get("environment") or {}).items()
        }
        known = {key: value for key, value in given.items() if key in cls.__dataclass_fields__}
        options = cls(**known)
        _require_valid(options)
        return options

    @property
    def place(self) -> str:
        """The folder for the copy and for what is offered."""
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.path).strip("-") or "app"
        return self.dest or os.path.join(self.state_dir or default_dir(), "npm_update", slug)

    @property
    def secrets(self) -> list[str]:
        """What no message may contain; short values such as ``test`` only by their name."""
        values = {
            value
            for name, value in self.environment.items()
            if len(value) >= (_SHORT if _SECRET.search(name) else _LONG)
        }
        return sorted(values | ({self.snyk_token} - {""}))

    def surroundings(self) -> dict[str, str]:
        """The environment of the commands."""
        own = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
        if os.path.isabs(self.npm):
            own["PATH"] = f"{os.path.dirname(self.npm)}:{own.get('PATH', os.defpath)}"
        if self.registry:
            own["npm_config_registry"] = self.registry
        own["npm_config_update_notifier"] = "false"
        return {**own, "LC_ALL": own.get("LC_ALL", "C.UTF-8"), **self.environment}


def _require_valid(options: Options) -> None:
    for option in ("path", "dest", "state_dir"):
        value = getattr(options, option)
        if value and not os.path.isabs(value):
            raise UsageError(f"{option}: {value} is not an absolute path")
    _require_names("only", options.only)
    _require_names("exclude", options.exclude)
    if options.vulnerable and (options.only or options.exclude):
        raise UsageError("vulnerable: npm chooses the packages then; remove only and exclude")
    if re.search("//[^/]*@", options.registry):
        raise UsageError("registry: credentials belong in the user's .npmrc, not in the URL")
    if options.version and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*", options.version):
        raise UsageError(f"version: '{redact(options.version)}' is not the name of a version")
    if options.version and not options.repository:
        raise UsageError("version: needs repository, which has it")
    if options.offer not in OFFERS:
        raise UsageError(f"offer: must be one of {', '.join(OFFERS)}")
    if options.offer == BRANCH and options.path and not options.repository:
        raise UsageError("repository: is needed for a branch")
    if options.free_disk < 0:
        raise UsageError("free_disk: must be 0 or more GiB")
    checked_seconds("timeout", options.timeout)
    checked_seconds("search_time", options.search_time, _LONGEST_COMMAND)
    checked_seconds("command_timeout", options.command_timeout, _LONGEST_COMMAND)


def _require_names(option: str, names: Iterable[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{option}: '{name}' is not the name of a package")
