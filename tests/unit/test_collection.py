"""The parts of the collection agree with each other: modules, fragments, groups, checks, docs."""

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
from tests.support.collection import (
    MODULES,
    NAMESPACE,
    PLUGINS,
    PROBES,
    ROLES,
    action_groups,
    documentation,
    fragments,
    module_of,
    string_constants,
    tasks_of,
)

#: The options that an action group is for.
GROUP_OPTIONS = {
    "probes": {"thresholds", "timeout"},
    "thresholds": {"thresholds"},
    "stateful": {"state_dir"},
    "web": {"ca_file"},
    "postgres": {"database_url"},
    "redis": {"redis_url", "ca_file"},
    "pm2": {"pm2_home"},
}
#: The doc fragment whose users are the members of an action group.
GROUP_FRAGMENTS = {
    "probes": "probe",
    "stateful": "state",
    "postgres": "postgres",
    "redis": "redis",
}
#: Actions that operations do, which have names like checks.
ACTIONS = {
    *(f"backup.{verb}" for verb in ("dump", "keep", "remove", "sweep", "verify")),
    *(f"app.{verb}" for verb in ("recreate", "reload", "remove", "restart", "scale")),
    *(f"app.{verb}" for verb in ("start", "stop", "trial")),
    "app.heap_snapshot",
    "app.inspector_close",
    "npm.offer",
    "npm.remove_copy",
    *(f"certificate.{verb}" for verb in ("install_hook", "reload", "renew", "roll_back")),
    "certificate.run_hook",
    *(f"logs.{verb}" for verb in ("configure", "remove", "reopen", "rotate", "tidy")),
    "postgres.analyze",
    "postgres.end_session",
    "postgres.restart",
    "redis.dump",
    "redis.restart",
    "redis.rewrite",
    "redis.set",
    "postgres.freeze",
    "postgres.maintenance",
    "postgres.vacuum",
    "release.adopt",
    "release.build",
    "release.migrate",
    "release.measure",
    "release.rebuild_aside",
    "release.record_answer",
    "release.recover",
    "release.remove",
    "release.revert",
    "release.switch",
    "vercel.switch",
    "vercel.wait",
}


# --- action groups --------------------------------------------------------------------------------


def test_the_groups_are_the_ones_described_here() -> None:
    assert action_groups().keys() == GROUP_OPTIONS.keys()


def test_the_group_of_probes_holds_every_probe() -> None:
    assert PROBES
    assert action_groups()["probes"] == PROBES


@pytest.mark.parametrize("group", GROUP_OPTIONS)
def test_a_group_holds_the_modules_that_have_its_options(group: str) -> None:
    """Both ways: each member has the options, and each module that has them is a member."""
    options = GROUP_OPTIONS[group]
    having = {module for module in MODULES if options <= documentation(module)["options"].keys()}
    if group == "probes":  # an operation may have the same options with another meaning
        having &= set(PROBES)
    if group == "web":  # Redis has its own authorities
        having -= set(action_groups()["redis"])
    assert having
    assert set(action_groups()[group]) == having


@pytest.mark.parametrize("group", GROUP_FRAGMENTS)
def test_a_group_holds_the_modules_that_use_its_fragment(group: str) -> None:
    using = {module for module in MODULES if GROUP_FRAGMENTS[group] in fragments(module)}
    assert using
    assert set(action_groups()[group]) == using


# --- checks ---------------------------------------------------------------------------------------


def names_in_code() -> set[str]:
    """The literals in code that look like names of checks; the definitions do not count."""
    areas = "|".join(sorted({name.partition(".")[0] for name in CATALOG}))
    return {
        text
        for path in (ROOT / "plugins").rglob("*.py")
        if path.name != "checks.py"
        for text in string_constants(path)
        if re.fullmatch(rf"({areas})\.[a-z0-9_]+", text)
    }


def test_every_check_of_the_catalog_is_made_by_a_module() -> None:
    assert len(CATALOG) > 50
    assert sorted(set(CATALOG) - names_in_code()) == []


def test_every_check_that_a_module_makes_is_in_the_catalog() -> None:
    assert sorted(names_in_code() - set(CATALOG) - ACTIONS) == []
    assert sorted(ACTIONS - names_in_code()) == [], "actions that no operation does"


# --- documentation --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "names"), [("module", MODULES), ("role", ROLES)])
def test_ansible_doc_renders_it(kind: str, names: list[str]) -> None:
    program = Path(sys.executable).parent / "ansible-doc"
    done = subprocess.run(
        [program, "--type", kind, "--json", *(f"{NAMESPACE}{name}" for name in names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Releases of ansible-core warn of a collection of their own.
    warnings = [
        line
        for line in done.stderr.splitlines()
        if "[WARNING]" in line and "_protomatter" not in line
    ]
    assert warnings == []
    assert len(json.loads(done.stdout)) == len(names) > 0


def test_the_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def plays_on(page: Path) -> list[dict[str, Any]]:
    """The plays that a page shows."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    shown = [yaml.safe_load(block) for block in blocks]
    return [
        play
        for block in shown
        if isinstance(block, list)
        for play in block
        if isinstance(play, dict) and "hosts" in play
    ]


def plays_in_the_examples_of(module: str) -> list[dict[str, Any]]:
    examples = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").EXAMPLES)
    return [
        example if "hosts" in example else {"hosts": "all", "tasks": [example]}
        for example in examples
    ]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_use_options_that_it_has(module: str) -> None:
    tasks = [task for play in plays_in_the_examples_of(module) for task in tasks_of(play["tasks"])]
    own = [task for task in tasks if module_of(task) == module]
    assert own, "no example runs the module"
    for task in own:
        given = set(task[f"{NAMESPACE}{module}"] or {})
        assert given <= documentation(module)["options"].keys(), task["name"]


def test_every_example_can_be_run_as_it_stands(tmp_path: Path) -> None:
    plays = [play for module in MODULES for play in plays_in_the_examples_of(module)]
    for role in ROLES:
        shown = plays_on(ROOT / "roles" / role / "README.md")
        assert shown, f"the README of {role} shows no play"
        plays += shown
    for page in (*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        plays += plays_on(page)
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


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_paths_that_a_page_names_exist(page: str) -> None:
    named = set(
        re.findall(r"`([\w./-]+/[\w./-]+\.(?:py|yml|md|json|txt))`", (ROOT / page).read_text())
    )
    assert named
    bases = (ROOT, ROOT / "plugins/module_utils")
    missing = {name for name in named if not any((base / name).exists() for base in bases)}
    assert sorted(missing) == []


# --- the checkout ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["plugins", "roles", "playbooks", "meta", "galaxy.yml", "README.md"]
)
def test_the_checkout_is_the_collection(name: str) -> None:
    links = ROOT / "collections/ansible_collections/gpt_agent/runbook"
    assert (ROOT / name).exists()
    assert (links / name).resolve() == ROOT / name


def test_every_test_has_cases(pytestconfig: pytest.Config) -> None:
    """A test parametrised over nothing fails, where pytest would skip it."""
    assert pytestconfig.getini("empty_parameter_set_mark") == "fail_at_collect"
