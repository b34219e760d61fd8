"""Run all measurements, or those named; every one runs although one before it misses its promise.

``python -m benchmarks [MEASUREMENT …] [--rounds N] [--peers DIR]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    backup,
    checklist,
    compose,
    pm2_process,
    postgres_checks,
    postgres_load,
    postgres_maintenance,
    restore,
    rollback,
    weekly,
)
from benchmarks.measurement import MeasurementFailed, Setup
from benchmarks.promises import Promises
from demo import watchdog

MEASUREMENTS = {
    "backup": backup.measure,
    "checklist": checklist.measure,
    "compose": compose.measure,
    "checks": postgres_checks.measure,
    "load": postgres_load.measure,
    "maintenance": postgres_maintenance.measure,
    "restore": restore.measure,
    "rollback": rollback.measure,
    "pm2": pm2_process.measure,
    "weekly": weekly.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("measurements", nargs="*", metavar="MEASUREMENT", default=[])
    parser.add_argument(
        "--rounds", type=int, default=5, help="measured rounds of each side (default 5)"
    )
    parser.add_argument(
        "--peers", type=Path, help="bin folder of an environment with the other collections"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.measurements) - set(MEASUREMENTS))
    if unknown:
        parser.error(f"no such measurement: {', '.join(unknown)}; one of {', '.join(MEASUREMENTS)}")
    watchdog.private_temporary_folder()  # a killed run leaves no server behind
    promises = Promises()
    for name in options.measurements or MEASUREMENTS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                MEASUREMENTS[name](Setup(promises, Path(folder), options.rounds, options.peers))
            except MeasurementFailed as error:
                promises.failed(name, str(error))
    return promises.exit_code()


if __name__ == "__main__":
    sys.exit(main())
