"""What our file rotates and what it leaves to others; what is archived, and what is removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.archive import Archive
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.config_file import (
    cut_patterns,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.foreign import Foreign
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.naming import Rotated
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.options import Options
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.plan import (
    due_for_archive,
    expired,
    plan_configuration,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.rotation.snapshot import (
    Folder,
    Log,
    Snapshot,
)

PATTERN = "/var/log/app/*.log"
DEPLOY = Folder("/var/log/app", "deploy", "deploy")
ROOT = Folder("/var/log/app", "root", "adm")
DAY = 86400.0


def snapshot(folder: Folder = DEPLOY, owner: str = "deploy", **facts: Any) -> Snapshot:
    return Snapshot(
        program="/usr/sbin/logrotate",
        gzip="/usr/bin/gzip",
        logs={PATTERN: [Log("/var/log/app/a.log", 5, owner, folder.group)]},
        folders={PATTERN: [folder]},
        **facts,
    )


@pytest.mark.parametrize(
    ("folder", "owner", "is_root", "su"),
    [
        (DEPLOY, "deploy", True, "su deploy deploy"),
        (DEPLOY, "deploy", False, ""),
        (ROOT, "www-data", True, ""),
        (Folder("/var/log/app", "root", "adm", is_open=True), "root", True, "su root adm"),
    ],
)
def test_whose_permissions_it_takes(folder: Folder, owner: str, is_root: bool, su: str) -> None:
    plan = plan_configuration(snapshot(folder, owner, is_root=is_root), Options((PATTERN,)), "py")
    lines = [line.strip() for line in plan.text.splitlines()]
    assert [line for line in lines if line.startswith("su ")] == ([su] if su else [])
    assert [log.path for log in plan.managed] == ["/var/log/app/a.log"]
    assert plan.covers("/var/log/app/new.log")
    assert not plan.covers("/var/log/app/new.txt")
    assert not plan.covers("/var/log/app/below/new.log")


def test_pm2_opens_its_logs_again_for_none_but_its_own() -> None:
    """It loses lines when it does."""
    web = "/var/log/web/*.log"
    found = snapshot(ROOT, pm2_logs=frozenset({"/var/log/app/a.log"}))
    logs = {**found.logs, web: [Log("/var/log/web/access.log", 5, "root", "adm")]}
    found = replace(found, logs=logs, folders={**found.folders, web: [ROOT]})
    options = Options((PATTERN, web), pm2_home="/home/deploy/.pm2")
    told = plan_configuration(found, options, "py").text
    assert (cut_patterns(told), told.count(f'"{PATTERN}" "{web}" {{')) == (set(), 1)
    spared = plan_configuration(replace(found, cuttable=frozenset({PATTERN})), options, "py").text
    assert (cut_patterns(spared), "pm2.pid" in spared) == ({PATTERN}, False)


def test_a_log_that_is_made_anew_keeps_its_group() -> None:
    folder = Folder("/var/log/app", "deploy", "deploy")
    for groups, expected in ((("adm", "adm"), "adm"), (("adm", "x"), "deploy")):
        logs = [Log(f"/var/log/app/{n}.log", 5, "deploy", each) for n, each in enumerate(groups)]
        found = Snapshot(gzip="gzip", logs={PATTERN: logs}, folders={PATTERN: [folder]})
        plan = plan_configuration(found, Options((PATTERN,)), "py")
        assert f"    su deploy {expected}\n" in plan.text


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"owner": "root"}, "they belong to root, and their folder to deploy"),
        ({"rivals": {PATTERN: [Foreign("/etc/logrotate.d/app", PATTERN)]}}, "/etc/logrotate.d/app"),
        (
            {"pm2_logrotate": True, "pm2_logs": frozenset({"/var/log/app/a.log"})},
            "pm2-logrotate rotates them",
        ),
    ],
)
def test_what_is_left_to_others(facts: dict[str, Any], reason: str) -> None:
    plan = plan_configuration(snapshot(**facts), Options((PATTERN,)), "py")
    assert (plan.text, plan.managed) == ("", [])
    assert reason in plan.declined[0].reason
    assert not plan.covers("/var/log/app/a.log")


def test_pm2_logrotate_is_no_reason_for_logs_that_pm2_does_not_write() -> None:
    found = snapshot(pm2_logrotate=True, pm2_logs=frozenset({"/var/log/other.log"}))
    assert plan_configuration(found, Options((PATTERN,)), "py").text


def test_a_mistyped_path_does_not_end_the_rotation_of_other_logs() -> None:
    wrong = "/var/log/nothere/*.log"
    found = snapshot()
    working = plan_configuration(found, Options((PATTERN,)), "py").text
    both = {"logs": {**found.logs, wrong: []}, "folders": {**found.folders, wrong: []}}
    found = replace(found, installed=working, **both)
    plan = plan_configuration(found, Options((wrong,)), "py")
    assert (plan.text, plan.keeps) == (working, True)
    assert plan.declined[0].missing == "/var/log/nothere"
    for installed in (working, None):  # nothing is lost if the rest is written
        found = replace(found, installed=installed)
        plan = plan_configuration(found, Options((wrong, PATTERN)), "py")
        assert (plan.text, plan.keeps) == (working, False)


def test_the_logs_of_a_pattern_that_others_do_not_rotate() -> None:
    names = ["a.log", "b [1].log", "error.log"]
    logs = [Log(f"/var/log/app/{name}", 5, "deploy", "deploy") for name in names]
    killed = Rotated("/var/log/app/c.log", "/var/log/app/c.log-20261128-1795824000", 1, 1.0)
    error = [Foreign("/etc/logrotate.d/foreign", "/var/log/app/error.log")]
    found = replace(snapshot(), logs={PATTERN: logs}, rotated=[killed], rivals={PATTERN: error})
    plan = plan_configuration(found, Options((PATTERN,)), "py")
    assert '"/var/log/app/a.log" "/var/log/app/c.log" {' in plan.text
    assert not plan.covers("/var/log/app/error.log")
    assert ([log.path for log in plan.managed], plan.declined) == (["/var/log/app/a.log"], [])
    (shared,) = plan.shared
    assert (shared.taken, shared.unsafe) == (
        {"/var/log/app/error.log": "/etc/logrotate.d/foreign"},
        ["/var/log/app/b [1].log"],
    )
    later = replace(found, logs={PATTERN: logs[:1]}, rotated=[])
    assert '"/var/log/app/a.log" {' in plan_configuration(later, Options((PATTERN,)), "py").text


def test_what_is_archived() -> None:
    log = "/var/log/app/a.log"
    old = Rotated(log, f"{log}.2", 5, 10 * DAY)
    new = Rotated(log, f"{log}.1", 5, 41 * DAY)
    empty = Rotated(log, f"{log}.3", 0, 9 * DAY)
    begun = Rotated(log, f"{log}.4", 5, 41 * DAY, claimed=True)
    everything = [old, new, empty, begun]
    options = Options((PATTERN,), archive_dir="/backups")
    assert due_for_archive(everything, options, 41 * DAY) == [old, begun]
    assert due_for_archive(everything, Options((PATTERN,)), 41 * DAY) == []


def test_what_is_removed() -> None:
    first, second = (Archive(f"/b/{day}", "", "", day * DAY, 1) for day in (1, 2))
    options = Options((PATTERN,), archive_dir="/b")
    assert expired([second, first], options, 92 * DAY) == [first, second]
    assert expired([second, first], options, 91 * DAY) == [first]
