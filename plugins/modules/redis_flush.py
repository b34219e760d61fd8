#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_flush
short_description: Show what is in Redis or Valkey, and remove it if that is safe and confirmed
version_added: "0.1.0"
description:
  - Shows how many keys there are by how their names begin, with types, share with a TTL and size of
    a sample of them. C(redis.contents) is that inventory. Names of keys may be secrets, so no more
    than the first part of a name is shown, and only if it is a word.
  - With O(state=flushed) it removes all keys of one database with C(FLUSHDB ASYNC), of all
    databases with C(FLUSHALL ASYNC), or those with a O(prefix) with C(UNLINK) in small steps.
  - Refuses on a replica, and names its primary; if the data belongs to a job queue or to sessions
    (see O(allow)), if O(confirm) is not the number of keys, and if not all keys could be inspected
    within O(time_limit) unless O(purpose) is V(cache). All reasons are given at once, and nothing
    is removed then.
  - Of a cluster it inspects and empties every primary, whichever one O(redis_url) names, so
    O(confirm) is the number of keys of all of them. It must reach them at the addresses that they
    announce, with the same login. It refuses while slots have no node or are being moved.
  - Afterwards it counts the keys again, in a cluster on each node. C(redis.flush) is the result.
options:
  state:
    description:
      - V(listed) only looks.
      - V(flushed) removes the keys if O(confirm) is right. In check mode it shows what it would
        remove.
    type: str
    choices: [listed, flushed]
    default: listed
  confirm:
    description:
      - Number of keys that are to be removed, as O(state=listed) and check mode show it. Without it
        nothing is removed. A wrong number is refused in check mode, too.
      - It must still match when the keys are removed, except for O(tolerance).
    type: int
  tolerance:
    description:
      - Percent by which the number of keys may differ from O(confirm), as others write and keys
        expire; a difference of 10 keys is always allowed.
      - More means that it is another server, or that others have written since you looked.
    type: float
    default: 10.0
  prefix:
    description:
      - How the names of the keys begin that are to be removed, such as C(cart:). All keys if empty.
      - Special characters have no meaning.
    type: str
    default: ""
  all_databases:
    description:
      - Whether to remove the keys of all databases, rather than of the one in O(redis_url).
    type: bool
    default: false
  purpose:
    description:
      - What this Redis is for. A V(queue) or V(session) store is not flushed unless O(allow) names
        it.
    type: str
    choices: [cache, queue, session]
  allow:
    description:
      - Kinds of data that may be removed. V(queue) loses jobs, V(session) logs users out.
      - Keys count as such if their names are those of well-known libraries (C(bull:), C(sess:) and
        so on), and streams count as V(queue).
    type: list
    elements: str
    choices: [queue, session]
    default: []
  dump_dir:
    description:
      - Folder, on the host where the module runs, for a dump of all data before any is removed. The
        server sends it as it does to a replica.
      - The dump is an RDB file with mode 0600. It is refused if there is less free space than the
        server uses memory.
      - A server with C(repl-diskless-sync no) writes its own RDB file as well.
      - Not for a cluster, of which each primary has a part of the data.
    type: path
  sample:
    description:
      - About how many keys are inspected closely, for type, TTL and size.
    type: int
    default: 1000
  batch:
    description:
      - Number of keys that one C(UNLINK) removes.
    type: int
    default: 500
  pause:
    description:
      - Seconds between two C(UNLINK), for other clients.
    type: float
    default: 0.01
  timeout:
    description:
      - Seconds to wait for each answer.
    type: float
    default: 10.0
  time_limit:
    description:
      - Seconds for inspecting the keys, for the dump, and again for removing them.
    type: float
    default: 300.0
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check, as
        M(gpt_agent.runbook.redis_health) takes them.
    type: dict
    default: {}
extends_documentation_fragment:
  - gpt_agent.runbook.step
  - gpt_agent.runbook.redis
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Inspects the keys and shows what would be removed, or every reason why not.
  diff_mode:
    support: full
    description: Shows the actions that are needed before, and those that are left afterwards.
  idempotent:
    support: full
    description: Nothing is changed if there is no such key.
  platform:
    support: full
    description: Any host that reaches the server.
    platforms: posix
