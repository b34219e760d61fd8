# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration for logrotate that this collection writes. Pure."""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from . import cut
from .foreign import patterns_in
from .naming import DATE_FORMAT
from .options import Options

#: The script where no writer is named.
NO_ONE = "true"
#: The first line of a file that is ours.
MARK = "# Written by gpt_agent.runbook.log_rotation; changes by hand are lost."

#: ``held`` asks the kernel whether anyone has a rotated log open for writing; exit code 0 if so.
#: ``quiet`` waits until nothing was written to one for a moment: PM2 drops what it has not yet
#: written when it opens its logs again.
_HELPER = """\
import errno, fcntl, glob, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
paths = [p for a in sys.argv[2:] for p in glob.glob(a + '-????????-??????????')]
def size():
    return sum(os.path.getsize(p) for p in paths if os.path.exists(p))
if sys.argv[1] == 'quiet':
    end, before, since = time.monotonic() + 5, size(), time.monotonic()
    while time.monotonic() < min(end, since + 0.02):
        time.sleep(0.002)
        if size() != before:
            before, since = size(), time.monotonic()
    os._exit(0)
held = False
for path in paths:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        continue
    try:
        if os.getuid() == 0:
            os.seteuid(os.fstat(handle).st_uid)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            print('someone still writes to', path, file=sys.stderr)
            held = True
    finally:
        os.close(handle)
        if os.getuid() == 0:
            os.seteuid(0)
sys.exit(0 if held else 1)
"""

_FUNCTIONS = """\
reopen() {{
{reopen}
}}
ask() {{
    {python} -I - "$1" {patterns} <<'END'
{helper}END
}}"""

_BLOCK = """\
{paths} {{
    daily
    rotate -1
    maxage {days}
    dateext
    dateformat {date_format}
    compress
    delaycompress
    compresscmd {gzip}
    compressoptions -6
    compressext .gz
    missingok
    notifempty
    nocopytruncate
    noolddir
    nomail
    noshred
    {su}
{method}
}}
"""

_REOPEN = """\
    create
    nocopy
    sharedscripts
    firstaction
{functions}
# What is rotated already is compressed next, so no one may write to it any more.
for pause in 0 1 2; do
    ask held || exit 0
    reopen
    sleep "$pause"
done
! ask held
    endscript
    postrotate
{functions}
{quiet}
reopen
    endscript"""

#: Copied, and then taken off the head of the log, which stays open. An error in ``firstaction``
#: keeps all logs from being rotated, one in ``prerotate`` that log.
_CUT = """\
    copy
    nosharedscripts
    firstaction
        {python} -I - complete {user} {patterns} <<'END'
{script}END
    endscript
    prerotate
        {python} -I - begin {user} {keep_free} "$1" <<'END'
{script}END
    endscript
    postrotate
        {python} -I - finish {user} "$1" "$2" <<'END'
{script}END
    endscript"""


@dataclass(frozen=True)
class Group:
    """Logs that are rotated with the same permissions."""

    paths: tuple[str, ...]
    user: str = ""
    """Who owns their folder, and its group; empty for whoever runs logrotate."""
    group: str = ""
    cut: bool = False
    """Whether their lines are copied and cut off; otherwise their writers open them again."""
    has_pm2: bool = True
    """Whether PM2 may write some of them."""


def render(options: Options, groups: Sequence[Group], gzip: str, python: str) -> str:
    """The whole file; the same input gives the same text."""
    if options.archive_dir:
        kept = f"archived to {options.archive_dir} after {options.keep} days, by the same module"
    else:
        kept = f"kept for {options.keep} days"
    blocks = [_block(options, group, gzip, python) for group in groups]
    return "\n".join([f"{MARK}\n# Rotated logs are {kept}.", *blocks])


def cut_patterns(text: str) -> set[str]:
    """The logs whose lines a configuration of ours cuts off."""
    blocks = text.split("\n}\n")
    return {
        name for each in blocks if "\n    copy\n" in each for name in patterns_in(f"{each}\n}}")
    }


def _block(options: Options, group: Group, gzip: str, python: str) -> str:
    python = shlex.quote(python)
    method = _cut(options, group, python) if group.cut else _reopen(options, group, python)
    lines = _BLOCK.format(
        paths=" ".join(f'"{path}"' for path in group.paths),
        days=options.days,
        date_format=DATE_FORMAT,
        gzip=gzip,
        su=f"su {group.user} {group.group}" if group.user else "",
        method=method,
    ).split("\n")
    return "\n".join(line for line in lines if line.strip()) + "\n"


def _reopen(options: Options, group: Group, python: str) -> str:
    has_pm2 = bool(options.pm2_home) and group.has_pm2
    return _REOPEN.format(
        quiet="ask quiet" if has_pm2 else "",
        functions=_FUNCTIONS.format(
            reopen=_indent(reopen_script(options, has_pm2)),
            python=python,
            patterns=_quoted(group.paths),
            helper=_HELPER,
        ),
    )


def _cut(options: Options, group: Group, python: str) -> str:
    source = inspect.getsource(cut)
    return _CUT.format(
        python=python,
        user=_quoted((group.user, group.group)),
        keep_free=options.keep_free,
        patterns=_quoted(group.paths),
        script=source[source.index("import errno") :],
    )


def _quoted(paths: Sequence[str]) -> str:
    return " ".join(f"'{path}'" for path in paths)


def reopen_script(options: Options, has_pm2: bool = True) -> str:
    """Shell commands that tell the writers to open their logs again.

    A process number in a file may be that of another process by now, and the signal would end it.
    So it must be PM2's daemon, or nginx, and belong to the owner of the file.
    """
    lines = []
    if options.pm2_home and has_pm2:
        pid_file = os.path.join(options.pm2_home, "pm2.pid")
        lines.append(_signal(pid_file, "^PM2 v.*: God Daemon", "USR2"))
    if options.nginx_pid_file:
        lines.append(_signal(options.nginx_pid_file, "^nginx: master process", "USR1"))
    if options.reopen_command:
        lines.append(options.reopen_command)
    return "\n".join(lines or [NO_ONE])


def _signal(pid_file: str, title: str, name: str) -> str:
    return (
        f"if pid=$(cat '{pid_file}' 2>/dev/null) && [ -n \"$pid\" ] &&\n"
        f"    grep -aqs '{title}' \"/proc/$pid/cmdline\" &&\n"
        f'    [ "$(stat -c %u "/proc/$pid")" = "$(stat -c %u \'{pid_file}\')" ]; then\n'
        f'    kill -{name} "$pid"\n'
        "fi"
    )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))
