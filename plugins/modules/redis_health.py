#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_health
short_description: Check Redis or Valkey, its memory, clients, persistence, replication and hit rate
version_added: "0.1.0"
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
description:
  - Asks a Redis or Valkey server about itself with several C(PING) and one pipeline of C(INFO),
    C(CONFIG GET), C(SLOWLOG GET), C(ACL GETUSER) and C(DBSIZE), and returns one check for each
    finding. It inspects no key unless O(key_samples) is set, reads no value, and changes nothing
    unless O(canary) is switched on.
  - C(redis.writable) tells whether a write would succeed now, by what the server says of itself.
    It would not if C(min-replicas-to-write) asks for more replicas than are good, data could not be
    saved, memory is full and nothing may be evicted, writes are paused, the server is a
    replica, or its cluster is down. Writes that ACL rules have lately refused are reported, too.
  - If the server cannot be used, only C(redis.reachable) is returned, with the reason. It
    distinguishes a refused connection, no answer, a frozen server, a missing or wrong password,
    loading, a replica that has lost its primary, a busy script, protected mode and maxclients. A
    server that refuses writes, because it cannot save its data to disk, is V(critical) there as
    well, together with the other checks.
  - C(redis.memory) is judged against C(maxmemory). If that is 0, it is judged against the memory of
    the host or of the server's cgroup. A cache that may evict any key is expected to be full.
  - C(redis.eviction_policy), C(redis.evictions) and C(redis.persistence) depend on O(purpose), and
    are not judged without it if it matters.
  - C(redis.replication) judges first how long ago the other side was heard from. What the server
    says it expects (C(min-replicas-to-write)) counts as well as O(replicas).
  - C(redis.cluster) is returned only by a node of a Redis Cluster.
  - C(redis.hit_rate), C(redis.evictions) and C(redis.rejected_connections) cover the time since the
    last run, or since the counters started if there is no usable earlier run. C(redis.hit_rate) is
    not judged with fewer lookups than O(min_lookups), and left out for a queue.
  - C(redis.slow_commands) covers the last hour of the slow log. Arguments of commands are never
    shown, of keys no more than the first part of the name.
  - C(redis.security) tells whether a client without a password is served, and from where. It is
    V(critical) only if the server listens on a public address.
  - C(redis.fragmentation) is not judged below 100 MiB resident, as it means nothing on small data.
options:
  purpose:
    description:
      - What this Redis is for. It decides whether keys may be evicted, and whether data must
        survive a restart. Neither is judged if it is not set.
      - V(cache) may lose any key at any time, and should evict when it is full.
      - V(queue) holds jobs (BullMQ and the like), none of which may be lost.
      - V(session) holds logins, which may expire but should not be lost.
    type: str
    choices: [cache, queue, session]
  replicas:
    description:
      - Number of replicas that should be linked to this server if it is a primary. If
        C(min-replicas-to-write) is higher, that counts.
    type: int
    default: 0
  role:
    description:
      - What this server should be. A V(primary) should take writes; one that turns out to be a
        replica is V(critical).
      - If it is not set, a replica that takes no writes is not judged, unless an app tried to write
        to it.
    type: str
    choices: [primary, replica]
  canary:
    description:
      - Whether C(redis.writable) may write a key and delete it again, if the server is a primary.
        The key has a random name that starts with C(gpt-agent-runbook:canary:) and expires after
        ten seconds, should it not be deleted.
      - Never happens in check mode.
    type: bool
    default: false
  key_samples:
    description:
      - About how many keys to inspect for C(redis.big_keys), at most 100,000, for up to 40 percent
        of O(timeout). With V(0), keys are not inspected, and the check is left out.
      - Of the names of keys, only the first part is shown, and only if it is a word.
    type: int
    default: 0
  samples:
    description:
      - Number of C(PING) that are timed for C(redis.reachable), 1 to 1000. The slowest one counts.
    type: int
    default: 5
  min_lookups:
    description:
      - Minimum number of key lookups in the window. With fewer, C(redis.hit_rate) is not judged.
    type: int
    default: 1000
