"""Whether systemd starts PM2 after a reboot."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.proc import current_user
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.boot import (
    boot_problem,
)


def test_the_unit_of_the_owner(tmp_path: Path) -> None:
    home, folder = tmp_path / "pm2", tmp_path / "etc/systemd/system"
    wants = folder / "multi-user.target.wants"
    home.mkdir()
    wants.mkdir(parents=True)
    unit = f"pm2-{current_user()}.service"

    def problem() -> str:
        return boot_problem(str(home), str(tmp_path))

    assert problem() == f"there is no unit {unit}"
    (folder / unit).write_text("[Service]\nEnvironment=PM2_HOME=/other/.pm2\n")
    assert problem() == f"{unit} starts the PM2 in /other/.pm2"
    (folder / unit).write_text(f"[Service]\nEnvironment=PM2_HOME={home}\n")
    assert problem() == f"{unit} is not enabled"
    os.symlink(folder / unit, wants / unit)
    assert problem() == ""
