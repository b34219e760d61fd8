"""A message names the variable that the operator set."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.options import (
    name_variable,
    name_variables,
)
from tests.support import report_samples as samples


@pytest.mark.parametrize(
    ("step", "message", "variables", "expected"),
    [
        (
            "postgres_maintenance",
            "jobs: 0 is not a number of jobs",
            ["postgres_maintenance_jobs", "postgres_jobs"],
            "postgres_maintenance_jobs (jobs): 0 is not a number of jobs",
        ),
        ("host_health", "mounts: x", ["host_mounts"], "host_mounts (mounts): x"),
        (
            "host_health",
            "timeout: -1 is not a number of seconds",
            ["runbook_timeout"],
            "runbook_timeout (timeout): -1 is not a number of seconds",
        ),
        (
            "host_health",
            "thresholds: 'host.cup' is not a check",
            ["host_thresholds", "runbook_thresholds"],
            "host_thresholds (thresholds): 'host.cup' is not a check",
        ),
        (
            "postgres_maintenance",
            "database_url: no database",
            ["postgres_url"],
            "postgres_url (database_url): no database",
        ),
        (
            "postgres_maintenance",
            "database_url: no database",
            ["postgres_url", "postgres_maintenance_url"],
            "postgres_maintenance_url (database_url): no database",
        ),
        (
            "app_update",
            "path: x is not an absolute path",
            ["app_dependencies_path"],
            "app_dependencies_path (path): x is not an absolute path",
        ),
        (
            "backup_dump",
            "database_url: no database",
            ["postgres_url", "postgres_backup_url"],
            "postgres_backup_url (database_url): no database",
        ),
        ("redis_health", "redis_url: no host", ["redis_url"], "redis_url: no host"),
        ("postgres_health", "replicas: -1", [], "postgres_replicas (replicas): -1"),
        ("own_step", "replicas: -1", ["replicas"], "replicas: -1"),
        ("app_health", "lost connection: jobs: 0", ["app_jobs"], "lost connection: jobs: 0"),
        (
            "web_health",
            "endpoints[0].url: 'x' must start with http://",
            ["web_endpoints", "runbook_base_url"],
            "web_endpoints (endpoints[0].url): 'x' must start with http://",
        ),
        (
            "web_health",
            "endpoints[0].url: 'x' must start with http://",
            ["runbook_base_url"],
            "runbook_base_url (endpoints[0].url): 'x' must start with http://",
        ),
    ],
)
def test_the_variable_is_named_if_the_operator_set_one(
    step: str, message: str, variables: list[str], expected: str
) -> None:
    assert name_variable(step, message, dict.fromkeys(variables, 0)) == expected


def test_the_report_names_the_variable_of_its_host() -> None:
    failed = {"failed": True, "msg": "Module failed: jobs: 0 is too few"}
    hosts = {
        "db1": {"__postgres_maintenance": failed, "postgres_maintenance_jobs": 0},
        "db2": {"__postgres_maintenance": dict(failed)},
    }
    summaries = [check["summary"] for check in samples.report(hosts)["checks"]]
    assert summaries == ["postgres_maintenance_jobs (jobs): 0 is too few"] * 2


URLS = ["postgres_url", "postgres_maintenance_url", "postgres_backup_url", "postgres_relief_url"]


@pytest.mark.parametrize(
    ("step", "text", "variables", "expected"),
    [
        (
            "postgres_maintenance",
            "Put the password into database_url, or into ~/.pgpass.",
            URLS,
            "Put the password into postgres_maintenance_url, or into ~/.pgpass.",
        ),
        ("postgres_health", "Correct database_url.", URLS, "Correct postgres_url."),
        ("postgres_health", "Correct database_url.", [], "Correct database_url."),
        ("backup_verify", "See (database_url)", URLS, "See (postgres_backup_url)"),
        ("postgres_sessions", "Correct database_url.", URLS, "Correct postgres_relief_url."),
        ("postgres_maintenance", "set disk_free", [], "set postgres_maintenance_disk_free"),
        (
            "redis_recovery",
            "name that as unit or restart_command",
            [],
            "name that as unit or redis_recovery_command",
        ),
        ("redis_health", "Give it as ca_file.", ["runbook_ca_file"], "Give it as redis_ca_file."),
        ("web_health", "Give it as ca_file.", [], "Give it as runbook_ca_file."),
        ("backup_restore", "Correct backup_dir.", [], "Correct backup_dir."),
        ("web_health", "check server_name in nginx", [], "check server_name in nginx"),
        ("rollback_main", "-e rollback_to=v1 'try_first'", [], "-e rollback_to=v1 'try_first'"),
        (
            "deployment_watch",
            "Name them in health_urls (app_release_health_urls).",
            [],
            "Name them in health_urls (app_release_health_urls).",
        ),
    ],
)
def test_a_remedy_names_what_the_operator_sets(
    step: str, text: str, variables: list[str], expected: str
) -> None:
    assert name_variables(step, text, dict.fromkeys(variables, 0)) == expected


def test_the_report_names_variables_in_checks_and_actions() -> None:
    texts = {"summary": "database_url has no password", "remedy": "Correct database_url."}
    check = {"name": "postgres.reachable", "status": "critical", **texts}
    action = {"name": "postgres.vacuum", "status": "failed", "reason": "see database_url"}
    result = {"failed": True, "msg": "x", "checks": [check], "actions": [action]}
    report = samples.report({"db1": {"__postgres_maintenance": result, "postgres_url": "x"}})
    (found,) = report["checks"]
    assert found["summary"] == "postgres_url has no password"
    assert found["remedy"] == "Correct postgres_url."
    assert report["actions"][0]["reason"] == "see postgres_url"
