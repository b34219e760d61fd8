"""What the operator says about an app, applied to the settings that PM2 has."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.cli import Resolved
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.definition import (
    Definition,
    describe,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.process.settings import (
    Settings,
)

NOW = Settings(
    {
        "pm_cwd": "/srv/a",
        "pm_exec_path": "/srv/a/server.js",
        "exec_mode": "fork_mode",
        "max_memory_restart": 5,
        "pm_out_log_path": "/logs/web-out-0.log",
    },
    {"PATH": "/bin", "PORT": 3000, "TOKEN": "hunter2"},
)


def applied(**params: Any) -> str:
    """The differences, as they are reported."""
    return describe(NOW, Definition.from_params(params).applied_to(NOW))


def test_what_is_not_given_stays() -> None:
    assert applied() == ""
    assert Definition.from_params({}).is_empty


def test_differences_name_no_value_of_the_environment() -> None:
    assert applied(env={"PORT": "3001", "NEW": "hunter3"}) == "env.NEW added, env.PORT changed"
    assert applied(args=["--token=hunter2", "-v"]) == "args none → --token=*** -v"


def test_a_number_is_the_same_as_text_and_a_truth_is_lower_case() -> None:
    assert applied(env={"PORT": "3000"}) == ""
    assert Definition.from_params({"env": {"DEBUG": True}}).env == {"DEBUG": "true"}


def test_an_exact_environment_keeps_what_the_command_needs() -> None:
    assert applied(env={"PORT": 3000}, env_mode="exact") == "env.TOKEN removed"


def test_the_id_in_the_name_of_a_log_is_no_difference() -> None:
    assert applied(out_file="/logs/web-out.log") == ""
    assert applied(out_file="/logs/new.log") == (
        "pm_out_log_path /logs/web-out-0.log → /logs/new-0.log"
    )


def test_the_script_is_relative_to_the_directory() -> None:
    assert applied(cwd="/srv/b/", script="main.js") == (
        "pm_cwd /srv/a → /srv/b, pm_exec_path /srv/a/server.js → /srv/b/main.js"
    )


def test_what_an_ecosystem_file_no_longer_says_is_removed() -> None:
    fields = {"pm_cwd": "/srv/a", "pm_exec_path": "/srv/a/server.js", "exec_mode": "fork_mode"}
    logs = {"pm_out_log_path": "/logs/web-out.log"}
    resolved = Resolved({**fields, **logs, "instances": 2}, {"PATH": "/x"}, {"PORT": 3000})
    wanted = Definition(config="/srv/a/eco.json").resolved_to(NOW, resolved)
    assert describe(NOW, wanted) == "max_memory_restart 5 → none"
