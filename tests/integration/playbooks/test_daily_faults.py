"""Every fault that the daily checklist promises to find, really there on a real stack."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack
from tests.conftest import ROOT
from tests.support.checklist import AREAS, THRESHOLDS, Checklist, Run, quiet, run_checklist
from tests.support.faults import (
    Inject,
    crashing,
    frozen,
    misbehaving,
    nothing,
    one_instance_errored,
    out_of_slots,
    serving,
    stopped,
)


@dataclass
class Fault:
    name: str
    inject: Inject
    check: str
    summary: str
    """A pattern that the summary matches."""
    remedy: str
    """A pattern that the remedy matches."""
    subject: str = ""
    status: str = "critical"
    variables: Callable[[Stack], dict[str, Any]] = field(default=lambda stack: {})


HEALTH = "/api/health"
WRONG = ":wrong-hunter2@"

#: The faults, in groups that do not meet each other: each group is put in at once, in this order.
GROUPS: dict[str, list[Fault]] = {
    "down": [
        Fault("app stopped", stopped("app"), "app.process", "gpt-agent", "pm2"),
        Fault(
            "postgres stopped",
            stopped("postgres"),
            "postgres.reachable",
            "refuse[ds].*nothing listens",
            "postgresql",
        ),
        Fault(
            "certificate expired",
            serving("expired"),
            "certificate.expiry",
            "expired",
            "certbot renew",
        ),
        Fault(
            "redis frozen",
            frozen("redis"),
            "redis.reachable",
            "no answer|did not answer",
            "[Rr]edis",
        ),
    ],
    "crashing": [
        Fault(
            "app crash-looping",
            crashing(),
            "app.process",
            "crash|errored|restart",
            "log|roll back",
        ),
        Fault(
            "redis stopped",
            stopped("redis"),
            "redis.reachable",
            "refuse[ds]|nothing listens",
            "[Rr]edis",
        ),
        Fault(
            "certificate not yet valid",
            serving("not_yet_valid"),
            "certificate.expiry",
            "not valid|not yet",
            "",
        ),
        Fault(
            "postgres out of slots",
            out_of_slots,
            "postgres.reachable",
            "slots|too many",
            "pool|sessions|connections",
        ),
    ],
    "half": [
        Fault(
            "one instance errored",
            one_instance_errored,
            "app.process",
            "1 of 2.*errored|errored.*1 of 2|1 errored",
            "log|roll back",
        ),
        Fault(
            "wrong password",
            nothing,
            "postgres.reachable",
            "password",
            "password|DATABASE_URL|database_url|postgres_url",
            variables=lambda stack: {
                "postgres_url": re.sub(r":[^:@/]+@", WRONG, stack.database_url)
            },
        ),
        Fault(
            "certificate for another name",
            serving("other_name"),
            "certificate.hostname",
            "other.example",
            "server_name|name",
        ),
    ],
    "answers": [
        Fault(
            "app answers 500",
            misbehaving(status=500, paths=[HEALTH]),
            "web.endpoint",
            "500",
            "app|pm2",
            subject=f"{HEALTH}$",
        ),
        Fault(
            "app answers slowly",
            misbehaving(delay_ms=1500, paths=[f"{HEALTH}/db"]),
            "web.response_time_p95",
            r"1\.[5-9]|[2-9]\.",
            "slow",
            subject=f"{HEALTH}/db$",
        ),
        Fault(
            "app answers HTML",
            misbehaving(html=True, paths=[f"{HEALTH}/redis"]),
            "web.endpoint",
            "HTML",
            "",
            subject=f"{HEALTH}/redis$",
        ),
        Fault(
            "certificate renewed and not reloaded",
            serving("renewed", reload=False),
            "certificate.served_is_file",
            "not reloaded",
            "reload",
        ),
    ],
    "chain": [
        Fault(
            "certificate without intermediate",
            serving("missing_intermediate"),
            "certificate.chain",
            "intermediate",
            "full ?chain",
        ),
        Fault(
            "disk full",
            nothing,
            "host.disk_used",
            "%",
            "Clean logs",
            variables=lambda stack: {
                "runbook_thresholds": {
                    **THRESHOLDS,
                    "host.disk_used": {"warning": 0.0001, "critical": 0.0002},
                }
            },
        ),
    ],
}


def each_fault() -> Iterator[Any]:
    for group, faults in GROUPS.items():
        # The first group is run on the other versions of ansible-core, too.
        marks = [pytest.mark.versions] if group == "down" else []
        for fault in faults:
            yield pytest.param(group, fault, id=f"{group}: {fault.name}", marks=marks)


@pytest.fixture(scope="module")
def sick_and_healed(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Run, Run]]:
    """The checklist with all faults of a group, and once they are gone; run once a group."""
    folder = tmp_path_factory.mktemp("faults")

    @functools.cache
    def both(group: str) -> tuple[Run, Run]:
        quiet(stack)
        variables: dict[str, Any] = {}
        with contextlib.ExitStack() as injected:
            for fault in GROUPS[group]:
                injected.enter_context(fault.inject(stack))
                variables |= fault.variables(stack)
            sick = run_checklist(stack, folder, "-e", json.dumps(variables))
        quiet(stack)
        return sick, run_checklist(stack, folder)

    return both


@pytest.mark.parametrize(("group", "fault"), list(each_fault()))
def test_a_fault_is_found_named_and_seen_to_be_gone(
    group: str, fault: Fault, sick_and_healed: Callable[[str], tuple[Run, Run]]
) -> None:
    run, after = sick_and_healed(group)
    found = run.check(fault.check, fault.subject)
    assert found["status"] == fault.status, found
    assert re.search(fault.summary, found["summary"]), found
    assert re.search(fault.remedy, found["remedy"]), found
    assert run.code != 0
    assert {check["name"].split(".")[0] for check in run.report["checks"]} >= AREAS, (
        "the rest of the checklist is complete"
    )
    assert found["name"] in run.output, "the terminal says so too"
    assert "hunter2" not in run.output
    assert (after.code, after.bad) == (0, []), after.output


def inventory_with(folder: Path, hosts: dict[str, dict[str, Any]]) -> Path:
    """The demo's inventory with more hosts, in every group."""
    folder.mkdir()
    (folder / "settings.py").symlink_to(ROOT / "inventories/demo/settings.py")
    demo = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    names: dict[str, dict[str, Any]] = {"demo": demo, **hosts}
    groups = {
        group: {"hosts": dict.fromkeys(names)}
        for group in ("app_servers", "web_servers", "database_servers", "redis_servers")
    }
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": names, "children": groups}}))
    return folder


@pytest.mark.parametrize("limit", [[], ["--limit", "gone"]], ids=["beside others", "alone"])
def test_an_unreachable_host_is_critical_and_the_others_are_looked_at(
    limit: list[str], stack: Stack, checklist: Checklist, tmp_path: Path
) -> None:
    quiet(stack)
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    run = checklist(*limit, inventory=inventory_with(tmp_path / "inventory", {"gone": gone}))
    assert run.code != 0
    found = [check for check in run.report["checks"] if check["host"] == "gone"]
    assert [(check["name"], check["status"]) for check in found] == [("host.reachable", "critical")]
    assert "refused" in found[0]["summary"]
    assert {check["host"] for check in run.report["checks"]} == (
        {"gone"} if limit else {"gone", "demo"}
    )
    assert [check["host"] for check in run.report["checks"] if check["status"] == "critical"] == [
        "gone"
    ]
