# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that describe an app under PM2."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  script:
    description: The program to run, relative to O(cwd). Needed for a new app without O(config).
    type: str
  config:
    description:
      - Absolute path of an ecosystem file on the host that describes the app. PM2's own library
        reads it. Other options take precedence.
    type: path
  config_env:
    description: Name of the environment in the ecosystem file, as C(pm2 start --env) takes it.
    type: str
  cwd:
    description:
      - Absolute path of the working directory, which may lead through a link. If the app is in
        PM2's list, its script moves along.
    type: path
  args:
    description: Arguments of the app.
    type: list
    elements: str
  interpreter:
    description: Program that runs the script, in fork mode. PM2's default is V(node).
    type: str
  interpreter_args:
    description: Arguments of the interpreter, such as V(--max-old-space-size=512).
    type: list
    elements: str
  env:
    description:
      - Environment variables of the app. No value appears in any result; differences are reported
        by name.
    type: dict
    default: {}
  env_mode:
    description:
      - V(merge) adds and changes variables. V(exact) removes all others too, except E(PATH),
        E(HOME), E(PWD), E(PM2_HOME), E(USER), E(LOGNAME), E(LANG) and E(TZ).
    type: str
    choices: [merge, exact]
    default: merge
  exec_mode:
    description: V(cluster) shares one port between instances of a Node.js app; V(fork) does not.
    type: str
    choices: [fork, cluster]
  max_memory_restart:
    description:
      - Memory at which PM2 restarts an instance, such as V(300M) or V(1G), or a number of bytes.
    type: str
  out_file:
    description: Log file of the app's output.
    type: path
  error_file:
    description: Log file of the app's error output.
    type: path
  merge_logs:
    description: Whether all instances write to the same log files.
    type: bool
  log_date_format:
    description: Format of the time before each line in the logs, V(YYYY-MM-DDTHH:mm:ss.SSSZ).
    type: str
  wait_ready:
    description: Whether the app reports with C(process.send('ready')) that it is ready.
    type: bool
  listen_timeout:
    description: Seconds that PM2 gives an instance to listen or to report that it is ready.
    type: float
  kill_timeout:
    description: Seconds after which PM2 kills an instance that does not end by itself.
    type: float
  max_restarts:
    description: Unstable restarts after which PM2 gives up.
    type: int
  autorestart:
    description: Whether PM2 restarts an instance that exits.
    type: bool
"""
