"""Stands in for the pip bootstrap script that ansible-test downloads: uses Python's own pip."""

from __future__ import annotations

import subprocess
import sys

subprocess.run(
    [sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL
)
wanted = [
    argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")
]
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=False).returncode)
