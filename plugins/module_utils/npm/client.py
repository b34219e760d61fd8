# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs npm for its JSON, in a way that leaves nothing behind and shows no secret."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.deadline import Deadline
from ..core.errors import NotCollected
from ..core.processes import Command, run_pipeline, time_limit
from ..core.text import redact, shorten
from .options import Options

_QUOTED = 200
_NOT_THERE = "Install Node.js and npm there, or set the option npm to the program's path."
_BROKEN = "Run 'npm version' and 'npm ls' in the app's folder as the same user."
#: What to do about npm's error codes.
_REMEDIES = {
    "ENOLOCK": "The app has no package-lock.json. Keep one in its repository: "
    "'npm install --package-lock-only' writes it. Apps of Yarn or pnpm are checked by these tools.",
    "E401": "Give the user who runs this a token for the registry, in their .npmrc.",
    "E403": "The registry refuses this host or token; check .npmrc.",
    "E404": "This registry does not offer that; set the option registry to one that does.",
}
_REGISTRY = "Check the registry, and the proxy settings of this host: 'npm ping'."


@dataclass(frozen=True)
class Answer:
    """What npm printed."""

    content: Any
    """The parsed JSON of its standard output."""
    log: str
    """Its log."""


class Npm:
    """The npm of one app; a folder of its own keeps npm from writing into the user's cache."""

    def __init__(
        self, options: Options, deadline: Deadline, environment: Mapping[str, str] | None = None
    ) -> None:
        """``environment`` is added to that of this process, for a token in .npmrc."""
        self._options = options
        self._deadline = deadline
        self._own = dict(environment or {})

    def node_version(self) -> str:
        """Version of Node.js that this npm runs with."""
        answer = self.ask("version", "--json")
        node = answer.content.get("node")
        if not isinstance(node, str):
            raise NotCollected("npm does not say which Node.js it runs with")
        return node

    def ask(self, *arguments: str) -> Answer:
        """What npm answers; raises `NotCollected` if it reports an error instead.

        The exit code means nothing: it is 1 for a finding, too.
        """
        with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryFile() as output:
            # npm compares no packages of a folder that it is given by a link, such as "current".
            folder = os.path.realpath(self._options.path)
            argv = [self._options.npm, "--prefix", folder, *arguments]
            if self._options.registry:
                argv.append(f"--registry={self._options.registry}")
            command = Command(argv, self._environment(cache))
            try:
                (ended,) = run_pipeline(
                    [command], sink=output, watch=time_limit(self._deadline.remaining())
                )
            except OSError as error:
                reason = f"{self._options.npm} cannot be started: {error.strerror}"
                raise NotCollected(reason, _NOT_THERE) from None
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
        log = ended.errors
        try:
            content = json.loads(text) if text else {}
        except ValueError:
            content = None
        if not isinstance(content, dict) or (not text and ended.failed) or ended.code < 0:
            raise NotCollected(f"npm failed with {ended.how}{_first_error(log)}", _BROKEN)
        _raise_error(content)
        return Answer(content, log)

    def _environment(self, cache: str) -> Mapping[str, str]:
        beside, path = os.path.dirname(self._options.npm), os.environ.get("PATH", os.defpath)
        return {
            **self._own,
            "PATH": f"{beside}:{path}" if beside else path,
            "NODE_ENV": "",  # else npm leaves development dependencies out
            "npm_config_cache": cache,
            "npm_config_loglevel": "http",
            "npm_config_update_notifier": "false",
            "npm_config_fetch_retries": "1",
            "npm_config_fetch_retry_mintimeout": "1000",
            "npm_config_color": "false",
        }


def _raise_error(content: Mapping[str, Any]) -> None:
    """An answer that is an error: npm has two forms of it.

    A list of problems is an answer; newer versions of npm put an error beside it.
    """
    error = content.get("error")
    if not isinstance(error, dict) or "problems" in content:
        return
    code = str(error.get("code") or "")
    status = content.get("statusCode")
    message = str(error.get("summary") or content.get("message") or "no reason given")
    if status and not code:
        code = f"E{status}"
    remedy = _REMEDIES.get(code, _REGISTRY)
    what = f"npm reports {code}: " if code else "npm reports: "
    first_line = message.strip().splitlines()[0] if message.strip() else "no reason given"
    raise NotCollected(what + quote(first_line), remedy)


def quote(text: str) -> str:
    """What npm says, fit to be shown: addresses of packages can hold credentials."""
    return shorten(redact(text), _QUOTED)


def _first_error(log: str) -> str:
    for line in log.splitlines():
        if "npm error" in line or "npm ERR!" in line or "Error" in line:
            return f": {quote(line)}"
    return ""
