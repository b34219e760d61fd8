# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx: whether its configuration is valid, and the reload that follows only then.

certbot does the same after each renewal, by a hook that is written here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress

from ...core.errors import NotCollected
from ...core.files import write_atomically
from ...core.text import redact, shorten
from ...linux.units import read_units
from .program import SBIN, run

_SECONDS = 60.0
_MODE = 0o755
_ERROR = re.compile(r"\[(?:emerg|alert|crit|error)\] (.*)")
_HOOK = """\
#!/bin/sh
# Written by gpt_agent.runbook.cert_renewal, which overwrites changes. certbot runs it after each
# renewal: the new certificate is served from then on, unless the configuration is broken.
PATH="$PATH:{path}"
export PATH
said=$({check} 2>&1) || {{
    printf '%s\\n' "$said" >&2
    exit 1
}}
{reload}
"""


def is_there(command: Sequence[str]) -> bool:
    """Whether the program of a command exists."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SBIN])
    return bool(shutil.which(command[0], path=path))


def usual_reload() -> tuple[str, ...]:
    """How nginx is reloaded on this host."""
    if any(unit.active == "active" for unit in read_units(["nginx.service"])):
        return ("systemctl", "reload", "nginx")
    return ("nginx", "-s", "reload")


def problem_of(command: Sequence[str]) -> str:
    """What a command, ``nginx -t`` or a reload, complains of; empty if it succeeds."""
    try:
        ended = run(command, _SECONDS)
    except NotCollected as error:
        return str(error)
    if ended.code == 0:
        return ""
    shown = " ".join(command)
    if ended.code is None:
        return f"'{shown}' did not end within {_SECONDS:.0f} s"
    errors = [found[1] for line in ended.text.splitlines() if (found := _ERROR.search(line))]
    said = shorten(redact("; ".join(errors) or ended.text), 300) or "nothing"
    return f"'{shown}' says: {said} (exit code {ended.code})"


def hook_text(check: Sequence[str], reload: Sequence[str]) -> str:
    """The deploy hook."""
    return _HOOK.format(
        path=os.pathsep.join(SBIN), check=shlex.join(check), reload=shlex.join(reload)
    )


def hook_difference(path: str, text: str) -> tuple[str, str]:
    """The hook's text, and why it must be written; no reason if it is as it should be.

    Raises `NotCollected`.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            found = stream.read()
            mode = os.fstat(stream.fileno()).st_mode & 0o777
    except FileNotFoundError:
        return "", "there is none"
    except OSError as error:
        raise NotCollected.of(error, "Run this task with 'become: true'.") from None
    if found != text:
        return found, "it has other content"
    if mode != _MODE:
        return found, f"its mode is {mode:04o}; certbot runs only what is executable"
    return found, ""


def write_hook(path: str, text: str) -> None:
    """Write it complete or not at all; raises `NotCollected`.

    certbot runs whatever is executable in that folder, so it is made beside the folder.
    """
    folder = os.path.dirname(path)
    staged = os.path.join(os.path.dirname(folder), f".{os.path.basename(path)}")
    try:
        os.makedirs(folder, exist_ok=True)
        write_atomically(staged, text, _MODE)
        os.replace(staged, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(staged)
        raise NotCollected.of(error, "Run this task with 'become: true'.") from None
