# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings to change, what forbids it, and what the file says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...core.check import CRITICAL, OK
from ...core.units import format_value
from ..memory import judge_policy
from .defaults import DEFAULTS
from .file import ConfigFile
from .options import Options
from .values import FIXED, number, same

#: Share of the memory above which a fork for a snapshot may not find enough.
_HEADROOM = 0.75


class Change(NamedTuple):
    """A setting that differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Snapshot:
    """What was seen."""

    running: Mapping[str, str]
    """By the newer name, without secrets."""
    info: Mapping[str, Any]
    limit: int
    """Bytes of memory that the server can get."""
    whose: str
    """Whose limit that is."""
    file: ConfigFile


def unknown(snapshot: Snapshot, options: Options) -> list[str]:
    """The settings that the server does not have."""
    return [name for name in options.settings if name not in snapshot.running]


def changes(snapshot: Snapshot, options: Options) -> list[Change]:
    """What to set. The policy comes before maxmemory, which may evict at once."""
    found = [
        Change(name, snapshot.running[name], wanted)
        for name, wanted in options.settings.items()
        if name in snapshot.running and not same(name, wanted, snapshot.running[name])
    ]
    return sorted(found, key=lambda each: (each.name == "maxmemory", each.name))


def in_file(file: ConfigFile, name: str) -> str | None:
    """What a setting would be after a restart; none if that is not known."""
    if file.settings is None:
        return None
    return file.settings.get(name, DEFAULTS.get(name))


def drift(snapshot: Snapshot) -> list[Change]:
    """Settings that a restart would change, from the running value to that of the file."""
    found = []
    for name in sorted(snapshot.running):
        after = in_file(snapshot.file, name)
        if after is None or FIXED.fullmatch(name) or same(name, after, snapshot.running[name]):
            continue
        found.append(Change(name, snapshot.running[name], after))
    return found


def not_in_file(snapshot: Snapshot, options: Options) -> list[Change]:
    """Of the target settings, those that a restart would not keep; before is the file's."""
    return [
        Change(name, said, wanted)
        for name, wanted in options.settings.items()
        if (said := in_file(snapshot.file, name)) is not None and not same(name, wanted, said)
    ]


def foreign(snapshot: Snapshot, options: Options) -> list[Change]:
    """What else CONFIG REWRITE would make permanent."""
    return [each for each in drift(snapshot) if each.name not in options.settings]


def refusals(snapshot: Snapshot, planned: list[Change], options: Options) -> Iterator[str]:
    """Every reason not to set anything."""
    wanted = {each.name: each.after for each in planned}
    for name in unknown(snapshot, options):
        yield f"settings: this server has no setting {name}"
    if "maxmemory" in wanted:
        yield from _of_maxmemory(snapshot, number(wanted["maxmemory"]))
    yield from _of_policy(snapshot, wanted.get("maxmemory-policy", ""), options)


def _of_policy(snapshot: Snapshot, policy: str, options: Options) -> Iterator[str]:
    evicts_all = policy.startswith("allkeys-")
    if policy and options.purpose:
        status, summary, _remedy = judge_policy(
            policy, _maxmemory(snapshot, options), options.purpose, snapshot.info
        )
        if status == CRITICAL or (evicts_all and options.purpose != "cache"):
            yield f"settings: maxmemory-policy: {summary}"
    elif evicts_all:
        yield (
            f"settings: maxmemory-policy {policy} evicts any key, jobs and sessions included: "
            "declare what this Redis is for (redis_purpose: cache)"
        )


def _of_maxmemory(snapshot: Snapshot, maximum: int | None) -> Iterator[str]:
    info = snapshot.info
    used = info["used_memory"] - info.get("mem_not_counted_for_evict", 0)
    if maximum is None or maximum < 0:
        yield "settings: maxmemory is not a size such as 2gb"
    elif 0 < maximum < used:
        yield (
            f"settings: maxmemory {format_value(maximum, 'bytes')} is less than the "
            f"{format_value(used, 'bytes')} in use: keys would be evicted, or writes refused, at "
            "once"
        )
    elif maximum > snapshot.limit:
        yield (
            f"settings: maxmemory {format_value(maximum, 'bytes')} is more than {snapshot.whose} "
            f"{format_value(snapshot.limit, 'bytes')}: the kernel would kill Redis first"
        )


def cautions(snapshot: Snapshot, options: Options) -> Iterator[str]:
    """What is wrong with the target settings, although they are set."""
    maximum = _maxmemory(snapshot, options)
    if "maxmemory" in options.settings and maximum > _HEADROOM * snapshot.limit:
        yield (
            f"maxmemory {format_value(maximum, 'bytes')} leaves little of {snapshot.whose} "
            f"{format_value(snapshot.limit, 'bytes')}: a fork for a snapshot or a replica needs "
            "more for a while"
        )
    if options.purpose and {"maxmemory", "maxmemory-policy"} & options.settings.keys():
        policy = options.settings.get("maxmemory-policy") or snapshot.running["maxmemory-policy"]
        status, summary, _remedy = judge_policy(policy, maximum, options.purpose, snapshot.info)
        if status != OK:
            yield summary


def scope(snapshot: Snapshot) -> str:
    """Whom the settings do not reach, if there are others; empty if this server is alone."""
    info = snapshot.info
    if info.get("cluster_enabled"):
        return "on this node alone, the others of its cluster have their own"
    if info.get("role") == "slave":
        return "on this replica alone, its primary has its own"
    return "on this primary alone, its replicas have their own" if info["connected_slaves"] else ""


def _maxmemory(snapshot: Snapshot, options: Options) -> int:
    wanted = options.settings.get("maxmemory", snapshot.running.get("maxmemory", "0"))
    return number(wanted) or 0
