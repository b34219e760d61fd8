"""The parts of the collection agree with each other."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG
from tests.conftest import ROOT

PLUGINS = "ansible_collections.gpt_agent.runbook.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
FRAGMENTS = {path.stem for path in (ROOT / "plugins/doc_fragments").glob("*.py")}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def documentation(module: str) -> dict[str, Any]:
    loaded = importlib.import_module(f"{PLUGINS}.modules.{module}")
    data: dict[str, Any] = yaml.safe_load(loaded.DOCUMENTATION)
    for fragment in data.get("extends_documentation_fragment", []):
        _, _, name = fragment.rpartition(".")
        assert name in FRAGMENTS, fragment
        added = yaml.safe_load(
            importlib.import_module(
                f"{PLUGINS}.doc_fragments.{name}"
            ).ModuleDocFragment.DOCUMENTATION
        )
        data["options"] = {**added.get("options", {}), **data.get("options", {})}
    return data


def test_the_action_group_holds_every_probe() -> None:
    probes = {module for module in MODULES if module.endswith(("_health", "_check", "_review"))}
    assert probes
    assert set(load(ROOT / "meta/runtime.yml")["action_groups"]["probes"]) == probes


@pytest.mark.parametrize(
    "module", [module for module in MODULES if module.endswith(("_health", "_check", "_review"))]
)
def test_every_probe_has_the_options_of_a_probe(module: str) -> None:
    fragments = documentation(module)["extends_documentation_fragment"]
    assert "gpt_agent.runbook.probe" in fragments
    assert {"thresholds", "timeout"} <= documentation(module)["options"].keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_describes_exactly_its_defaults(role: str) -> None:
    folder = ROOT / "roles" / role
    defaults = set(load(folder / "defaults/main.yml"))
    specs = load(folder / "meta/argument_specs.yml")["argument_specs"]
    tasks = {path.stem for path in (folder / "tasks").glob("*.yml")}
    assert set(specs) <= tasks, "an entry point for which there are no tasks"
    described = set().union(*(spec.get("options", {}) for spec in specs.values()))
    assert defaults <= described, "defaults that no entry point describes"
    assert all(name.startswith(f"{role}_") for name in described), (
        "public variables have the role's name first"
    )
    optional = {
        name
        for spec in specs.values()
        for name, option in spec.get("options", {}).items()
        if not option.get("required")
    }
    assert described - defaults <= optional | {
        name for spec in specs.values() for name in spec.get("options", {})
    }
    for spec in specs.values():
        assert spec["short_description"]
        for name, option in spec.get("options", {}).items():
            assert option.get("description"), name
            if "default" in option and name in defaults:
                assert option["default"] == load(folder / "defaults/main.yml")[name], name


@pytest.mark.parametrize("role", ROLES)
def test_roles_have_one_shape(role: str) -> None:
    folder = ROOT / "roles" / role
    for name in (
        "README.md",
        "defaults/main.yml",
        "meta/main.yml",
        "meta/argument_specs.yml",
        "tasks/main.yml",
    ):
        assert (folder / name).is_file(), name
    for path in (folder / "tasks").glob("*.yml"):
        for registered in re.findall(r"^\s+register: (\S+)", path.read_text(), re.MULTILINE):
            assert registered.startswith(f"__{role}_"), (
                "registered results are how the report finds them"
            )


@pytest.mark.parametrize("inventory", ["demo", "staging", "production"])
def test_inventories_set_no_variable_that_nothing_reads(inventory: str) -> None:
    known = set().union(*(load(ROOT / "roles" / role / "defaults/main.yml") for role in ROLES))
    known |= {
        name
        for role in ROLES
        for spec in load(ROOT / "roles" / role / "meta/argument_specs.yml")[
            "argument_specs"
        ].values()
        for name in spec.get("options", {})
    }
    shared = set(
        re.findall(
            r"\brunbook_\w+",
            "".join(path.read_text() for path in (ROOT / "roles").rglob("defaults/main.yml")),
        )
    )
    folder = ROOT / "inventories" / inventory / "group_vars"
    for path in folder.rglob("*.yml"):
        named = {
            line.split(":")[0].lstrip("# ")
            for line in path.read_text().splitlines()
            if re.match(r"^(# )?[a-z]\w+:( |$)", line)
        }
        unknown = (
            {
                name
                for name in named
                if name.startswith((*(f"{role}_" for role in ROLES), "runbook_"))
            }
            - known
            - shared
        )
        assert not unknown, f"{path}: {unknown}"


def test_every_check_that_a_module_can_make_is_in_the_catalog_and_the_other_way_round() -> None:
    text = "".join(
        path.read_text() for path in (ROOT / "plugins").rglob("*.py") if path.name != "catalog.py"
    )
    for name in CATALOG:
        assert f'"{name}"' in text, f"no module makes {name}"


def test_ansible_doc_renders_every_module_and_role() -> None:
    program = Path(sys.executable).parent / "ansible-doc"
    for kind, names in (("module", MODULES), ("role", ROLES)):
        done = subprocess.run(
            [program, "--type", kind, "--json", *(f"gpt_agent.runbook.{name}" for name in names)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        # Releases of ansible-core warn of a collection of their own.
        assert not [
            line
            for line in done.stderr.splitlines()
            if "[WARNING]" in line and "_protomatter" not in line
        ], done.stderr
        assert len(json.loads(done.stdout)) == len(names)


def plays_of(page: Path) -> list[Any]:
    """The plays that a page shows."""
    shown = [
        yaml.safe_load(block)
        for block in re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    return [play for block in shown if isinstance(block, list) for play in block if "hosts" in play]


def test_every_example_can_be_run_as_it_stands(tmp_path: Path) -> None:
    plays = [
        play
        for page in (*ROOT.glob("roles/*/README.md"), *ROOT.glob("docs/*.md"), ROOT / "README.md")
        for play in plays_of(page)
    ]
    assert len(plays) >= len(ROLES) - 1
    for module in MODULES:
        examples = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").EXAMPLES)
        assert examples, module
        shown = [
            example if "hosts" in example else {"hosts": "all", "tasks": [example]}
            for example in examples
        ]
        options = documentation(module)["options"]
        for task in (task for play in shown for task in play["tasks"]):
            assert not set(task.get(f"gpt_agent.runbook.{module}") or {}) - set(options), (
                f"{module}: {task['name']}"
            )
        plays += shown
    playbook = tmp_path / "examples.yml"
    playbook.write_text(yaml.safe_dump(plays))
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, "--syntax-check", "-i", "inventories/staging", playbook],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stderr, done.stderr


def test_the_checkout_is_the_collection() -> None:
    links = ROOT / "collections/ansible_collections/gpt_agent/runbook"
    for name in ("plugins", "roles", "playbooks", "meta", "galaxy.yml", "README.md"):
        assert (links / name).resolve() == ROOT / name