notes:
  - Replicas lose the same keys.
  - The login needs C(+info +scan +type +pttl +memory|usage +client|setname +client|id
    +client|list), in a cluster C(+cluster|nodes), and to remove keys C(+flushdb), C(+flushall) or
    C(+unlink) with C(~*); for a dump C(+sync +replconf).
  - Two runs never change one server at the same time; the second one fails and names it.
    That needs C(+client|list +client|setname +client|id).
  - A run that is killed while it removes keys with a prefix has removed some of them, and the next
    run removes the rest. C(FLUSHDB) removes all or none, in a cluster on each node. A killed dump
    leaves a file whose name starts with C(.partial-).
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Show what is in the cache
  gpt_agent.runbook.redis_flush:
    purpose: cache

- name: Remove what the shopping carts have cached
  gpt_agent.runbook.redis_flush:
    state: flushed
    prefix: "cart:"
    confirm: 12840

- name: Empty the database, with a dump to go back to
  gpt_agent.runbook.redis_flush:
    state: flushed
    confirm: 482113
    purpose: cache
    dump_dir: /var/backups/redis
"""

RETURN = r"""
keys:
  description: Number of keys that were there, and would be or were removed; none if not known.
  returned: always, except for usage errors
  type: int
  sample: 12840
removed:
  description: Number of keys that were removed.
  returned: always, except for usage errors
  type: int
  sample: 12838
dump:
  description: Path of the dump; empty without one.
  returned: always, except for usage errors
  type: str
  sample: /var/backups/redis/redis-127.0.0.1_6379-20261128T031500Z.rdb
checks:
  description:
    - C(redis.contents), and with O(state=flushed) C(redis.flush). Only C(redis.reachable) if the
      server cannot be asked.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: redis.contents
      subject: ""
      status: ok
      value: 12840
      unit: count
      warning: null
      critical: null
      direction: ""
      summary: 12,840 keys in database 0
      remedy: ""
      window: ""
      evidence:
        - keys: 12840
          prefix: "cart:*"
          looks like: ""
          types: hash
          with a TTL: 100 %
          bytes each: 312
actions:
  description: C(redis.dump) and C(redis.flush), as far as they are needed.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: redis.flush
      subject: database 0
      status: done
      reason: 12,840 of 12,840 keys removed
      before: {keys: 12840}
      after: {keys: 0}
      seconds: 0.02
      bytes: 4011008
      estimate: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.probe import require
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.redis.checks import CHECKS
from ..module_utils.redis.connection import IMPORT_ERROR, REDIS_OPTIONS
from ..module_utils.redis.flush.operation import run
from ..module_utils.redis.flush.options import Options

ARGUMENT_SPEC = {
    **REDIS_OPTIONS,
    **PROGRESS_OPTION,
    "state": {"type": "str", "choices": ["listed", "flushed"], "default": "listed"},
    "confirm": {"type": "int"},
    "tolerance": {"type": "float", "default": 10.0},
    "prefix": {"type": "str", "default": "", "no_log": False},
    "all_databases": {"type": "bool", "default": False},
    "purpose": {"type": "str", "choices": ["cache", "queue", "session"]},
    "allow": {
        "type": "list",
        "elements": "str",
        "choices": ["queue", "session"],
        "default": [],
    },
    "dump_dir": {"type": "path"},
    "sample": {"type": "int", "default": 1000},
    "batch": {"type": "int", "default": 500},
    "pause": {"type": "float", "default": 0.01},
    "timeout": {"type": "float", "default": 10.0},
    "time_limit": {"type": "float", "default": 300.0},
    "thresholds": {"type": "dict", "default": {}},
    "requires": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    require(module, IMPORT_ERROR, "redis", "python3-redis")
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        with progress_reporter(module.params["progress_file"]) as report:
            outcome = run(options, thresholds, module.check_mode, report)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, options.endpoint.address)


if __name__ == "__main__":
    main()
