"""Measure the daily checklist against other ways to do the same. Prints ratios and fails where a promised one is missed.

Every ratio is taken within one run, on the same demo stack, alternating between the two sides so that a busy machine
slows both; each side's figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.promises import Promises
from demo.stack import Stack

ROOT = Path(__file__).resolve().parent.parent

CHECKLIST = ROOT / "playbooks" / "daily_checklist.yml"
PEERS = ROOT / "benchmarks" / "playbooks" / "peers_checklist.yml"
HOSTS = 20


class Bench:
    def __init__(self, work: Path, stack: Stack, rounds: int, peers_bin: Path | None) -> None:
        self.work, self.stack, self.rounds, self.peers_bin = work, stack, rounds, peers_bin
        self.promises = Promises()

    def play(
        self, playbook: Path, inventory: Path, binaries: Path | None = None, *more: str
    ) -> tuple[float, str]:
        """Seconds that a playbook takes, and what it printed; a playbook that fails ends the benchmark."""
        program = str(binaries / "ansible-playbook") if binaries else "ansible-playbook"
        environment = {
            **os.environ,
            "RUNBOOK_DEMO_DIR": str(self.stack.directory),
            "ANSIBLE_FORKS": str(HOSTS),
        }
        command = [
            program,
            "-i",
            str(inventory),
            str(playbook),
            "-e",
            f"runbook_report_dir={self.work}/reports",
            "-e",
            "runbook_fail_on=never",
            *more,
        ]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{playbook.name} failed:\n{done.stdout}\n{done.stderr}")
        return seconds, done.stdout

    def inventory(self, name: str, hosts: int) -> Path:
        """The demo's inventory with so many aliases of its one host."""
        folder = self.work / name
        folder.mkdir()
        (folder / "settings.py").symlink_to(ROOT / "inventories" / "demo" / "settings.py")
        names = {f"demo{number:02}": {} for number in range(1, hosts + 1)}
        groups = ("app_servers", "web_servers", "database_servers", "redis_servers")
        variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        data = {
            "all": {
                "hosts": names,
                "vars": variables,
                "children": {group: {"hosts": names} for group in groups},
            }
        }
        (folder / "hosts.json").write_text(json.dumps(data))
        return folder

    def pings(self, tasks: int) -> Path:
        path = self.work / f"ping{tasks}.yml"
        path.write_text(
            json.dumps(
                [
                    {
                        "hosts": "all",
                        "gather_facts": False,
                        "tasks": [{"ansible.builtin.ping": {}}] * tasks,
                    }
                ]
            )
        )
        return path

    def medians(self, *sides: tuple[Path, Path, Path | None]) -> list[float]:
        """The median seconds of each side, measured in turns after one warming round."""
        times: list[list[float]] = [[] for _ in sides]
        for number in range(self.rounds + 1):
            for side, (playbook, inventory, binaries) in enumerate(sides):
                seconds, _ = self.play(playbook, inventory, binaries)
                if number:
                    times[side].append(seconds)
        return [statistics.median(each) for each in times]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="measured rounds of each side (default 5)"
    )
    parser.add_argument(
        "--peers", type=Path, help="folder with the ansible-playbook that has the other collections"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        stack = Stack(work / "demo")
        stack.up()
        try:
            bench = Bench(work, stack, options.rounds, options.peers)
            one, many = bench.inventory("one", 1), bench.inventory("many", HOSTS)
            output = bench.play(CHECKLIST, one, None, "-vvv")[1]
            recap = re.search(r"demo01 +: ok=(\d+) .*skipped=(\d+)", output)
            runs, tasks = output.count("Using module file"), int(recap[1]) + int(recap[2])
            bench.promises.status_of(
                "module runs on a machine that holds everything",
                runs,
                8,
                at_least=False,
                figures=f"{runs} runs",
            )
            ping = bench.pings(tasks)
            ours, pinging = bench.medians((CHECKLIST, one, None), (ping, one, None))
            figures = f"{ours:.2f} s / {pinging:.2f} s"
            bench.promises.status_of(
                f"checklist / a playbook of {tasks} pings, as many tasks",
                ours / pinging,
                1.6,
                at_least=False,
                figures=figures,
            )
            if options.peers:
                ours, theirs = bench.medians((CHECKLIST, one, None), (PEERS, one, options.peers))
                bench.promises.status_of(
                    "other collections / checklist",
                    theirs / ours,
                    3.0,
                    at_least=True,
                    figures=f"{theirs:.2f} s / {ours:.2f} s",
                )
            ours, ours_many, pinging, pinging_many = bench.medians(
                (CHECKLIST, one, None),
                (CHECKLIST, many, None),
                (ping, one, None),
                (ping, many, None),
            )
            further, ping_further = (
                (ours_many - ours) / (HOSTS - 1),
                (pinging_many - pinging) / (HOSTS - 1),
            )
            figures = f"{further:.3f} s / {ping_further:.3f} s for each further host of {HOSTS}"
            bench.promises.status_of(
                "a further host / a further host of the pings",
                further / ping_further,
                1.3,
                at_least=False,
                figures=figures,
            )
        finally:
            stack.down()
    return bench.promises.kept()


if __name__ == "__main__":
    sys.exit(main())