notes:
  - A dedicated user needs no more than
    C(ACL SETUSER NAME on >PASSWORD +ping +info +select +dbsize +config|get +client|list
    +slowlog|get +acl|getuser). What only a command tells that is refused, or renamed by
    C(rename-command), is unknown, with what to grant or to correct. Without C(INFO), no more than
    C(redis.reachable), C(redis.security), C(redis.slow_commands) and C(redis.big_keys) is judged.
  - C(+acl|log +acl|cat) lets it tell which user was refused a write; a node of a cluster needs
    C(+cluster|info), and O(canary) needs C(+set +del ~gpt-agent-runbook:canary:*).
  - The evidence of C(redis.clients) lists the clients' addresses, names and users, never their
    commands. Lists of more than 1,000 clients are read only if more than half of C(maxclients) are
    in use.
  - O(key_samples) needs C(+scan +type +pttl +memory|usage ~*).
extends_documentation_fragment:
  - gpt_agent.runbook.redis
  - gpt_agent.runbook.probe
  - gpt_agent.runbook.state
"""

EXAMPLES = r"""
- name: Check the cache on this host
  gpt_agent.runbook.redis_health:
    purpose: cache

- name: Check the job queue, which should have one replica
  gpt_agent.runbook.redis_health:
    redis_url: "rediss://monitor:{{ vault_redis_password | urlencode }}@queue.internal:6380/0"
    ca_file: /etc/ssl/private-ca.pem
    purpose: queue
    role: primary
    replicas: 1
    thresholds:
      redis.memory: {warning: 60, critical: 80}
"""

RETURN = r"""
checks:
  description: The checks; only C(redis.reachable) if the server cannot be used.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      sample: redis.memory
    subject:
      description: Always empty, as there is one of each.
      type: str
      sample: ""
    status:
      description: V(ok), V(warning), V(critical), or V(unknown) if it could not be judged.
      type: str
      sample: warning
    value:
      description: The measured value, if there is one.
      type: float
      sample: 81.3
    unit:
      description: Unit of the value and its thresholds.
      type: str
      sample: percent
    warning:
      description: Threshold of the warning.
      type: float
      sample: 75.0
    critical:
      description: Threshold beyond which it is critical.
      type: float
      sample: 90.0
    direction:
      description:
        - On which side of its thresholds the value is bad, V(above) or V(below).
        - Empty if the check has no thresholds.
      type: str
      sample: above
    not_judged:
      description: >-
        Why an V(ok) is no verdict: too little to judge by yet, or nothing to compare with; else
        empty.
      type: str
    summary:
      description: The finding in one line.
      type: str
      sample: 1.63 GiB of 2 GiB maxmemory
    remedy:
      description: What to do about it; empty if it is ok.
      type: str
      sample: >-
        Find large keys and keys that never expire; raise maxmemory if the host has free memory.
    window:
      description: Time span that the value covers; empty for a value of the moment.
      type: str
      sample: 2026-11-23T06:00Z/PT24H
    evidence:
      description: The rows behind the verdict.
      type: list
      elements: dict
      sample: []
"""

from collections.abc import Iterator
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.check import Check
from ..module_utils.core.deadline import Deadline
from ..module_utils.core.options import PROBE_OPTIONS, STATE_OPTION
from ..module_utils.core.probe import read_options, require, run_probe
from ..module_utils.core.state import StateFile, store_sample
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.redis.assess import assess, no_answer
from ..module_utils.redis.checks import CHECKS
from ..module_utils.redis.collect import collect
from ..module_utils.redis.connection import IMPORT_ERROR, REDIS_OPTIONS
from ..module_utils.redis.options import Options

ARGUMENT_SPEC = {
    "purpose": {"type": "str", "choices": ["cache", "queue", "session"]},
    "replicas": {"type": "int", "default": 0},
    "role": {"type": "str", "choices": ["primary", "replica"]},
    "canary": {"type": "bool", "default": False},
    "key_samples": {"type": "int", "default": 0, "no_log": False},
    "samples": {"type": "int", "default": 5},
    "min_lookups": {"type": "int", "default": 1000},
    **REDIS_OPTIONS,
    **STATE_OPTION,
    **PROBE_OPTIONS,
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, IMPORT_ERROR, "redis", "python3-redis")
    options = read_options(module, Options.from_params)
    options = replace(options, canary=options.canary and not module.check_mode)
    state = StateFile(options.state_dir, "redis", options.endpoint.address)

    def probe(thresholds: Thresholds, deadline: Deadline) -> Iterator[Check]:
        snapshot = collect(options, state, deadline)
        if snapshot.sample:
            store_sample(module, state, snapshot.sample)
        yield from assess(snapshot, options, thresholds)

    run_probe(
        module,
        CHECKS,
        probe,
        lambda thresholds: no_answer(options, thresholds),
        results=lambda checks: {"target": options.endpoint.address},
    )


if __name__ == "__main__":
    main()
