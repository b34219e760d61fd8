# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial instance: it shows whether the app starts with its new settings, before any instance
that serves is touched.

It is an app of its own in PM2's list, ``<name>-trial``, so that an instance that a killed run left
behind is recognised. In cluster mode it answers requests at the app's port, as all instances do,
unless the operator gives it another one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Callable

from ...core.deadline import DeadlineExceeded
from ...core.errors import Unreachable
from ..instance import App, Instance, instance_from
from .options import Options
from .order import carry_out, require_ready
from .proof import Proof
from .settings import Settings
from .verify import NotProven, log_size, require_online

#: Marks the instance in PM2's list, besides its name.
_MARK = "runbook_trial"


def trial_name(app: App) -> str:
    return f"{app.name}-trial"


class Trial:
    """One trial instance; the block ends it."""

    def __init__(self, options: Options, app: App, report: Callable[[str], None]) -> None:
        self._options = options
        self._app = app
        self._report = report
        self._name = trial_name(app)
        self._extra = 0.0

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def start(self, settings: Settings, directory: str) -> Instance:
        """Start the instance and prove it; raises `NotProven`. Ends those of killed runs first."""
        self.end()
        options = self._options
        wanted = self._settings(settings)
        self._extra = float(self._app.instances[0].listen_timeout)
        log = str(wanted.fields["pm_err_log_path"])
        log_start = log_size(log)
        self._starting()
        order = ("prepare", wanted.as_started())
        seen = carry_out(
            options, order, self._extra, self._find, lambda: self._report("starting"), True
        )
        if seen.instance is None:
            raise NotProven("PM2 did not start it; the reason is in pm2.log in PM2's folder")
        require_online(seen.instance, log_start)
        require_ready(seen, log_start)
        proof = Proof(options, directory, options.trial_url if options.trial_env else options.url)
        requests = 1 if options.trial_env else 2 * (len(self._app.instances) + 1)
        held = proof.hold([(seen.instance, log_start)], options.stable_for, self._report, requests)
        return held[seen.instance.pm_id]

    def _starting(self) -> None:
        self._report("starting a trial instance")

    def end(self) -> None:
        """End trial instances, of killed runs too. What cannot be ended now, the next run ends."""
        with suppress(Unreachable, DeadlineExceeded):
            for row in leftovers(self._options):
                with self._options.connect(row.kill_timeout) as client:
                    client.call("deleteProcessId", row.pm_id)

    def _settings(self, settings: Settings) -> Settings:
        """The settings of the trial instance: like those of the app, but never started again."""
        logs = os.path.join(self._options.home, "logs", self._name)
        fields = {
            "name": self._name,
            _MARK: True,
            "autorestart": False,
            "watch": False,
            "merge_logs": True,
            "pm_out_log_path": f"{logs}-out.log",
            "pm_err_log_path": f"{logs}-error.log",
            # Apps that share out work by this number must not see one twice.
            str(settings.fields.get("instance_var") or "NODE_APP_INSTANCE"): len(
                self._app.instances
            ),
        }
        kept = {
            k: v for k, v in settings.fields.items() if k not in ("cron_restart", "pm_log_path")
        }
        env = {**settings.env, **self._options.trial_env}
        return Settings({**kept, **fields}, env)

    def _find(self, rows: Sequence[Instance]) -> Instance | None:
        key = (self._name, self._app.namespace)
        return next((row for row in rows if (row.name, row.namespace) == key), None)


def leftovers(options: Options) -> list[Instance]:
    """The trial instances of the app in PM2's list."""
    with options.connect() as client:
        found = [(instance_from(row), row["pm2_env"].get(_MARK)) for row in client.rows()]
    return [
        row
        for row, mark in found
        if mark
        and row.name == f"{options.name}-trial"
        and (options.namespace is None or row.namespace == options.namespace)
    ]
