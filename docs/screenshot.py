"""Makes docs/report.png: the daily checklist on a demo stack of its own whose Redis is stopped.

Needs chromium. Further arguments go to ansible-playbook, such as thresholds for a busy machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.stack import Stack

SIZE = "1180,1500"
CHROMIUM = [
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--hide-scrollbars", f"--window-size={SIZE}"),
]


def write_report(folder: Path, arguments: list[str]) -> Path:
    """Run the checklist on a demo stack without Redis and return the path of its page."""
    stack = Stack(folder / "demo")
    try:
        stack.up()
        stack.stop("redis")
        subprocess.run(  # noqa: S603
            [
                *("ansible-playbook", "-i", "inventories/demo", "playbooks/daily_checklist.yml"),
                *("-e", f"runbook_report_dir={folder}", "-e", "runbook_fail_on=never", *arguments),
            ],
            cwd=ROOT,
            env={**os.environ, "RUNBOOK_DEMO_DIR": str(stack.directory)},
            check=True,
        )
    finally:
        stack.down()
    return folder / "daily_checklist" / "latest.html"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = write_report(folder, sys.argv[1:])
        picture = ROOT / "docs" / "report.png"
        profile = f"--user-data-dir={folder / 'profile'}"
        subprocess.run(  # noqa: S603
            [*CHROMIUM, profile, f"--screenshot={picture}", page.as_uri()],
            check=True,
            timeout=120,
        )


if __name__ == "__main__":
    main()
