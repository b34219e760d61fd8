"""Writes the tables of the documentation from the code; ``--check`` says whether they are current.

- ``docs/checks.md``: every check, from ``plugins/module_utils/*/checks.py``
- ``roles/*/README.md``: the tables of variables, from ``meta/argument_specs.yml``, and the table of
  shared options, from ``meta/runtime.yml`` and the playbooks' ``module_defaults``
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = "ansible_collections.gpt_agent.runbook.plugins"
NAMESPACE = "gpt_agent.runbook."

sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import (
    CATALOG,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import (
    Definition,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.units import (
    format_value,
)
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.view import (
    component,
    component_title,
)

CHECKS_HEAD = """# All checks

Written by `make docs` from `plugins/module_utils/*/checks.py`; edit them there.

A value beyond the first limit is `warning`, beyond the second `critical`. A check without limits is
either right or wrong, or depends on several facts. What could not be checked is `unknown`.

Override limits by the name of the check, for all subjects or for one, in the unit of the check;
`null` switches a limit off:

```yaml
runbook_thresholds:
  host.disk_used: {warning: 70, critical: 85}
  "host.disk_used /backup": {warning: 95, critical: null}
```
"""
CHECKS_HEADER = (
    "| check | what is checked, and what to do if it is not ok | unit | warning | critical "
    "| limits from |"
)
#: A variable of the inventory, read so that one which refers to an undefined one is an error.
VARIABLE = re.compile(r"lookup\('ansible.builtin.vars', '(\w+)', default='([^']*)'\)")
VARIABLES_HEAD = "| variable | default | meaning |"
SHARED_HEAD = "| option | module_defaults | variable in the inventory | meaning |"


# --- docs/checks.md -------------------------------------------------------------------------------


def checks_page() -> str:
    parts = [CHECKS_HEAD]
    areas: dict[str, list[str]] = {}
    for name in CATALOG:
        areas.setdefault(component(name), []).append(name)
    for area, names in areas.items():
        table = table_of(CHECKS_HEADER, [check_row(name, CATALOG[name]) for name in names])
        parts.append(f"\n## {component_title(area)}\n\n{table}")
    return "".join(parts)


def check_row(name: str, check: Definition) -> str:
    side = "below" if check.threshold.below else "above"
    levels = [
        "" if limit is None else f"{side} {format_value(limit, check.unit)}"
        for limit in (check.threshold.warning, check.threshold.critical)
    ]
    return row(
        f"`{name}`", f"{check.meaning}<br>*{check.remedy}*", check.unit, *levels, check.source
    )


# --- roles/*/README.md: variables -----------------------------------------------------------------


def variable_tables(role: Path) -> list[str]:
    """One table for each entry point of a role that has options of its own, in their order."""
    specs = load(role / "meta/argument_specs.yml")["argument_specs"]
    defaults = load(role / "defaults/main.yml")
    tables: list[str] = []
    for spec in specs.values():
        rows = [
            row(f"`{name}`", default_cell(name, option, defaults), meaning(name, option, defaults))
            for name, option in spec["options"].items()
        ]
        table = table_of(VARIABLES_HEAD, rows)
        if rows and table not in tables:
            tables.append(table)
    return tables


def default_cell(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    if "default" in option:
        return literal(option["default"])
    if option.get("required"):
        return "required"
    value = defaults[name]
    fallback, alone = fallback_of(value)
    if not fallback:
        return "not set" if is_omit(value) else literal(value)
    if not alone:
        return f"from `{fallback}`"
    given = re.search(r"default[=(]'([^']*)'|default\(([^)]*)\)", value)
    if not given:
        return f"`{fallback}`"
    text = next((group for group in given.groups() if group is not None), "")
    text = text.removesuffix(", true")
    return f"`{fallback}`, else {'not set' if text == 'omit' else literal(text)}"


def fallback_of(value: Any) -> tuple[str, bool]:
    """The variable that a default is made from, and whether the default is its bare value."""
    text = VARIABLE.sub(r"\1 | default('\2')", str(value))
    named = re.search(r"{{\s*(?:\[{\s*'host':\s*)?([a-z]\w+)", text)
    if not named or named[1] == "omit":
        return "", False
    bare = rf"{{{{\s*{named[1]}\s*(\|\s*default\([^)]*\)\s*)?}}}}"
    return named[1], re.fullmatch(bare, text.strip()) is not None


def is_omit(value: Any) -> bool:
    return str(value).strip("{} ") == "omit"


def literal(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "none"
    if value == "[]":
        return "none"
    return f"`{value}`" if str(value) else "empty"


def meaning(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    """The description, without the sentence about a default that has its own column."""
    text = " ".join(option["description"])
    if fallback_of(defaults.get(name))[1]:
        text = re.sub(r" ?Defaults to C\([^)]*\)(, else (C\([^)]*\)|\d+|none))?\.", "", text)
    return plain(text)


# --- roles/*/README.md: options that modules share ------------------------------------------------


def shared_table(role: Path) -> str:
    """The options that the role's modules take from ``module_defaults``; empty without any."""
    rows: dict[tuple[str, str], str] = {}
    groups = load(ROOT / "meta/runtime.yml")["action_groups"]
    used = set(modules_of(role))
    for scope, options in playbook_defaults().items():
        members = set(groups[scope]) if scope in groups else {scope}
        for module in sorted(members & used):
            described = module_options(module)
            for option, template in options.items():
                where = f"group `{scope}`" if scope in groups else f"module `{scope}`"
                text = first_sentence(described[option]["description"])
                cells = f"`{option}`", where, variables_of(template), plain(text)
                rows.setdefault((option, where), row(*cells))
    return table_of(SHARED_HEAD, list(rows.values())) if rows else ""


