"""Tables, indexes and inventories of PostgreSQL as plain data."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.options import (  # noqa: E501
    Options,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.plan import (
    Plan,
    make_plan,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.maintenance.step import (
    Step,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.relations import Inventory

GIB, MIB = 1024**3, 1024**2
FACTS: dict[str, Any] = {
    "now": 1_000_000.0,
    "standby": False,
    "role": "app",
    "version": 170004,
    "block": 8192,
    "started": 0.0,
    "standbys": 0,
    "data_directory": None,
    "tablespaces": {},
    "tablespace": 1663,
    "tuple_tools": None,
    "settings": {
        "autovacuum_vacuum_threshold": "50",
        "autovacuum_vacuum_scale_factor": "0.2",
        "autovacuum_vacuum_insert_threshold": "1000",
        "autovacuum_vacuum_insert_scale_factor": "0.2",
        "autovacuum_analyze_threshold": "50",
        "autovacuum_analyze_scale_factor": "0.1",
        "vacuum_freeze_table_age": "150000000",
        "vacuum_multixact_freeze_table_age": "150000000",
        "autovacuum_freeze_max_age": "200000000",
        "autovacuum_multixact_freeze_max_age": "400000000",
    },
}
HOLDER = {"kind": "replication slot", "whose": "'old'", "age": 300_000_000, "seconds": None}


def table(oid: int = 1, name: str = "t", **more: Any) -> dict[str, Any]:
    """A table of a million rows that needs nothing."""
    usual = {
        "schema": "public",
        "partitioned": False,
        "parents": None,
        "held": False,
        "mine": True,
        "bytes": 100 * MIB,
        "rows": 1e6,
        "live": 10**6,
    }
    usual |= {
        "worked": False,
        "dead": 0,
        "modified": 0,
        "inserted": 0,
        "vacuumed": 0.0,
        "analyzed": 999_000.0,
        "xid_age": 1000,
        "mxid_age": 1,
        "options": None,
    }
    return {"oid": oid, "name": name, "quoted": f"public.{name}", **usual, **more}


def index(oid: int = 11, name: str = "t_i", **more: Any) -> dict[str, Any]:
    """A B-tree on a bigint of a million rows, four fifths of it empty."""
    usual = {
        "schema": "public",
        "table": 1,
        "table_name": "t",
        "bytes": 100 * MIB,
        "rows": 1e6,
        "method": "btree",
        "valid": True,
        "unique": True,
    }
    usual |= {
        "exclusion": False,
        "partitioned": False,
        "fillfactor": None,
        "deduplicates": True,
        "tablespace": 0,
        "mine": True,
        "building": False,
    }
    usual |= {"owned": True, "live": True, "contended": False}
    usual |= {"twin": None, "columns": 1, "known": 1, "width": 8.0, "nulls": 0.0, "distinct": -1.0}
    return {"oid": oid, "name": name, "quoted": f"public.{name}", **usual, **more}


def seen(*relations: dict[str, Any], holders: Any = (), **facts: Any) -> Inventory:
    tables = [each for each in relations if "method" not in each]
    return Inventory(
        "shop",
        {**FACTS, **facts},
        tables,
        [each for each in relations if "method" in each],
        list(holders),
        {},
    )


def plan(inventory: Inventory, free: float | None = 1e12, **options: Any) -> Plan:
    """The plan for an inventory; ``free`` bytes are free on its disk."""
    return make_plan(inventory, Options(**options), {}, {1663: free})


def only(found: Plan) -> Step:
    """The one step of a plan."""
    (step,) = found.steps
    return step
