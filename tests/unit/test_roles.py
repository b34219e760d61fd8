"""Roles, playbooks and inventories agree: variables, defaults, module_defaults, results."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.options import variable_of
from tests.conftest import ROOT
from tests.support.collection import (
    NAMESPACE,
    PLAYBOOKS,
    ROLES,
    action_groups,
    argument_specs,
    documentation,
    load,
    module_of,
    modules_of,
    plays_of,
    role_defaults,
    role_options,
    role_tasks,
    variables_in,
)

#: Every entry point of a role with tasks of its own.
ENTRY_POINTS = [
    (role, path.stem)
    for role in ROLES
    for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml"))
]
#: The entry points that run a module; ``main`` may only be a table of contents.
STEPS = [
    (role, entry_point)
    for role, entry_point in ENTRY_POINTS
    if any(module_of(task) for task in role_tasks(role, entry_point))
]


# --- roles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_roles_have_one_shape(role: str) -> None:
    for name in (
        "README.md",
        "defaults/main.yml",
        "meta/main.yml",
        "meta/argument_specs.yml",
        "tasks/main.yml",
    ):
        assert (ROOT / "roles" / role / name).is_file(), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_describes_each_of_its_entry_points(role: str) -> None:
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    assert set(specs) == {step for each, step in ENTRY_POINTS if each == role}
    assert all(spec["short_description"] for spec in specs.values())
    assert all(spec["description"] for spec in specs.values())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_describes_exactly_its_defaults(role: str) -> None:
    defaults, described = role_defaults(role), role_options(role)
    required = {name for name, option in described.items() if option.get("required")}
    assert set(defaults) == described.keys() - required
    assert not required & set(defaults)
    assert described, "a role without options"
    assert all(name.startswith(f"{role}_") for name in described), (
        "public variables start with the name of the role"
    )


@pytest.mark.parametrize("role", ROLES)
def test_the_default_and_its_fallback_are_in_the_description(role: str) -> None:
    for name, value in role_defaults(role).items():
        option = role_options(role)[name]
        assert option["description"], name
        if "{{" not in str(value):
            assert option["default"] == value, name
            continue
        assert "default" not in option, f"{name}: a template is no default of a specification"
        named = re.sub(r"lookup\('ansible.builtin.vars', '(\w+)'", r"\1", str(value))
        fallbacks = set(re.findall(r"{{ ([a-z]\w+)", named)) - {"omit"}
        text = " ".join(option["description"])
        assert all(each in text for each in fallbacks), (name, fallbacks)


@pytest.mark.parametrize(("role", "entry_point"), STEPS)
def test_a_step_takes_exactly_the_variables_that_it_describes(role: str, entry_point: str) -> None:
    """Those that it uses itself; a variable may be there for the default of another one."""
    path = ROOT / "roles" / role / "tasks" / f"{entry_point}.yml"
    used = variables_in(path.read_text(), f"(?<!__){role}_") & role_options(role).keys()
    described = argument_specs(role)[entry_point].keys()
    for_others = variables_in(str(role_defaults(role)), f"{role}_")
    assert used <= described
    assert described - used <= for_others


@pytest.mark.parametrize(("role", "entry_point"), STEPS)
def test_a_step_registers_its_result_for_the_report(role: str, entry_point: str) -> None:
    for task in role_tasks(role, entry_point):
        if module_of(task):
            assert task["register"].startswith(f"__{role}_"), task["name"]


#: Options of which no variable is the value.
COMPUTED = ("state", "read_only", "controller")


@pytest.mark.parametrize(("role", "entry_point"), STEPS)
def test_the_report_knows_the_variable_that_becomes_an_option(role: str, entry_point: str) -> None:
    """So that a remedy never names an option where the operator has to set a variable."""
    for task in role_tasks(role, entry_point):
        for option, template in task.get(f"{NAMESPACE}{module_of(task)}", {}).items():
            used = variables_in(str(template), f"{role}_") & role_options(role).keys()
            if option not in COMPUTED and len(used) == 1:
                assert {variable_of(step_of(task), option, ())} == used, option


def step_of(task: dict[str, Any]) -> str:
    """The name under which the report knows the result of a task."""
    return str(task.get("register", "")).strip("_")


@pytest.mark.parametrize(("role", "entry_point"), STEPS)
def test_a_step_leaves_shared_options_to_the_play(role: str, entry_point: str) -> None:
    """Connections and limits are set once for a play, and not passed through by each role."""
    for task in role_tasks(role, entry_point):
        for group, shared in SHARED.items():
            if module_of(task) in action_groups()[group]:
                passed = shared & task[f"{NAMESPACE}{module_of(task)}"].keys()
                assert not passed - OWN.get((role, entry_point), set()), task["name"]


#: The options that the playbooks set for a group.
SHARED: dict[str, set[str]] = {
    "probes": {"timeout"},
    "thresholds": {"thresholds"},
    "stateful": {"state_dir"},
    "web": {"ca_file"},
    "postgres": {"database_url"},
    "redis": {"redis_url", "ca_file"},
    "pm2": {"pm2_home"},
}
#: A review takes longer than any other probe.
OWN = {("postgres", "review"): {"timeout"}}


# --- playbooks ------------------------------------------------------------------------------------


PLAYS = [
    pytest.param(play, id=f"{playbook}: {play['name']}")
    for playbook in PLAYBOOKS
    for play in plays_of(playbook)
]
WORKING_PLAYS = [
    pytest.param(play, id=f"{playbook}: {play['name']}")
    for playbook in PLAYBOOKS
    for play in plays_of(playbook)
    if modules_of(play) - {"report"}
]


def test_every_playbook_ends_with_the_report() -> None:
    assert PLAYBOOKS
    for playbook in PLAYBOOKS:
        assert modules_of(plays_of(playbook)[-1]) == {"report"}, playbook


@pytest.mark.parametrize("play", WORKING_PLAYS)
def test_a_play_sets_the_shared_options_of_the_modules_that_it_runs(play: dict[str, Any]) -> None:
    """Neither one that is missing, so that an inventory's value counts, nor one that is unused."""
    given = play["module_defaults"]
    for module in modules_of(play):
        wanted = {
            option
            for group, options in SHARED.items()
            if module in action_groups()[group]
            for option in options
        }
        groups = [name for name in given if module in members(name)]
        settable = {option for name in groups for option in given[name]}
        assert wanted <= settable, module
        assert settable <= documentation(module)["options"].keys(), module
    for name in given:
        assert members(name) & modules_of(play), f"{name} is for no module of this play"


