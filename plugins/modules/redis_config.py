#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_config
short_description: Change settings of a running Redis or Valkey so that they survive a restart
version_added: "0.1.0"
description:
  - Sets parameters with C(CONFIG SET), all of them or none, and writes them to the configuration
    file with C(CONFIG REWRITE). C(redis.config_persisted) says whether a restart keeps them, or
    why not.
  - C(redis.config_drift) compares the file with what is running. A setting that the file does not
    name counts with its default, if that is the same in all versions.
  - C(CONFIG REWRITE) writes everything that is running. So it is not used while the file differs
    from settings that O(settings) does not name, as it would make permanent what others have set
    for a while.
  - Refuses C(maxmemory) below what is in use, or above the memory of the host or of the server's
    cgroup, and a C(maxmemory-policy) that would lose data, by O(purpose). All reasons are given at
    once, and nothing is changed then.
options:
  settings:
    description:
      - Settings by name, as in C(redis.conf). Sizes such as V(1gb), lists, C(yes) and C(no) are
        compared by what they mean.
      - If it is empty, only C(redis.config_drift) is of interest.
      - Passwords and users (C(requirepass), C(masterauth), C(user) and the like) cannot be set, and
        are never read or shown. Neither can what would cut off clients or move files, such as
        C(port), C(bind) and C(dir).
    type: dict
    default: {}
  persist:
    description:
      - Whether the settings are to survive a restart.
    type: bool
    default: true
  purpose:
    description:
      - What this Redis is for. A V(queue) or V(session) store never gets a policy that evicts
        any key, and without a declared purpose no Redis does.
    type: str
    choices: [cache, queue, session]
  timeout:
    description:
      - Seconds to wait for each answer.
    type: float
    default: 10.0
  thresholds:
    description:
      - Thresholds that differ from the runbook's, by name of the check, as
        M(gpt_agent.runbook.redis_health) takes them.
    type: dict
    default: {}
extends_documentation_fragment:
  - gpt_agent.runbook.redis
attributes:
  check_mode:
    support: full
    description: Shows what would be set and whether the file would be written, or why not.
  diff_mode:
    support: full
    description: Shows the actions that are needed before, and those that are left afterwards.
  idempotent:
    support: full
    description: Nothing is changed if the settings, and the file, are as asked for.
  platform:
    support: full
    description: Any host that reaches the server; the file is seen on the server's own host.
    platforms: posix
notes:
  - The login needs C(+info +config|get +config|set +config|rewrite), and C(+client|setname
    +client|id +client|list) so that two runs never change one server at the same time.
  - To see the file, run it on the server's own host as a user who can read the file.
  - Managed services often refuse C(CONFIG). Use their parameter groups.
  - Before Redis 7 several settings are set one after the other. A run that is killed may have set
    some of them, and the next run sets the rest.
  - An option on the command line of the server outranks its file after a restart. The module does
    not see the command line.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Give the cache 2 GB, and let it evict what was not used for longest
  gpt_agent.runbook.redis_config:
    purpose: cache
    settings:
      maxmemory: 2gb
      maxmemory-policy: allkeys-lru

- name: Show what a restart would change
  gpt_agent.runbook.redis_config:

- name: Record slow operations until the next restart
  gpt_agent.runbook.redis_config:
    persist: false
    settings:
      latency-monitor-threshold: 100
"""

RETURN = r"""
persistent:
  description:
    - Whether a restart keeps the settings. None if that cannot be seen, or is not asked for.
  returned: always, except for usage errors
  type: bool
  sample: true
checks:
  description:
    - C(redis.config), C(redis.config_drift), and C(redis.config_persisted) if that is asked for.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: redis.config_persisted
      subject: ""
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: /etc/redis/redis.conf has these settings
      remedy: ""
      window: ""
      evidence: []
actions:
  description: C(redis.set) for each setting that differs, and C(redis.rewrite).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: redis.set
      subject: maxmemory
      status: done
      reason: 1073741824 → 2gb
      before: "1073741824"
      after: 2gb
      seconds: 0.001
      bytes: null
      estimate: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.probe import require
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.redis.checks import CHECKS
from ..module_utils.redis.config.operation import run
from ..module_utils.redis.config.options import Options, is_secret
from ..module_utils.redis.connection import IMPORT_ERROR, REDIS_OPTIONS

ARGUMENT_SPEC = {
    **REDIS_OPTIONS,
    # Someone may put a password there before the module can refuse it.
    "settings": {"type": "dict", "default": {}, "no_log": True},
    "persist": {"type": "bool", "default": True},
    "purpose": {"type": "str", "choices": ["cache", "queue", "session"]},
    "timeout": {"type": "float", "default": 10.0},
    "thresholds": {"type": "dict", "default": {}},
}


def show_settings(module: AnsibleModule) -> None:
    """Keep Ansible from masking every ``yes`` and ``2gb`` in the result; secrets stay masked."""
    open_values = {
        str(value)
        for name, value in (module.params["settings"] or {}).items()
        if not is_secret(str(name))
    }
    secret = {
        str(value) for name, value in (module.params["settings"] or {}).items() if is_secret(name)
    }
    module.no_log_values = (module.no_log_values - open_values) | secret


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    show_settings(module)
    require(module, IMPORT_ERROR, "redis", "python3-redis")
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        outcome = run(options, thresholds, module.check_mode)
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, options.endpoint.address)


if __name__ == "__main__":
    main()
