#!/usr/bin/env python3
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the demo app's releases as archives, as a CI would hand them over: ``releases.py DIRECTORY
ENVIRONMENT_FILE``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from demo import packages, repository


def main(target: Path, environment_file: Path) -> None:
    node = packages.programs(lambda folder: folder).node
    modules = packages.npm_install(packages.HERE / "app", print)

    def build(folder: Path) -> None:
        subprocess.run([node, "scripts/build.js"], cwd=folder, check=True)

    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".") as directory:
        work = Path(directory)
        repository.ensure_repository(work / "repository")
        for tag in repository.DEPLOYED:
            repository.ensure_release(
                work / "repository", tag, work / tag, modules, environment_file, build
            )
            with tarfile.open(work / "archive", "w:gz", compresslevel=1) as archive:
                archive.add(work / tag, tag)
            os.replace(work / "archive", target / f"{tag}.tar.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