def members(scope: str) -> set[str]:
    """The modules for which a key of ``module_defaults`` is."""
    name = scope.removeprefix("group/").removeprefix(NAMESPACE)
    return set(action_groups()[name]) if scope.startswith("group/") else {name}


def test_an_option_is_set_in_the_same_way_by_every_playbook() -> None:
    spellings: dict[tuple[str, str], set[str]] = {}
    for playbook in PLAYBOOKS:
        for play in plays_of(playbook):
            for scope, options in play.get("module_defaults", {}).items():
                for option, template in options.items():
                    spellings.setdefault((scope, option), set()).add(template)
    assert spellings
    assert {key: value for key, value in spellings.items() if len(value) > 1} == {}


def test_the_report_knows_the_variables_that_a_play_reads_for_an_option() -> None:
    given = {
        (scope, option, tuple(re.findall(r"'ansible.builtin.vars',\s*'(\w+)'", template)))
        for playbook in PLAYBOOKS
        for play in plays_of(playbook)
        for scope, options in play.get("module_defaults", {}).items()
        for option, template in options.items()
    }
    tasks = [task for role, step in ENTRY_POINTS for task in role_tasks(role, step)]
    read = {
        (step_of(task), option, variables)
        for scope, option, variables in given
        for task in tasks
        if module_of(task) in members(scope)
    }
    assert ("postgres_review", "database_url", ("postgres_review_url", "postgres_url")) in read
    for step, option, variables in read:
        assert variable_of(step, option, variables) == variables[0], (step, option)
        assert variable_of(step, option, variables[-1:]) == variables[-1], (step, option)


def test_what_is_planned_or_rolled_back_is_what_the_deployment_would_do() -> None:
    """Compose's options are those of the playbooks that can do it."""
    scope = f"{NAMESPACE}app_release"
    compose = {"services", "compose_files", "compose_project_dir"}
    given = {
        playbook: set(play["module_defaults"][scope]) - compose
        for playbook in PLAYBOOKS
        for play in plays_of(playbook)
        if scope in play.get("module_defaults", {})
    }
    assert given["pre_deploy"] == given["deploy"]
    assert given["post_deploy"] == given["emergency_rollback"]


@pytest.mark.parametrize("play", WORKING_PLAYS)
def test_an_empty_variable_leaves_an_option_at_its_default(play: dict[str, Any]) -> None:
    """A survey of AWX sends an empty text for a question without an answer.

    With the filter ``string``, a variable that is false or 0 counts as set.
    """
    templates = [
        template for options in play["module_defaults"].values() for template in options.values()
    ]
    assert templates
    ending = re.compile(r"default=''\)( \| string)? or omit }}\s*$")
    assert [each for each in templates if not ending.search(each)] == []


