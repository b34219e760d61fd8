# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2's own command and library: for what the daemon's socket does not offer.

They run with a clean environment (PATH, HOME, PM2_HOME), so that nothing of the operator's shell
becomes a part of the app's environment. Settings reach them on standard input, never as arguments.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...core.errors import RunbookError, UsageError
from ...core.text import redact, shorten
from ...linux.proc import current_user
from .boot import owner

_MARK = "pm2-process-settings:"
#: Reads an ecosystem file as PM2 itself does, and resolves paths, sizes and defaults as it does
#: before it starts an app.
_RESOLVE = """
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const tell = (answer) => process.stdout.write('\\n' + given.mark + JSON.stringify(answer) + '\\n');
const Common = require(given.package + '/lib/Common.js');
function resolve() {
  let apps = [given.app];
  if (given.config) {
    const text = require('fs').readFileSync(given.config, 'utf8');
    const found = Common.parseConfig(text, given.config);
    apps = [].concat(found.apps || found.pm2 || found);
  }
  apps = Common.verifyConfs(apps);
  if (apps instanceof Error) throw apps;
  const app = apps.find((one) => one.name === given.name);
  if (!app) return { names: apps.map((one) => one.name) };
  Object.assign(app, given.app);
  app.env = Object.assign({}, app.env, app['env_' + given.config_env], given.env);
  for (const name of Object.keys(app.env)) {
    if (typeof app.env[name] === 'object') app.env[name] = JSON.stringify(app.env[name]);
  }
  const own = Object.assign({}, app.env);
  const fields = Common.resolveAppAttributes({ cwd: given.cwd, pm2_home: given.home }, app);
  const env = Object.assign({}, fields.env, { PM2_HOME: given.home });
  delete fields.env;
  for (const name of Object.keys(fields)) if (name.startsWith('env_')) delete fields[name];
  return { fields, env, own };
}
try { tell(resolve()); } catch (error) { tell({ problem: String(error.message || error) }); }
"""


class CommandFailed(RunbookError):
    """PM2's command failed, or is missing; the text says why."""


@dataclass(frozen=True)
class Resolved:
    """An app as PM2 would start it."""

    fields: Mapping[str, Any]
    env: Mapping[str, Any]
    own_env: Mapping[str, Any]
    """The variables that the operator or the ecosystem file sets."""


@dataclass(frozen=True)
class Command:
    """PM2's command of this host."""

    home: str
    executable: str = ""
    """Empty for the one on PATH."""
    node: str = ""
    """Node.js of the running daemon, if there is one."""
    timeout: float = 60.0

    @property
    def path(self) -> str:
        """The command; raises `CommandFailed` if there is none."""
        found = self.executable or shutil.which("pm2") or ""
        if not found or not os.access(found, os.X_OK):
            raise CommandFailed(
                f"the command {found or 'pm2'} is missing; set pm2_executable to its path"
            )
        return os.path.realpath(found)

    @property
    def package(self) -> str:
        """The folder of the npm package pm2."""
        folder = os.path.dirname(os.path.dirname(self.path))
        if not os.path.isfile(os.path.join(folder, "lib", "Common.js")):
            raise CommandFailed(f"{self.path} is not the command of the npm package pm2")
        return folder

    @property
    def version(self) -> str:
        """The version of the command; empty if there is none."""
        try:
            with open(os.path.join(self.package, "package.json"), encoding="utf-8") as stream:
                return str(json.load(stream)["version"])
        except (CommandFailed, OSError, ValueError):
            return ""

    def start_daemon(self) -> None:
        """Start the daemon of this PM2_HOME."""
        self._require_owner()
        self._run([self._node(), self.path, "ping", "--silent"])

    def save(self) -> None:
        """Store PM2's list in its dump, readable by the owner only."""
        self._require_owner()
        self._run([self._node(), self.path, "save", "--force", "--silent"])
        with suppress(OSError):
            os.chmod(os.path.join(self.home, "dump.pm2"), 0o600)

    def start_at_boot(self) -> None:
        """Write and enable the unit that starts this PM2 after a reboot. Needs root."""
        user = owner(self.home)
        folder = pwd.getpwnam(user).pw_dir
        arguments = ["startup", "systemd", "-u", user, "--hp", folder]
        if os.geteuid() != 0:
            raise CommandFailed(
                "only root can enable a unit of systemd: run 'sudo env "
                f"PM2_HOME={self.home} {self.path} {' '.join(arguments)}'"
            )
        self._run([self._node(), self.path, *arguments])

    def resolve(
        self,
        name: str,
        app: Mapping[str, Any],
        env: Mapping[str, str],
        config: str,
        config_env: str,
    ) -> Resolved:
        """The app as PM2 would start it; raises `UsageError` for a definition that is wrong."""
        cwd = os.path.dirname(config) if config else "/"
        given = {
            "mark": _MARK,
            "package": self.package,
            "name": name,
            "app": {**app, "name": name} if not config else dict(app),
            "env": dict(env),
            "config": config,
            "config_env": config_env,
            "cwd": cwd,
            "home": self.home,
        }
        output = self._run([self._node(), "-e", _RESOLVE], json.dumps(given), cwd)
        answer = json.loads(output.rpartition(_MARK)[2] or "{}")
        option = "config" if config else "script"
        if "names" in answer:
            raise UsageError(
                f"config: {config} has no app {name}, only {', '.join(answer['names'])}"
            )
        if "fields" not in answer:
            problem = shorten(redact(str(answer.get("problem", "no answer")), env.values()), 300)
            raise UsageError(f"{option}: PM2 does not accept it: {problem}")
        return Resolved(answer["fields"], answer["env"], answer["own"])

    def _require_owner(self) -> None:
        """What PM2's command writes belongs to whoever runs it, which must be the owner."""
        if owner(self.home) != current_user():
            raise CommandFailed(
                f"{self.home} belongs to user {owner(self.home)}: run this as that user "
                "(become_user), as files of another owner would lock PM2 out"
            )

    def _node(self) -> str:
        beside = os.path.join(os.path.dirname(self.executable or "/"), "node")
        candidates = [self.node, beside, shutil.which("node") or ""]
        for candidate in candidates:
            if os.path.basename(candidate) == "node" and os.access(candidate, os.X_OK):
                return candidate
        raise CommandFailed("Node.js is not on PATH, so PM2's command cannot run")

    def _run(self, command: list[str], text: str = "", cwd: str = "/") -> str:
        folder = os.path.dirname(command[0])
        environment = {
            "PATH": os.pathsep.join(dict.fromkeys([folder, os.environ.get("PATH", os.defpath)])),
            "HOME": pwd.getpwuid(os.geteuid()).pw_dir,
            "PM2_HOME": self.home,
        }
        try:
            done = subprocess.run(  # noqa: S603  (no shell; the operator names the program)
                command,
                input=text,
                env=environment,
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=self.timeout,
                check=False,
                umask=0o077,
            )
        except subprocess.TimeoutExpired:
            what = "pm2" if "-e" not in command else "node"
            raise CommandFailed(f"{what} did not end within {self.timeout:g} s") from None
        except OSError as error:
            raise CommandFailed(f"{command[0]}: {error.strerror}") from None
        if done.returncode:
            last = shorten(redact((done.stderr or done.stdout).strip()[-300:]), 300)
            what = " ".join(command[1:3]) if "-e" not in command else "node"
            raise CommandFailed(f"{what} failed (exit code {done.returncode}): {last}")
        return done.stdout
