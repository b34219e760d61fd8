# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The best compression that pg_dump and this host offer, found out by trying."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from ...core.errors import NotCollected
from ..programs import Programs

#: Seconds for pg_dump to say whether it accepts an option.
SECONDS = 10
#: Level for zstd and gzip if none is asked for: half the time of gzip's own default, or less.
LEVELS = {"zstd": 2, "gzip": 1}
METHODS = ("zstd", "gzip", "none")
SYNTAX = re.compile(r"(zstd|gzip|none)(?::(\d{1,2}))?")


@dataclass(frozen=True)
class Compression:
    """Who compresses, by which method and level."""

    method: str
    """One of `METHODS`."""
    level: int = 0
    by_program: bool = False
    """Whether the program zstd does it, and not pg_dump."""

    def __str__(self) -> str:
        return f"{self.method}:{self.level}" if self.level else self.method

    def argument(self, major: int) -> str:
        """The option of pg_dump, whose major version is given."""
        if self.by_program or self.method == "none":
            return "--compress=0"
        if self.method == "gzip" and major < 16:  # it knows no other method, nor its name
            return f"--compress={self.level}"
        return f"--compress={self}"


def choose(programs: Programs, wanted: str, stream: bool) -> Compression:
    """The compression to use; ``wanted`` is as ``zstd:3``, or empty for the best one.

    ``stream`` is whether the backup is one file, which the program zstd can compress. Raises
    `NotCollected` if what is wanted is not offered.
    """
    found = SYNTAX.fullmatch(wanted) if wanted else None
    method = found[1] if found else ""
    level = int(found[2]) if found and found[2] else 0
    if method in ("gzip", "none"):
        return Compression(method, level or LEVELS.get(method, 0))
    level = level or LEVELS["zstd"]
    if offers_zstd(programs):
        return Compression("zstd", level)
    if stream and shutil.which("zstd"):
        return Compression("zstd", level, by_program=True)
    if method == "zstd":
        raise NotCollected(
            f"pg_dump {programs.version} cannot compress with zstd here",
            "Leave compression out, which chooses the best that there is; or set form to custom "
            "and install the program zstd.",
        )
    return Compression("gzip", LEVELS["gzip"])


def offers_zstd(programs: Programs) -> bool:
    """Whether this pg_dump was built with zstd: asked without a server to connect to.

    Only a pg_dump that accepts the option gets as far as failing to connect.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - no shell
            [
                programs.path("pg_dump"),
                "--compress=zstd:1",
                "--format=custom",
                "--file=/dev/null",
                "--no-password",
                "--dbname=host=/nonexistent/gpt_agent.runbook port=1 dbname=none",
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env={"LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "/nonexistent/gpt_agent.runbook" in answer.stderr
