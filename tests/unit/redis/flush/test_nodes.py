"""The nodes of a cluster, by what CLUSTER NODES says."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.flush.nodes import (
    Node,
    _obstacle,
    parse_nodes,
)

SAID = """\
07c3 127.0.0.1:7004@17004,hostname4 slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:7002@17002,cache-2.example.com,shard-id=6 master - 0 142623 2 connected 5461-10922
292f 127.0.0.1:7003@17003,,shard-id=7 master - 0 1426238318243 3 connected 10923-16383 [93-<-292f]
6ec2 [::1]:7005@17005 master,fail - 0 1426238316232 5 disconnected
e7d1 :7001@17001 myself,master - 0 0 1 connected 0-5459 5460
"""


def test_every_version_of_the_lines() -> None:
    replica, second, third, failed, own = parse_nodes(SAID)
    assert not replica.primary
    assert second == Node("127.0.0.1", 7002, "cache-2.example.com", False, True, False, 5462)
    assert (third.name, third.slots, third.moving) == ("", 5461, 1)
    assert (failed.host, failed.down) == ("::1", True)
    assert (own.own, own.slots) == (True, 5461)
    assert parse_nodes("") == []


def test_the_name_counts_with_tls() -> None:
    second = parse_nodes(SAID)[1]
    assert second.endpoint(Endpoint("10.0.0.1", 7001, password="x")).address == "127.0.0.1:7002"
    encrypted = second.endpoint(Endpoint("10.0.0.1", 7001, tls={}))
    assert encrypted.address == "cache-2.example.com:7002"


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([Node("a", 1, primary=True, slots=16384)], ""),
        ([Node("a", 1, primary=True, slots=16383)], "1 of the cluster's 16,384 slots are served"),
        (
            [
                Node("a", 1, primary=True, slots=10000),
                Node("b", 1, primary=True, slots=6384, down=True),
            ],
            "6,384 of the cluster's 16,384 slots",
        ),
        ([Node("a", 1, primary=True, slots=16384, moving=1)], "slots are being moved"),
    ],
)
def test_what_forbids_a_flush(nodes: list[Node], text: str) -> None:
    found = _obstacle(nodes)
    assert text in found if text else not found
