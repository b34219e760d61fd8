# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on the size of keys, by a sample of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..core.check import UNKNOWN, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .commands import refusals
from .connection import connect, redis
from .keys import shown
from .options import Options
from .snapshot import KeySample, Snapshot

NAME = "redis.big_keys"
_STEP = 200
#: All that is needed of a user, besides the keys.
_COMMANDS = ("DBSIZE", "SCAN", "TYPE", "PTTL", "MEMORY USAGE")
#: Share of the time limit that the sample may take.
_SHARE = 0.4


def take_sample(options: Options, timeout: float) -> KeySample:
    """Inspect keys until there are enough or the time is up; raises like redis-py."""
    client = connect(options.endpoint, timeout, decode=False)
    end = time.monotonic() + _SHARE * options.timeout
    rows: list[dict[str, Any]] = []
    looked_at = expiring = cursor = 0
    try:
        total = client.dbsize()
        while looked_at < options.key_samples and time.monotonic() < end:
            cursor, keys = client.scan(cursor, count=_STEP)
            for name, kind, left, size in _facts(client, keys):
                looked_at += 1
                expiring += left >= 0
                rows.append({"prefix": shown(name), "type": kind, "bytes": size})
            rows = sorted(rows, key=lambda row: -int(row["bytes"]))[:10]
            if not cursor:
                break
    except redis.ResponseError as error:
        why = refusals(dict.fromkeys(_COMMANDS, error), options.endpoint)
        return KeySample(0, 0, 0, [], why["SCAN"])
    finally:
        client.close()
    return KeySample(looked_at, total, expiring, rows)


def _facts(client: Any, keys: Sequence[Any]) -> list[tuple[str, str, int, int]]:
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.memory_usage(key, samples=5).type(key).pttl(key)
    answers = pipeline.execute()
    return [
        (key.decode(errors="replace"), kind.decode(), left, size)
        for key, size, kind, left in zip(keys, answers[::3], answers[1::3], answers[2::3])
        if size is not None
    ]


def assess_big_keys(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.big_keys``: the largest key of the sample."""
    sample = snapshot.keys
    if sample is None or sample.refused:
        why = sample.refused if sample and sample.refused else snapshot.why("SCAN")
        text = f"Keys cannot be inspected: {why}"
        return thresholds.verdict(NAME, UNKNOWN, text, remedy=why.remedy)
    if not sample.largest:
        return thresholds.evaluate(NAME, 0, "There are no keys in this database")
    first = sample.largest[0]
    size = first["bytes"]
    never = format_value(round(100 * (1 - sample.expiring / sample.looked_at)), "percent")
    text = (
        f"The largest of {pluralize(sample.looked_at, 'key')} (of {sample.total:,}) is "
        f"{format_value(size, 'bytes')}, a {first['type']} {first['prefix']}; {never} of them "
        "never expire"
    )
    return thresholds.evaluate(NAME, size, text, evidence=sample.largest)
