"""The daily checklist against other ways to do the same.

Every ratio is taken within one run, on the same demo stack, alternating between the two sides so
that a busy machine slows both; each side's figure is the median of its rounds.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measurement import ROOT, MeasurementFailed, Setup, seconds_of
from demo.stack import Stack

CHECKLIST = ROOT / "playbooks" / "daily_checklist.yml"
PEERS = ROOT / "benchmarks" / "playbooks" / "peers_checklist.yml"
HOSTS = 20


@dataclass(frozen=True)
class Side:
    """One way to do the work: a playbook, an inventory, and the environment it runs from."""

    playbook: Path
    inventory: Path
    binaries: Path | None = None
    arguments: tuple[str, ...] = ()


def measure(setup: Setup) -> None:
    with demo_stack(setup.work / "demo") as stack:
        one, many = inventory(setup, "one", 1), inventory(setup, "many", HOSTS)
        ours = Side(CHECKLIST, one)
        tasks = _module_runs(setup, stack, ours)
        pings = _pings(setup, tasks)
        _against_pings(setup, stack, ours, Side(pings, one), tasks)
        if setup.peers:
            _against_peers(setup, stack, ours, Side(PEERS, one, setup.peers))
        _more_hosts(setup, stack, ours, Side(pings, one), many)


@contextmanager
def demo_stack(folder: Path) -> Iterator[Stack]:
    stack = Stack(folder)
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


def _module_runs(setup: Setup, stack: Stack, ours: Side) -> int:
    """Judge how many modules a checklist runs; returns the tasks of its recap."""
    output = play(setup, stack, ours, "-vvv")
    recap = re.search(r"demo01 +: ok=(\d+) .*skipped=(\d+)", output)
    if recap is None:
        raise MeasurementFailed(f"the checklist printed no recap:\n{output[-2000:]}")
    runs = output.count("Using module file")
    what = "module runs on a machine that holds everything"
    setup.promises.at_most(what, runs, 8, f"{runs} runs")
    return int(recap[1]) + int(recap[2])


def _against_pings(setup: Setup, stack: Stack, ours: Side, pings: Side, tasks: int) -> None:
    checklist, pinging = medians(setup, stack, ours, pings)
    what = f"checklist / a playbook of {tasks} pings, as many tasks"
    figures = f"{checklist:.2f} s / {pinging:.2f} s"
    setup.promises.at_most(what, checklist / pinging, 1.5, figures)


def _against_peers(setup: Setup, stack: Stack, ours: Side, peers: Side) -> None:
    checklist, theirs = medians(setup, stack, ours, peers)
    figures = f"{theirs:.2f} s / {checklist:.2f} s"
    setup.promises.at_least("other collections / checklist", theirs / checklist, 3.5, figures)


def _more_hosts(setup: Setup, stack: Stack, ours: Side, pings: Side, many: Path) -> None:
    """Judge what each further host costs."""
    sides = [ours, Side(CHECKLIST, many), pings, Side(pings.playbook, many)]
    checklist, checklist_many, pinging, pinging_many = medians(setup, stack, *sides)
    further = (checklist_many - checklist) / (HOSTS - 1)
    ping_further = (pinging_many - pinging) / (HOSTS - 1)
    figures = f"{further:.3f} s / {ping_further:.3f} s for each further host of {HOSTS}"
    what = "a further host / a further host of the pings"
    setup.promises.at_most(what, further / ping_further, 1.3, figures)


def medians(setup: Setup, stack: Stack, *sides: Side) -> list[float]:
    """The median seconds of each side, measured in turns after one warming round."""
    times: list[list[float]] = [[] for _ in sides]
    for number in range(setup.rounds + 1):
        for side, measured in zip(sides, times, strict=True):
            seconds = _seconds(setup, stack, side)
            if number:
                measured.append(seconds)
    return [statistics.median(measured) for measured in times]


def _seconds(setup: Setup, stack: Stack, side: Side) -> float:
    return seconds_of(lambda: play(setup, stack, side))


def play(setup: Setup, stack: Stack, side: Side, *arguments: str) -> str:
    """Run a playbook; returns what it printed."""
    program = side.binaries / "ansible-playbook" if side.binaries else "ansible-playbook"
    command = [str(program), "-i", str(side.inventory), str(side.playbook)]
    command += ["-e", f"runbook_report_dir={setup.work}/reports", "-e", "runbook_fail_on=never"]
    environment = {
        **os.environ,
        "RUNBOOK_DEMO_DIR": str(stack.directory),
        "ANSIBLE_FORKS": str(HOSTS),
    }
    done = subprocess.run(
        [*command, *side.arguments, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasurementFailed(f"{side.playbook.name} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def inventory(setup: Setup, name: str, hosts: int) -> Path:
    """The demo's inventory with so many aliases of its one host."""
    folder = setup.work / name
    folder.mkdir()
    (folder / "settings.py").symlink_to(ROOT / "inventories" / "demo" / "settings.py")
    names = {f"demo{number:02}": {} for number in range(1, hosts + 1)}
    groups = ("app_servers", "web_servers", "database_servers", "redis_servers")
    data = {
        "all": {
            "hosts": names,
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
            },
            "children": {group: {"hosts": names} for group in groups},
        }
    }
    (folder / "hosts.json").write_text(json.dumps(data))
    return folder


def _pings(setup: Setup, tasks: int) -> Path:
    """A playbook of so many tasks that do nothing."""
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}] * tasks}
    path = setup.work / f"ping{tasks}.yml"
    path.write_text(json.dumps([play]))
    return path
