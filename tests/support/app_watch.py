"""Made-up apps that were watched, for the verdicts of app_diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.sockets import (
    ESTABLISHED,
    Connection,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.linux.usage import Thread, Usage
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.reported import (
    Reported,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.signs import (
    Sign,
    Signs,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.diagnosis.snapshot import (
    Look,
    Snapshot,
    Trend,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.instance import (
    ONLINE,
    App,
    Instance,
)

MIB = 1 << 20
THRESHOLDS = Thresholds(CHECKS)
NOW = 1_800_000_000.0


def usage(
    moment: float,
    busy: float = 0.01,
    reads: int | None = 0,
    resident: int = 80 * MIB,
    **more: Any,
) -> Usage:
    """A process that has used ``busy`` of a processor since moment 0, in its main thread."""
    helpers = more.pop("helpers", 0.0) * moment
    main = busy * moment
    system = more.pop("system", 0.0) * main
    return Usage(
        pid=100,
        started="1",
        state="R",
        user=main - system + helpers,
        system=system,
        resident=resident,
        threads=(
            Thread(100, "node", main - system, system, more.pop("wanted", busy) * moment),
            Thread(101, "V8Worker", helpers, 0.0),
        ),
        reads=reads,
        files=more.pop("files", {0: "/dev/null", 1: "socket:[7]"}),
        file_limit=more.pop("file_limit", 1024),
    )


def connection(sent: float | None, received: float | None) -> Connection:
    return Connection(7, ("127.0.0.1", 5000), ("127.0.0.1", 5432), ESTABLISHED, sent, received)


def trend(
    *,
    pm_id: int = 0,
    seconds: float = 15.0,
    reads_a_second: int | None = 10,
    reported: bool = True,
    resident: Sequence[int] = (),
    used: Sequence[int] = (),
    total: Sequence[int] = (),
    database: Sequence[Connection] = (),
    limit: int | None = 300 * MIB,
    figures: dict[str, float] | None = None,
    **more: Any,
) -> Trend:
    """An instance that was watched; sizes in MiB, one for each look."""
    count = max(2, len(resident), len(used))
    looks = []
    for number in range(count):
        moment = seconds * number / (count - 1)
        size = (resident[number] if resident else 80) * MIB
        reads = None if reads_a_second is None else round(reads_a_second * moment)
        said = {"heap_used": float(used[number] * MIB)} if used else {}
        if total:
            said["heap_total"] = float(total[number] * MIB)
        looks.append(
            Look(moment, usage(moment, reads=reads, resident=size, **more), tuple(database), said)
        )
    instance = Instance(pm_id, "web", "default", ONLINE, pid=100, started=NOW - 3600)
    before = Reported(raw="1")
    after = Reported(figures or {}, "2" if reported else "1")
    return Trend(instance, looks, before, after, (("127.0.0.1:5432", 1),), limit)


def snapshot(*trends: Trend, signs: Sequence[Sign] = (), **more: Any) -> Snapshot:
    rows = tuple(each.instance for each in trends)
    seconds = trends[0].seconds if trends else 15.0
    found = Signs(list(signs), more.pop("unread", []), 2)
    return Snapshot(
        App("web", "default", rows), trends, seconds=seconds, signs=found, taken=NOW, **more
    )
