# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of ``python -m demo.stack``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from demo import repository
from demo.processes import StackError
from demo.services import SERVICES
from demo.stack import DEFAULT_DIRECTORY, Stack


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m demo.stack",
        description="Run the demo stack: PostgreSQL, Valkey, nginx, and a Node.js app under PM2.",
    )
    top.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_DIRECTORY,
        metavar="DIR",
        help="where it lives (default: .demo in the checkout)",
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring every service up; prints progress on stderr")
    down = commands.add_parser("down", help="end every process of the stack")
    down.add_argument("--purge", action="store_true", help="remove its directory, too")
    commands.add_parser(
        "status", help="print one JSON object: service -> pid, address, log, running"
    )
    restart = commands.add_parser("restart", help="restart one service")
    restart.add_argument("service", choices=SERVICES)
    deploy = commands.add_parser(
        "deploy", help="put another version of the app into service, however broken it is"
    )
    deploy.add_argument("tag", choices=[version.tag for version in repository.VERSIONS])
    run = commands.add_parser(
        "run", help="run a client (psql, pm2, npm …) with the stack's environment and credentials"
    )
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="PROGRAM [ARGUMENT …]")
    return top


def carry_out(stack: Stack, arguments: argparse.Namespace) -> int:
    if arguments.command == "up":
        stack.up()
    elif arguments.command == "down":
        stack.down(purge=arguments.purge)
    elif arguments.command == "status":
        print(json.dumps(stack.status(), indent=2))
    elif arguments.command == "restart":
        stack.restart(arguments.service)
    elif arguments.command == "deploy":
        stack.deploy(arguments.tag)
    else:
        inherited = {"stdin": None, "stdout": None, "stderr": None}
        return stack.run(
            arguments.argv, env=stack.credentials(), check=False, timeout=None, **inherited
        ).returncode
    return 0


def main() -> int:
    arguments = parser().parse_args()
    stack = Stack(
        arguments.dir, say=lambda text: print(f"demo: {text}", file=sys.stderr, flush=True)
    )
    try:
        return carry_out(stack, arguments)
    except StackError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; 'up' carries on from here, 'down' ends it", file=sys.stderr)
        return 130
