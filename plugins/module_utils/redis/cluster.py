# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on a cluster as this node sees it."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.check import CRITICAL, OK, UNKNOWN, WARNING, Check
from ..core.thresholds import Thresholds
from ..core.units import format_value, pluralize
from .options import Options
from .snapshot import Snapshot

SLOTS = 16384
_ASSIGN = (
    "'redis-cli --cluster check HOST:PORT' names the slots; '--cluster fix' assigns them, once all "
    "nodes that have data have joined."
)
_START = "'CLUSTER NODES' names the nodes that fail: start them, or promote a replica of each."


def assess_cluster(snapshot: Snapshot, options: Options, thresholds: Thresholds) -> Check:
    """``redis.cluster``: whether every slot is served."""
    cluster = snapshot.cluster
    if not cluster:
        why = snapshot.why("CLUSTER INFO")
        text = f"It runs as a cluster, of which nothing is known: {why}"
        return thresholds.verdict("redis.cluster", UNKNOWN, text, remedy=why.remedy)
    served = int(cluster["cluster_slots_ok"])
    status, summary, remedy = _verdict(cluster, served)
    return thresholds.verdict("redis.cluster", status, summary, remedy=remedy, value=served)


def unserved_slots(cluster: Mapping[str, str]) -> int:
    """How many slots have no node, or one that failed; all of them if the cluster is down."""
    if cluster["cluster_state"] != "ok":
        return SLOTS
    return SLOTS - int(cluster["cluster_slots_assigned"]) + int(cluster["cluster_slots_fail"])


def _verdict(cluster: Mapping[str, str], served: int) -> tuple[str, str, str]:
    """Status, summary and remedy."""
    missing = SLOTS - int(cluster["cluster_slots_assigned"])
    failed, silent = int(cluster["cluster_slots_fail"]), int(cluster["cluster_slots_pfail"])
    nodes = pluralize(int(cluster["cluster_known_nodes"]), "node")
    down = cluster["cluster_state"] != "ok"
    of_all = f"of {format_value(SLOTS)} slots"
    effect = "the cluster is down: every key gives CLUSTERDOWN" if down else "their keys fail"
    if missing:
        return CRITICAL, f"{format_value(missing)} {of_all} have no node, so {effect}", _ASSIGN
    if failed:
        return CRITICAL, f"The nodes of {format_value(failed)} {of_all} fail, so {effect}", _START
    if down:
        return (
            CRITICAL,
            f"The cluster of {nodes} is down for this node: every key gives CLUSTERDOWN, as it "
            "does not reach most of the primaries, or has just started",
            "Check the network between the nodes, their cluster bus ports too (usually the port "
            "plus 10000), and 'CLUSTER NODES' on each.",
        )
    if silent:
        text = f"The nodes of {format_value(silent)} {of_all} do not answer this node"
        return WARNING, text, _START
    return OK, f"Cluster of {nodes}, all {format_value(served)} slots are served", ""
