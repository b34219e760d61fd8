# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process says of its memory and its event loop, and whether a heap snapshot is safe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core.check import Check
from ...core.thresholds import Thresholds
from ...core.units import format_value

_REQUIRE = (
    "const load = (name) => typeof require === 'function' ? require(name)"
    " : process.getBuiltinModule(name);"
)
_DELAY = "Symbol.for('gpt_agent.runbook.delay')"
#: Seconds between two measurements, which are a part of each; none is made in a busy loop.
_RESOLUTION = 0.01
#: Begins to measure the delay of the event loop.
BEGIN = f"""(() => {{ {_REQUIRE}
const delay = load('perf_hooks').monitorEventLoopDelay({{ resolution: {1000 * _RESOLUTION:.0f} }});
delay.enable(); globalThis[{_DELAY}] = delay; return true; }})()"""
#: Ends that, and returns all figures as JSON.
END = f"""(() => {{ {_REQUIRE}
const delay = globalThis[{_DELAY}]; delete globalThis[{_DELAY}];
const answer = {{
  memory: process.memoryUsage(), heap: load('v8').getHeapStatistics(),
  handles: process._getActiveHandles?.().length, requests: process._getActiveRequests?.().length,
  resources: process.getActiveResourcesInfo?.().reduce(
    (all, each) => ({{ ...all, [each]: (all[each] ?? 0) + 1 }}), {{}}),
}};
if (delay) {{
  delay.disable();
  const seconds = (measured) => Math.max(0, measured / 1e9 - {_RESOLUTION});
  if (delay.count) answer.delay = {{
    mean: seconds(delay.mean), p95: seconds(delay.percentile(95)), max: seconds(delay.max),
  }};
}}
return JSON.stringify(answer); }})()"""
#: Free memory that a heap snapshot needs, as a multiple of the heap; and on disk, with a reserve.
MEMORY_FACTOR = 2
DISK_FACTOR = 2
DISK_RESERVE = 256 << 20


@dataclass(frozen=True)
class Facts:
    """The figures of one process; bytes, seconds and counts."""

    memory: Mapping[str, float] = field(default_factory=dict)
    heap: Mapping[str, float] = field(default_factory=dict)
    delay: Mapping[str, float] = field(default_factory=dict)
    handles: Mapping[str, float] = field(default_factory=dict)
    """Open handles by kind."""

    @property
    def used(self) -> float:
        return self.heap.get("used_heap_size") or self.memory.get("heapUsed") or 0.0


def facts_from(answer: Any) -> Facts:
    """The figures in the answer to `END`; none of what is not a number."""
    try:
        found = json.loads(answer)
    except (TypeError, ValueError):
        return Facts()
    return Facts(*(_numbers(found.get(key)) for key in ("memory", "heap", "delay", "resources")))


def _numbers(found: Any) -> dict[str, float]:
    if not isinstance(found, dict):
        return {}
    return {
        str(key): float(value)
        for key, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def assess_heap(facts: Facts, subject: str, thresholds: Thresholds) -> Check | None:
    """How full the heap is, with all other figures as evidence; none without them."""
    limit = facts.heap.get("heap_size_limit")
    if not limit or not facts.used:
        return None
    used = format_value(facts.used, "bytes")
    summary = f"{used} of the heap's limit of {format_value(limit, 'bytes')} in use"
    if facts.delay.get("p95"):
        summary += "; 95 % of the event loop's delays below "
        summary += format_value(facts.delay["p95"], "seconds")
    rows = [
        *({"figure": name, "value": format_value(size, "bytes")} for name, size in _sizes(facts)),
        *(
            {"figure": f"event loop delay, {name}", "value": format_value(value, "seconds")}
            for name, value in facts.delay.items()
        ),
        *(
            {"figure": f"open {kind}", "value": f"{count:.0f}"}
            for kind, count in sorted(facts.handles.items(), key=lambda each: -each[1])[:6]
        ),
    ]
    share = round(100 * facts.used / limit, 1)
    return thresholds.evaluate("app.heap", share, summary, subject=subject, evidence=rows)


def _sizes(facts: Facts) -> list[tuple[str, float]]:
    return [
        (name, facts.memory[name])
        for name in ("rss", "heapTotal", "heapUsed", "external", "arrayBuffers")
        if name in facts.memory
    ]


@dataclass(frozen=True)
class Room:
    """What a heap snapshot can use."""

    turns: bool
    """Whether the instance itself is between two computations now and then."""
    serving: int
    """Other instances that are online and whose event loop turns."""
    memory: int | None
    """Free bytes, of the host or of the cgroup, whichever is less."""
    disk: int | None


def refusal(used: float, room: Room) -> str:
    """Why a heap snapshot could take the app down; empty if it is safe.

    The process stands still while it writes the snapshot, and needs about as much memory again as
    its heap.
    """
    if not room.turns:
        return "it is in the middle of a computation, during which V8 takes no heap snapshot"
    if room.serving < 1:
        return "no other instance serves requests while this one stands still"
    if not used:
        return "the process does not say how large its heap is"
    needed = MEMORY_FACTOR * used
    if room.memory is None or room.memory < needed:
        free = "unknown" if room.memory is None else format_value(room.memory, "bytes")
        return (
            f"it needs {format_value(needed, 'bytes')} of free memory, twice the heap of "
            f"{format_value(used, 'bytes')}, and {free} is free; the kernel could kill the app"
        )
    space = DISK_FACTOR * used + DISK_RESERVE
    if room.disk is None or room.disk < space:
        free = "unknown" if room.disk is None else format_value(room.disk, "bytes")
        return f"it needs {format_value(space, 'bytes')} on disk, and {free} is free"
    return ""
