"""Writes docs/checks.md from the table of checks; with --check, says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "checks.md"

sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.catalog import CATALOG  # noqa: E402
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.definition import Definition  # noqa: E402
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.units import format_value  # noqa: E402
from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.view import (  # noqa: E402
    component,
    component_title,
)

HEAD = """# All checks

Made by `make docs` from `plugins/module_utils/core/catalog.py`; edit it there.

A value is judged by its limits: beyond the first it is `warning`, beyond the second `critical`. A check without limits is either
right or wrong, or its verdict follows from several facts. What could not be looked at is `unknown`.

Limits are changed by the name of the check, for all subjects or for one, in the unit of the check; `null` switches a limit off:

```yaml
runbook_thresholds:
  host.disk_used: {warning: 70, critical: 85}
  "host.disk_used /backup": {warning: 95, critical: null}
```
"""

TABLE = """| check | looks at, and what to do when it is not ok | unit | warning | critical | limits from |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    parts = [HEAD]
    areas: dict[str, list[str]] = {}
    for name in CATALOG:
        areas.setdefault(component(name), []).append(name)
    for area, names in areas.items():
        parts.append(f"\n## {component_title(area)}\n\n{TABLE}")
        parts += [row(name, CATALOG[name]) for name in names]
    return "".join(parts)


def row(name: str, check: Definition) -> str:
    side = "below" if check.threshold.below else "above"
    levels = [
        "" if limit is None else f"{side} {format_value(limit, check.unit)}"
        for limit in (check.threshold.warning, check.threshold.critical)
    ]
    cells = [f"`{name}`", f"{check.meaning}<br>*{check.remedy}*", check.unit, *levels, check.source]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> int:
    new = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == new:
            return 0
        print(
            "docs/checks.md is not what the table of checks says: run 'make docs'", file=sys.stderr
        )
        return 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
