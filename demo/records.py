# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What app_release would have recorded had it deployed the app's versions one after the other."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from demo.certificates import write_private
from demo.repository import CURRENT, DEPLOYED, VERSIONS

#: Folder of the records, beside the releases.
FOLDER = ".runbook"


def ensure_records(root: Path, releases: Path) -> None:
    """Record the deployed versions as good, once: what happens to them later is kept."""
    folder = root / FOLDER
    if folder.exists():
        return
    fresh = folder.with_name(f"{FOLDER}.new")
    (fresh / "releases").mkdir(mode=0o700, parents=True, exist_ok=True)
    history, before = [], ""
    for version in VERSIONS:
        if version.tag in DEPLOYED:
            at = datetime.fromisoformat(version.date).timestamp()
            record = _record(version.tag, (releases / version.tag).resolve(), at)
            write_private(fresh / "releases" / f"{version.tag}.json", json.dumps(record) + "\n")
            switch = {"at": at, "kind": "deploy", "before": before, "after": version.tag}
            history.append(json.dumps({**switch, "owner": "demo"}) + "\n")
            before = version.tag
    if before != CURRENT:
        raise AssertionError(f"{before} was deployed last, and {CURRENT} is live")
    write_private(fresh / "history.jsonl", "".join(history))
    fresh.chmod(0o700)
    fresh.rename(folder)


def _record(tag: str, path: Path, at: float) -> dict[str, Any]:
    migrations = sorted(
        file.name.removesuffix(".up.sql") for file in path.glob("db/migrations/*.up.sql")
    )
    return {
        "id": tag,
        "version": tag,
        "path": str(path),
        "commit": (path / "REVISION").read_text().strip(),
        "migrations": migrations,
        "adopted": True,
        "status": "good",
        "verified": at,
    }
