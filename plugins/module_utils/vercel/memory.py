# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployments were rolled back from, kept in a file: Vercel itself knows only the last."""

from __future__ import annotations

import hashlib
import json
import os
import time

from ..core.files import write_atomically
from ..core.state import default_dir
from .options import Options

#: Marks that are kept; the oldest are of deployments that are long gone.
_KEPT = 50


class Memory:
    """The lock and the marks of one project, on the host that runs the module."""

    def __init__(self, options: Options) -> None:
        self._folder = options.record_dir or default_dir()
        service = f"{options.api_url} {options.team} {options.project}"
        digest = hashlib.sha256(service.encode()).hexdigest()[:16]
        self._path = os.path.join(self._folder, f"vercel_deployment-{digest}.json")
        self.lock = os.path.join(self._folder, f"vercel_deployment-{digest}.lock")

    def prepare(self) -> None:
        """Make the folder; raises OSError."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)

    def left(self) -> dict[str, float]:
        """When each deployment was rolled back from, by id; none if the file is not readable."""
        try:
            with open(self._path) as stream:
                return {str(key): float(at) for key, at in json.load(stream)["left"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def leave(self, deployment: str) -> None:
        """Mark a deployment; raises OSError."""
        self._write({**self.left(), deployment: round(time.time(), 3)})

    def forgive(self, deployment: str) -> None:
        """Remove the mark of a deployment that was put live on purpose; raises OSError."""
        left = self.left()
        if left.pop(deployment, None) is not None:
            self._write(left)

    def _write(self, left: dict[str, float]) -> None:
        kept = sorted(left.items(), key=lambda item: item[1])[-_KEPT:]
        write_atomically(self._path, json.dumps({"left": dict(kept)}))
