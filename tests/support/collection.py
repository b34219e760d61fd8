"""What the collection's files say about it: modules, documentation, roles, playbooks, groups."""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

PLUGINS = "ansible_collections.gpt_agent.runbook.plugins"
NAMESPACE = "gpt_agent.runbook."
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
PROBE_NAMES = ("_health", "_check", "_review", "_diagnosis")
PROBES = [module for module in MODULES if module.endswith(PROBE_NAMES)]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
FRAGMENTS = {path.stem for path in (ROOT / "plugins/doc_fragments").glob("*.py")}


@functools.cache
def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@functools.cache
def documentation(module: str) -> dict[str, Any]:
    """The documentation of a module, with the options of its fragments."""
    data: dict[str, Any] = yaml.safe_load(
        importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION
    )
    for name in fragments(module):
        assert name in FRAGMENTS, name
        fragment = importlib.import_module(f"{PLUGINS}.doc_fragments.{name}").ModuleDocFragment
        added = yaml.safe_load(fragment.DOCUMENTATION)
        data["options"] = {**added.get("options", {}), **data.get("options", {})}
    return data


@functools.cache
def fragments(module: str) -> set[str]:
    """The names of the doc fragments that a module uses."""
    loaded = importlib.import_module(f"{PLUGINS}.modules.{module}")
    named = yaml.safe_load(loaded.DOCUMENTATION).get("extends_documentation_fragment", [])
    return {name.removeprefix(NAMESPACE) for name in named}


def action_groups() -> dict[str, list[str]]:
    """The action groups of the collection: names of modules by the name of the group."""
    groups: dict[str, list[str]] = load(ROOT / "meta/runtime.yml")["action_groups"]
    return groups


# --- roles and playbooks --------------------------------------------------------------------------


def argument_specs(role: str) -> dict[str, dict[str, Any]]:
    """The options of each entry point of a role."""
    specs = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    return {name: spec.get("options", {}) for name, spec in specs.items()}


def role_options(role: str) -> dict[str, dict[str, Any]]:
    """The options of all entry points of a role."""
    return {
        name: option
        for options in argument_specs(role).values()
        for name, option in options.items()
    }


def role_defaults(role: str) -> dict[str, Any]:
    defaults: dict[str, Any] = load(ROOT / "roles" / role / "defaults/main.yml")
    return defaults


def tasks_of(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tasks, those inside of blocks included."""
    for task in blocks:
        if "block" in task:
            yield from tasks_of(task["block"])
        else:
            yield task


def module_of(task: dict[str, Any]) -> str:
    """The module of this collection that a task runs, or an empty string."""
    named = [key.removeprefix(NAMESPACE) for key in task if key.startswith(NAMESPACE)]
    return named[0] if named else ""


def role_tasks(role: str, entry_point: str) -> list[dict[str, Any]]:
    """The tasks of an entry point that are not in another file."""
    return list(tasks_of(load(ROOT / "roles" / role / "tasks" / f"{entry_point}.yml")))


def plays_of(playbook: str) -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = load(ROOT / "playbooks" / f"{playbook}.yml")
    return plays


def modules_of(play: dict[str, Any]) -> set[str]:
    """The modules of this collection that a play runs, by the roles that it imports."""
    return modules_of_tasks(play.get("tasks", []), ROOT)


def modules_of_tasks(tasks: list[dict[str, Any]], folder: Path) -> set[str]:
    """The modules that tasks run, those that they import or include among them.

    ``folder`` is that of the file that the tasks are in. A role that is missing runs nothing.
    """
    found = set()
    for task in tasks_of(tasks):
        found.add(module_of(task))
        for kind in ("import", "include"):
            role = task.get(f"ansible.builtin.{kind}_role")
            file = task.get(f"ansible.builtin.{kind}_tasks")
            if role:
                path = ROOT / "roles" / role["name"].removeprefix(NAMESPACE) / "tasks"
                file = f"{role.get('tasks_from', 'main')}.yml"
            else:
                path = folder
            if file and (path / file).exists():
                found |= modules_of_tasks(load(path / file), (path / file).parent)
    return found - {""}


def variables_in(text: str, prefix: str) -> set[str]:
    """Names of variables with a prefix that a text mentions."""
    return set(re.findall(rf"\b{prefix}\w+", text))


# --- code -----------------------------------------------------------------------------------------


def string_constants(path: Path) -> Iterator[str]:
    """The string literals of a Python file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