def playbook_defaults() -> dict[str, dict[str, str]]:
    """What the playbooks set, by group or module, then option; the names without the namespace."""
    found: dict[str, dict[str, str]] = {}
    for playbook in sorted((ROOT / "playbooks").glob("*.yml")):
        for play in load(playbook):
            for scope, options in (play.get("module_defaults") or {}).items():
                name = scope.removeprefix("group/").removeprefix(NAMESPACE)
                found.setdefault(name, {}).update(options)
    return found


def modules_of(role: Path) -> Iterator[str]:
    for tasks in sorted((role / "tasks").glob("*.yml")):
        yield from re.findall(rf"^\s+{NAMESPACE}(\w+):$", tasks.read_text(), re.MULTILINE)


def variables_of(template: str) -> str:
    return ", else ".join(f"`{name}`" for name, _default in VARIABLE.findall(template))


def module_options(module: str) -> dict[str, Any]:
    """The options of a module, those of its doc fragments included."""
    documented = yaml.safe_load(
        importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION
    )
    options: dict[str, Any] = {}
    for fragment in documented.get("extends_documentation_fragment", []):
        name = fragment.removeprefix(NAMESPACE)
        loaded = importlib.import_module(f"{PLUGINS}.doc_fragments.{name}").ModuleDocFragment
        options.update(yaml.safe_load(loaded.DOCUMENTATION).get("options", {}))
    return {**options, **documented.get("options", {})}


# --- texts ----------------------------------------------------------------------------------------


def first_sentence(description: str | list[str]) -> str:
    text = description if isinstance(description, str) else description[0]
    return re.split(r"(?<=[.])\s", text)[0]


def plain(text: str) -> str:
    """Ansible's markup as Markdown."""
    text = re.sub(r"\b[CVEMP]\(([^)]*)\)", r"`\1`", text)
    text = re.sub(r"\bO\((?:\w+:)?([^)]*)\)", r"`\1`", text)
    return text.replace(f"`{NAMESPACE}", "`")


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def table_of(head: str, rows: list[str]) -> str:
    return f"{head}\n{'| --- ' * (head.count('|') - 1)}|\n{''.join(rows)}"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# --- pages ----------------------------------------------------------------------------------------


def readme(role: Path) -> str:
    """The README of a role with its tables written anew; the text around them stays."""
    text = (role / "README.md").read_text(encoding="utf-8")
    shared = shared_table(role)
    for head, tables in (
        (VARIABLES_HEAD, variable_tables(role)),
        (SHARED_HEAD, [shared] if shared else []),
    ):
        parts = re.split(rf"^{re.escape(head)}\n(?:\|.*\n)*", text, flags=re.MULTILINE)
        if len(parts) != len(tables) + 1:
            raise SystemExit(
                f"{role.name}/README.md: {len(parts) - 1} tables '{head}', but {len(tables)} needed"
            )
        text = parts[0] + "".join(table + part for table, part in zip(tables, parts[1:]))
    return text


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    found = {ROOT / "docs/checks.md": checks_page()}
    for role in sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()):
        found[role / "README.md"] = readme(role)
    return found


def main() -> int:
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not current: run 'make docs'", file=sys.stderr)
        return 1 if stale else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
