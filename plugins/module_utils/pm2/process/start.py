# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts instances of an app anew, and ends them: what PM2 cannot change while it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Callable

from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ...core.files import write_atomically
from ..instance import Instance
from .options import Options
from .order import carry_out, require_ready
from .proof import Proof
from .settings import Settings
from .verify import NotProven, log_size, require_online

Report = Callable[[str], None]


def start_instances(
    options: Options, settings: Settings, count: int, directory: str, report: Report
) -> list[Instance]:
    """Start instances one after the other, each online and ready before the next; all proven.

    Raises `NotProven`.
    """
    started: list[tuple[Instance, int]] = []
    known = {row.pm_id for row in _rows_of(options, settings)}
    for _ in range(count):
        log_start = log_size(str(settings.fields.get("pm_err_log_path") or ""))
        row = _start(options, settings, known, log_start, report)
        known.add(row.pm_id)
        started.append((row, log_start if row.error_log == _log_of(settings) else 0))
    proof = Proof(options, directory, options.url)
    held = proof.hold(started, options.stable_for, report, 2 * count)
    return list(held.values())


def _start(
    options: Options, settings: Settings, known: set[int], log_start: int, report: Report
) -> Instance:
    key = (settings.fields.get("name"), settings.fields.get("namespace") or "default")

    def newest(rows: Sequence[Instance]) -> Instance | None:
        found = (row for row in rows if (row.name, row.namespace) == key)
        return next((row for row in found if row.pm_id not in known), None)

    seen = carry_out(
        options,
        ("prepare", settings.as_started(1)),
        float(settings.fields.get("listen_timeout") or 3000) / 1000,
        newest,
        lambda: report("starting"),
        until_it_ends=True,
    )
    if seen.instance is None:
        raise NotProven("PM2 did not start it; the reason is in pm2.log in PM2's folder")
    require_online(seen.instance, log_start)
    require_ready(seen, log_start)
    return seen.instance


def _log_of(settings: Settings) -> str:
    return str(settings.fields.get("pm_err_log_path") or "")


def _rows_of(options: Options, settings: Settings) -> list[Instance]:
    key = (settings.fields.get("name"), settings.fields.get("namespace") or "default")
    with options.connect() as client:
        return [row for row in client.instances() if (row.name, row.namespace) == key]


def end_instances(options: Options, rows: Iterable[Instance], method: str, report: Report) -> None:
    """Stop instances (``stopProcessId``) or remove them (``deleteProcessId``).

    Raises `NotProven` if PM2 does not do it.
    """
    for row in rows:
        report("stopping" if method == "stopProcessId" else "removing")
        try:
            with options.connect(2 * row.kill_timeout) as client:
                client.call(method, row.pm_id)
        except Unreachable as reason:
            raise NotProven(str(reason)) from None
        except DeadlineExceeded:
            raise NotProven("PM2 did not answer, so whether it has ended is not known") from None


def replace_instances(
    options: Options,
    rows: Sequence[Instance],
    now: Settings,
    wanted: Settings,
    directory: str,
    report: Report,
) -> list[Instance]:
    """Remove the instances and start as many with other settings; the new ones, proven.

    The old settings are kept in a file until then: a run that finds no such app any more starts it
    from there. If the new instances do not come up, they are removed and the old ones started
    again, once. Raises `NotProven` with the result of that.
    """
    remember(options, now, len(rows))
    end_instances(options, rows, "deleteProcessId", report)
    try:
        started = start_instances(options, wanted, len(rows), directory, report)
    except NotProven as problem:
        raise NotProven(_put_back(options, now, len(rows), problem, report)) from None
    forget(options)
    return started


def _put_back(
    options: Options, now: Settings, count: int, problem: NotProven, report: Report
) -> str:
    """Start the old settings again; the problem, and whether the app is up again."""
    report("starting the old version again")
    try:
        end_instances(options, _rows_of(options, now), "deleteProcessId", report)
        start_instances(options, now, count, now.cwd, report)
    except (NotProven, Unreachable) as second:
        return f"{problem}. The old version was started again, but it is not up either: {second}"
    forget(options)
    return f"{problem}. The old version was started again and is up"


def _file(options: Options) -> str:
    name = "".join(char if char.isalnum() else "-" for char in options.name)
    return os.path.join(options.home, f"runbook-{name}.json")


def remember(options: Options, settings: Settings, count: int) -> None:
    """Keep the settings of an app, secrets included, as PM2's own dump does, with mode 0600."""
    kept = {"fields": dict(settings.fields), "env": dict(settings.env), "instances": count}
    write_atomically(_file(options), json.dumps(kept))
    folder = os.stat(options.home)
    if os.geteuid() == 0 and folder.st_uid:
        os.chown(_file(options), folder.st_uid, folder.st_gid)


def forget(options: Options) -> None:
    with suppress(OSError):
        os.unlink(_file(options))


def remembered(options: Options) -> tuple[Settings, int] | None:
    """The settings that a killed run kept, and the number of instances; none if there are none."""
    try:
        with open(_file(options), encoding="utf-8") as stream:
            kept = json.load(stream)
        return Settings(kept["fields"], kept["env"]), int(kept["instances"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
