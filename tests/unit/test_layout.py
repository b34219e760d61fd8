"""The rules of the house: who may import whom, where tests are, and how long code may be."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from tests.conftest import ROOT

pytestmark = pytest.mark.checkout

PLUGINS = ROOT / "plugins"
MODULE_UTILS = PLUGINS / "module_utils"
#: What several technologies need; these import core only.
SHARED = {"linux", "net", "logs"}
PACKAGES = {path.name for path in MODULE_UTILS.iterdir() if path.is_dir()} - {"__pycache__"}
#: Procedures that compose several technologies.
PROCEDURES = {"release"}
TECHNOLOGIES = PACKAGES - SHARED - PROCEDURES - {"core"}
CODE = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

#: Merges the checks of all technologies.
CATALOG = "module_utils/core/catalog.py"
FUNCTION_LINES = 40
FILE_LINES = 400
#: Folders whose code must be short; SQL may be long.
SHORT = ("plugins", "tests", "demo", "benchmarks", "molecule", "docs")
LONG_FILES = {"queries.py"}
GENERATED = {"node_modules", "__pycache__"}


def name_of(path: Path) -> str:
    """A file's path below ``plugins``."""
    return str(path.relative_to(PLUGINS))


@functools.cache  # several rules are about each file
def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """All imports of a file, also those inside functions."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file of the collection imports from it, as paths below ``plugins``."""
    for node in imports(path):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        folder = path.relative_to(PLUGINS).parents[node.level - 1]
        target = (*folder.parts, *(node.module.split(".") if node.module else ()))
        if PLUGINS.joinpath(*target).is_dir():  # the names are modules or packages
            yield from ((*target, alias.name) for alias in node.names)
        else:
            yield target


def allowed_packages(package: str) -> set[str]:
    """The packages of module_utils that one of them may import."""
    if package == "core":
        return {"core"}
    if package in SHARED:
        return {"core", package}
    if package in PROCEDURES:
        return {"core", *SHARED, *TECHNOLOGIES, package}
    return {"core", *SHARED, package}


def test_there_are_packages_to_check() -> None:
    assert {"host", "web", "certificates", "pm2", "redis", "postgres"} <= TECHNOLOGIES
    assert {path.name for path in MODULE_UTILS.iterdir() if path.is_dir()} >= SHARED
    assert any(list(imported(path)) for path in CODE)


def test_imports_are_resolved() -> None:
    """Should this fail, the rules below are checked against nothing."""
    targets = set(imported(PLUGINS / "modules/host_health.py"))
    assert ("module_utils", "host", "collect") in targets
    assert ("module_utils", "core", "check") in targets
    merged = set(imported(PLUGINS / CATALOG))
    assert ("module_utils", "redis", "checks") in merged
    assert ("module_utils", "core", "checks") in merged


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_a_file_imports_only_what_it_may(path: Path) -> None:
    kind, package = path.relative_to(PLUGINS).parts[:2]
    if name_of(path) == CATALOG:
        assert {target[1:] for target in imported(path) if target[1] != "core"} == {
            (package, "checks") for package in TECHNOLOGIES | PROCEDURES
        }
        return
    for target in imported(path):
        if kind == "module_utils":
            assert target[0] == "module_utils", target
            assert target[1] in allowed_packages(package), target
        elif kind == "modules":
            assert target[0] == "module_utils", target
        else:
            assert target[0] in ("module_utils", "plugin_utils"), target


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_imports_within_the_collection_are_relative(path: Path) -> None:
    names = {
        name
        for node in imports(path)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }
    assert not {name for name in names if name.split(".")[0] == "ansible_collections"}


@pytest.mark.parametrize(
    "path", [path for path in CODE if path.parent.name == "modules"], ids=name_of
)
def test_a_module_first_checks_the_version_of_python(path: Path) -> None:
    """Before anything that an older Python cannot import."""
    own = [target for target in imported(path) if target[0] == "module_utils"]
    if own:
        assert own[0] == ("module_utils", "minimum_python")


def test_no_package_has_code_in_its_init_file() -> None:
    assert not [path for path in PLUGINS.rglob("__init__.py") if path.read_text().strip()]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_file_imports_from_a_test_file(path: Path) -> None:
    """Helpers are in tests/support."""
    for node in imports(path):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            parts = name.split(".")
            is_test = parts[0] == "tests" and any(part.startswith("test_") for part in parts)
            assert not is_test, name


def test_folders_of_unit_tests_are_named_after_a_package() -> None:
    homes = (MODULE_UTILS, PLUGINS / "plugin_utils", PLUGINS, ROOT)
    unit = ROOT / "tests/unit"
    folders = {path.parent.relative_to(unit) for path in unit.rglob("test_*.py")}
    assert Path("core") in folders
    assert not [folder for folder in folders if not any((home / folder).is_dir() for home in homes)]


def test_a_test_without_parameters_is_an_error() -> None:
    """A test parametrised over nothing would be skipped without a word."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["empty_parameter_set_mark"] == "fail_at_collect"


def test_functions_and_files_are_short() -> None:
    offenders = [
        offender
        for folder in SHORT
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not GENERATED & set(path.parts)
        for offender in too_long(path)
    ]
    assert not offenders, "\n".join(["too long:", *offenders])


def too_long(path: Path) -> Iterator[str]:
    """What is too long in a file; nothing in a file of SQL."""
    if path.name in LONG_FILES:
        return
    where, text = path.relative_to(ROOT), path.read_text()
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"{where}: {lines} lines, at most {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{where}:{node.lineno} {node.name}: {length} lines, at most {FUNCTION_LINES}"


def test_what_is_too_long_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    body = "".join(f"    x = {number}\n" for number in range(FUNCTION_LINES))
    (tmp_path / "a.py").write_text(f"def f():\n{body}")
    (tmp_path / "b.py").write_text("x = 1\n" * (FILE_LINES + 1))
    (tmp_path / "queries.py").write_text("x = 1\n" * (FILE_LINES + 1))
    (tmp_path / "c.py").write_text("x = 1\n" * FILE_LINES)
    found = [offender for path in sorted(tmp_path.iterdir()) for offender in too_long(path)]
    assert found == ["a.py:1 f: 41 lines, at most 40", "b.py: 401 lines, at most 400"]
