"""The weekly maintenance where nothing is due against the daily checklist, on one demo stack."""

from __future__ import annotations

from benchmarks.checklist import CHECKLIST, Side, demo_stack, inventory, medians
from benchmarks.measurement import ROOT, Setup
from tests.support.npm_registry import registry

WEEKLY = ROOT / "playbooks" / "weekly_maintenance.yml"


def measure(setup: Setup) -> None:
    """The packages are compared with a registry on loopback, which knows no newer ones."""
    with demo_stack(setup.work / "demo") as stack, registry() as served:
        served.packages = {"pg": {"8.23.1": {}}, "ioredis": {"6.0.0": {}, "7.0.0": {}}}
        one = inventory(setup, "one", 1)
        given = ("-e", f"app_dependencies_registry={served.url}")
        sides = Side(CHECKLIST, one), Side(WEEKLY, one, arguments=given)
        daily, weekly = medians(setup, stack, *sides)
    what = "weekly maintenance where nothing is due / daily checklist"
    setup.promises.at_most(what, weekly / daily, 2.5, f"{weekly:.2f} s / {daily:.2f} s")