@pytest.mark.parametrize("play", WORKING_PLAYS)
def test_a_variable_that_refers_to_an_undefined_one_is_no_default(play: dict[str, Any]) -> None:
    """``default`` would take it for "not set", and check another server than the one meant."""
    assert "default(" not in str(play["module_defaults"])


def test_the_maintenance_checks_what_the_daily_checklist_checks() -> None:
    assert role_tasks("maintenance", "checks") == plays_of("daily_checklist")[0]["tasks"]


@pytest.mark.parametrize("play", PLAYS)
def test_a_playbook_computes_nothing(play: dict[str, Any]) -> None:
    """Operations return what the next step needs; a playbook does not search or build results."""
    text = str(play)
    for word in ("hostvars", "selectattr", "map(", "combine(", "set_fact", "__postgres", "__app_r"):
        assert word not in text, word


# --- inventories ----------------------------------------------------------------------------------


def variables_that_something_reads() -> set[str]:
    known = {name for role in ROLES for name in role_options(role)}
    texts = [path.read_text() for path in (ROOT / "roles").rglob("defaults/main.yml")]
    texts += [path.read_text() for path in (ROOT / "playbooks").glob("*.yml")]
    for prefix in ("runbook_", *(f"{role}_" for role in ROLES)):
        known |= {name for text in texts for name in variables_in(text, prefix)}
    return known


def variables_of_group_vars(inventory: str) -> set[str]:
    """Those that are set, or shown in a comment."""
    paths = list((ROOT / "inventories" / inventory / "group_vars").rglob("*.yml"))
    assert paths
    return {
        found[1]
        for path in paths
        for line in path.read_text().splitlines()
        if (found := re.match(r"(?:#\s*)?([a-z]\w+):( |$)", line))
    }


def variables_of_the_demo() -> set[str]:
    """The keys of the dictionary that the demo's inventory script prints."""
    tree = ast.parse((ROOT / "inventories/demo/settings.py").read_text())
    (assigned,) = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and [target.id for target in node.targets if isinstance(target, ast.Name)] == ["variables"]
    ]
    assert isinstance(assigned, ast.Dict)
    keys = {str(key.value) for key in assigned.keys if isinstance(key, ast.Constant)}
    return keys - {"demo_settings"}


@pytest.mark.parametrize("inventory", ["demo", "staging", "production"])
def test_inventories_set_no_variable_that_nothing_reads(inventory: str) -> None:
    names = variables_of_the_demo() if inventory == "demo" else variables_of_group_vars(inventory)
    ours = {name for name in names if name.startswith(("runbook_", *(f"{r}_" for r in ROLES)))}
    assert {"runbook_base_url", "postgres_url", "redis_url"} <= ours
    assert sorted(ours - variables_that_something_reads()) == []


def test_a_plan_is_made_with_the_options_of_the_deployment() -> None:
    """pre_deploy shows what deploy will do, and post_deploy takes back what it did."""
    found = {
        (name, play["name"]): (play.get("module_defaults") or {}).get(f"{NAMESPACE}app_release")
        for name in PLAYBOOKS
        for play in plays_of(name)
    }
    given = {key: options for key, options in found.items() if options}
    assert {name for name, _play in given} == {
        "deploy",
        "emergency_rollback",
        "post_deploy",
        "pre_deploy",
        "update_dependencies",
    }
    deploying = ("deploy", "pre_deploy", "update_dependencies")
    deployment = given["deploy", "Deploy"]
    rollback = {key: value for key, value in deployment.items() if key != "migrate"}
    for (name, play), options in given.items():
        expected = deployment if name in deploying else rollback
        assert options == expected, (name, play)


def test_the_modules_around_a_deployment_get_its_options() -> None:
    """What judges a version must know what the deployment would do with it."""
    (first, *_rest) = plays_of("deploy")
    deployment = first["module_defaults"][f"{NAMESPACE}app_release"]
    seen = set()
    for name in PLAYBOOKS:
        for play in plays_of(name):
            for module in sorted(modules_of(play)):
                if not module.startswith("deployment_"):
                    continue
                seen.add(module)
                shared = documentation(module)["options"].keys() & deployment.keys()
                # A gate that only judges measures nothing.
                shared -= (
                    {"health_urls"} if (name, module) == ("deploy", "deployment_gate") else set()
                )
                given = play["module_defaults"].get(f"{NAMESPACE}{module}", {})
                assert given == {key: deployment[key] for key in shared}, (name, module)
    assert seen == {"deployment_check", "deployment_gate", "deployment_rebuild", "deployment_watch"}
