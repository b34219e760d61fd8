"""A message names the variable that the operator set."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.options import name_variable
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
        ("redis_health", "redis_url: no host", ["redis_url"], "redis_url: no host"),
        ("postgres_health", "replicas: -1", [], "replicas: -1"),
        ("postgres_health", "replicas: -1", ["replicas"], "replicas: -1"),
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
    assert summaries == ["postgres_maintenance_jobs (jobs): 0 is too few", "jobs: 0 is too few"]
