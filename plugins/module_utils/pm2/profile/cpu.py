# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CPU profile of V8: which functions took the time. Pure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from ...core.check import OK, UNKNOWN, WARNING, Check
from ...core.text import shorten
from ...core.thresholds import Thresholds

_IDLE, _GARBAGE = "(idle)", "(garbage collector)"
_OWN = (_IDLE, _GARBAGE, "(root)", "(program)")
#: Percent of the time from which the main thread is busy, garbage collection is the trouble, and
#: one function is.
_BUSY, _COLLECTING, _DOMINANT = 80.0, 30.0, 40.0
#: Functions that are shown.
_SHOWN = 10
#: Functions of a stack that are shown.
_CALLERS = 6


@dataclass(frozen=True)
class Hot:
    """One function; percent of the time of the profile."""

    name: str
    place: str
    """File and line; empty for what V8 itself does."""
    own: float
    """In the function itself."""
    total: float
    """In it and in what it calls."""


@dataclass(frozen=True)
class Profile:
    """The functions of a profile, those that took most of the time first."""

    seconds: float
    idle: float
    """Percent of the time."""
    garbage: float
    functions: tuple[Hot, ...]
    halted: str = ""
    """Where a busy process was whenever it was halted: the function and those that called it."""

    @property
    def is_busy(self) -> bool:
        return bool(self.seconds) and 100 - self.idle >= _BUSY


def summarize(profile: Mapping[str, Any], folder: str = "") -> Profile:
    """The functions of a profile as the inspector returns it; paths relative to ``folder``."""
    nodes = {node["id"]: node for node in profile.get("nodes", ())}
    parents = {child: node["id"] for node in nodes.values() for child in node.get("children", ())}
    own: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    # V8 states the time from the sample before.
    times = [max(0, delta) for delta in profile.get("timeDeltas", ())]
    for node, time in zip(profile.get("samples", ()), [*times[1:], *times[-1:]]):
        functions = []
        at: Any = node
        while at in nodes:
            functions.append(_function(nodes[at]["callFrame"], folder))
            at = parents.get(at)
        if functions:
            own[functions[0]] += time
            for function in set(functions):
                total[function] += time
    whole = sum(own.values()) or 1
    share = {function: 100 * time / whole for function, time in own.items()}
    hot = [
        Hot(*function, share[function], 100 * total[function] / whole)
        for function, _time in own.most_common()
        if function[0] not in _OWN
    ]
    return Profile(
        sum(own.values()) / 1e6,
        sum(part for (name, _place), part in share.items() if name == _IDLE),
        sum(part for (name, _place), part in share.items() if name == _GARBAGE),
        tuple(hot),
    )


def with_stacks(
    profile: Profile, stacks: Sequence[Sequence[Mapping[str, Any]]], folder: str = ""
) -> Profile:
    """The profile, with what the stacks have in common: V8 may have missed the innermost function.

    That comes first if it was the innermost most of the times.
    """
    tops = Counter(_function(stack[0], folder) for stack in stacks if stack)
    if not tops:
        return profile
    (top, count) = tops.most_common(1)[0]
    stack = next(stack for stack in stacks if stack and _function(stack[0], folder) == top)
    callers = [_function(frame, folder) for frame in stack[:_CALLERS]]
    halted = " < ".join(f"{name} ({place})" for name, place in callers)
    known = profile.functions[0] if profile.functions else None
    if count <= len(stacks) / 2 or (known and (known.name, known.place) == top):
        return replace(profile, halted=halted)
    others = [each for each in profile.functions if (each.name, each.place) != top]
    # The time that the profile gives to its callers is its own.
    own = sum(each.own for each in profile.functions if (each.name, each.place) in {top, *callers})
    first = Hot(*top, own, max(own, *(each.total for each in profile.functions[:1])))
    return replace(profile, functions=(first, *others), halted=halted)


def _function(frame: Mapping[str, Any], folder: str) -> tuple[str, str]:
    name, url = frame.get("functionName") or "(anonymous)", frame.get("url") or ""
    if not url:
        return name, ""
    path = unquote(urlsplit(url).path) if url.startswith("file:") else url
    if folder and path.startswith(f"{folder}/"):
        path = os.path.relpath(path, folder)
    return shorten(name, 80), f"{path}:{frame.get('lineNumber', 0) + 1}"


def assess_profile(profile: Profile, subject: str, thresholds: Thresholds, path: str = "") -> Check:
    """What took the time: garbage collection, one function, many, or nothing."""
    busy = 100 - profile.idle
    more = {
        "subject": subject,
        "value": round(busy, 1),
        "window": f"{profile.seconds:.0f} s",
        "evidence": _evidence(profile, path),
    }
    if not profile.seconds:
        text = "the profile contains no samples"
        return thresholds.verdict("app.profile", UNKNOWN, text, subject=subject)
    top = profile.functions[0] if profile.functions else None
    first = f"{top.name} ({top.place or 'V8'}) with {top.own:.0f} %" if top else "none"
    if profile.garbage >= _COLLECTING:
        return thresholds.verdict(
            "app.profile",
            WARNING,
            f"garbage collection takes {profile.garbage:.0f} % of the time; of the functions, the "
            f"busiest is {first}",
            remedy="Find what fills the heap: take a heap snapshot (-e app_profile_heap=true), and "
            "see app.heap.",
            **more,
        )
    if top and top.own >= _DOMINANT and busy >= _BUSY:
        return thresholds.verdict(
            "app.profile",
            WARNING,
            f"the main thread is busy for {busy:.0f} % of the time, most of it in one function: "
            f"{first}",
            remedy=f"Correct {top.name} in {top.place or 'V8'}; a deployment that changed it can "
            "be taken back with playbooks/emergency_rollback.yml.",
            **more,
        )
    text = f"busy for {busy:.0f} % of the time, {profile.garbage:.0f} % in garbage collection; "
    text += f"the busiest function is {first}"
    return thresholds.verdict("app.profile", WARNING if busy >= _BUSY else OK, text, **more)


def _evidence(profile: Profile, path: str) -> list[dict[str, object]]:
    evidence = [_row(each) for each in profile.functions[:_SHOWN]]
    if profile.halted:
        evidence.append({"function": "halted in", "place": profile.halted, "self": "", "total": ""})
    if path:
        evidence.append({"function": "the profile", "place": path, "self": "", "total": ""})
    return evidence


def _row(each: Hot) -> dict[str, object]:
    return {
        "function": each.name,
        "place": each.place or "V8",
        "self": f"{each.own:.1f} %",
        "total": f"{each.total:.1f} %",
    }
