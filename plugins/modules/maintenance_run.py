#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_run
short_description: Keep a maintenance run alone, in its window, and able to go on after a kill
version_added: "0.1.0"
description:
  - Keeps the record of a maintenance run on the host, in a small file in O(state_dir). It does no
    maintenance itself. The role C(maintenance) calls it when the run begins, before each part, and
    when the run ends.
  - With O(state=begun) it claims the host, and fails and names the other run if there is one. It
    returns the parts that are to be done and their order. A run that was killed is gone on with,
    without the parts that it had finished.
  - With O(state=part) it says whether a part may begin. None does if a health check was critical
    before the maintenance, on any host, or if the part would probably end after the O(window).
  - With O(state=part_ended) it notes how the part ended, so that it is not repeated after a kill.
  - With O(state=ended) it says whether the health must be checked again, which is so if a part has
    changed anything or has failed, on any host.
  - With O(state=finished) it compares the health with that before, and releases the host.
  - On the controller, it reads from the results that earlier steps registered which health checks
    are critical, and whether a part has failed or changed anything.
options:
  state:
    description:
      - V(begun), V(part), V(part_ended), V(ended) and V(finished) as described above. V(failed)
        notes that the current part has failed without a result.
    type: str
    choices: [begun, part, failed, part_ended, ended, finished]
    required: true
  parts:
    description:
      - The parts that are to be done, as far as the host has them, for O(state=begun). A name that
        is no part is an error, as is an empty list, and nothing is begun.
    type: list
    elements: str
    choices: [dependencies, database, logs, certificates]
    default: [dependencies, database, logs, certificates]
  host_parts:
    description:
      - The parts that this host has, for O(state=begun). Others of O(parts) are not done here.
    type: list
    elements: str
    choices: [dependencies, database, logs, certificates]
    default: [dependencies, database, logs, certificates]
  part:
    description:
      - The part that begins, for O(state=part), or has ended, for O(state=part_ended).
    type: str
    choices: [dependencies, database, logs, certificates]
  read_only:
    description:
      - Parts that change nothing here. A critical health check does not stop them.
    type: list
    elements: str
    choices: [dependencies, database, logs, certificates]
    default: []
  reason:
    description:
      - Why the part has failed, for O(state=failed).
    type: str
    default: ""
  window:
    description:
      - Spans of the day in which parts may run, in the time zone of the host, such as
        V(01:00-05:00). A span may go beyond midnight. Without one, parts may run at any time.
      - A part begins only if it will have ended before the window does, by the longest of its last
        three durations on this host, or else by its limit. What is left out for lack of time is
        the first part of the next run.
    type: list
    elements: str
    default: []
  limits:
    description:
      - Maximum seconds of each part, by its name. Defaults to 1800 for C(dependencies), 3600 for
        C(database), and 900 for C(logs) and C(certificates).
      - A run whose controller cannot be seen counts as alive for the limit of its current part, or
        between two parts for the longest limit, and 15 minutes more.
    type: dict
    default: {}
  despite:
    description:
      - Names of checks that do not stop the maintenance although they are critical, such as
        V(backup.age), or with a subject V(host.disk_used /backup).
    type: list
    elements: str
    default: []
  locks:
    description:
      - Lock files of other operations, such as those of a deployment. If one is held, another
        operation is running, and C(maintenance.others) is critical.
    type: list
    elements: path
    default: []
  resume_within:
    description:
      - Hours since a killed run began for which the next run goes on with it. A later one does all
        parts anew.
    type: float
    default: 24.0
  take_over:
    description:
      - Id of a run on another controller that you know to be dead, as the message of the run that
        was declined shows it.
    type: str
    default: ""
  controller:
    description:
      - Who runs the maintenance, from where, by which process. The action plugin sets it, except
        for C(owner).
    type: dict
    default: {}
  observed:
    description:
      - What earlier steps have registered. The action plugin sets it.
    type: dict
    default: {}
extends_documentation_fragment:
  - gpt_agent.runbook.state
attributes:
  check_mode:
    support: full
    description: Claims nothing, and says which parts would not begin now.
  diff_mode:
    support: none
    description: Changes nothing but its own record.
  idempotent:
    support: full
    description: Never reports a change, as it changes nothing but its own record.
  platform:
    support: full
    description: Linux hosts.
    platforms: posix
notes:
  - A run of the same controller counts as alive as long as its process exists. Any other one, such
    as a run in a container that is gone, counts as alive until the time that the message names.
  - The operations of the parts have locks of their own, so that a part is never done twice at the
    same time whatever this record says.
  - Uses the results that the tasks of the role C(maintenance) register as C(__maintenance_begun)
    and C(__maintenance_part), and of all steps whose names end with C(_health).
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Claim the host for a maintenance of the database, at night
  gpt_agent.runbook.maintenance_run:
    state: begun
    parts: [database]
    window: ["01:00-05:00"]
  register: __maintenance_begun

- name: Ask whether there is time for it
  gpt_agent.runbook.maintenance_run:
    state: part
    part: database
    window: ["01:00-05:00"]
  register: __maintenance_part

- name: Note how it ended
  gpt_agent.runbook.maintenance_run:
    state: part_ended
    part: database
  register: __maintenance_part_ended

- name: Release the host
  gpt_agent.runbook.maintenance_run:
    state: finished
  register: __maintenance_finished
"""

RETURN = r"""
run:
  description: Id of the run.
  returned: with O(state=begun), if no other run is working on the host
  type: str
  sample: 20261128T010003-5f3a1c
order:
  description: The parts that are to be done, in their order.
  returned: with O(state=begun), if no other run is working on the host
  type: list
  elements: str
  sample: [database, logs, certificates]
resumes:
  description: Id of the killed run that this one goes on with; empty without one.
  returned: with O(state=begun), if no other run is working on the host
  type: str
  sample: ""
first:
  description:
    - The first part, with what O(state=part) returns for it, which is the same. Empty if the play
      has several hosts.
  returned: with O(state=begun), if no other run is working on the host
  type: dict
  sample: {part: database, go: true, seconds: 3600, reason: ""}
check_again:
  description: Whether the health must be checked again.
  returned: with O(state=ended)
  type: bool
  sample: false
go:
  description: Whether the part may begin.
  returned: with O(state=part)
  type: bool
  sample: true
seconds:
  description: Whole seconds that the part may take, by its limit and the window.
  returned: with O(state=part)
  type: int
  sample: 3600
reason:
  description: Why the part may not begin; empty if it may.
  returned: with O(state=part)
  type: str
  sample: ""
checks:
  description:
    - With O(state=begun), C(maintenance.run) and C(maintenance.others). With O(state=finished),
      C(maintenance.run), C(maintenance.part) for each part, and C(maintenance.health).
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: maintenance.part
      subject: database
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      summary: Done in 41 s
      remedy: ""
      window: ""
      evidence: []
actions:
  description: In check mode C(maintenance.part), skipped, for each part that would not begin now.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import RunbookError, UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import STATE_OPTION
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.maintenance.checks import CHECKS
from ..module_utils.maintenance.operation import Maintenance
from ..module_utils.maintenance.options import PARTS, STATES, Options

_PARTS = {"type": "list", "elements": "str", "choices": list(PARTS)}

ARGUMENT_SPEC = {
    **STATE_OPTION,
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "parts": {**_PARTS, "default": list(PARTS)},
    "host_parts": {**_PARTS, "default": list(PARTS)},
    "part": {"type": "str", "choices": list(PARTS)},
    "read_only": {**_PARTS, "default": []},
    "reason": {"type": "str", "default": ""},
    "window": {"type": "list", "elements": "str", "default": []},
    "limits": {"type": "dict", "default": {}},
    "despite": {"type": "list", "elements": "str", "default": []},
    "locks": {"type": "list", "elements": "path", "default": []},
    "resume_within": {"type": "float", "default": 24.0},
    "take_over": {"type": "str", "default": ""},
    "controller": {"type": "dict", "default": {}},
    "observed": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = Options.from_params(module.params)
        maintenance = Maintenance(options, Thresholds(CHECKS), module.check_mode)
        outcome = maintenance.run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    except RunbookError as error:
        module.fail_json(msg=f"{error}. {error.remedy}".rstrip(" ."))
    except OSError as error:
        module.fail_json(
            msg=f"The record of the maintenance cannot be kept in {error.filename}: "
            f"{error.strerror}. Nothing was begun; free some space, or set state_dir"
        )
    exit_operation(module, outcome)


if __name__ == "__main__":
    main()
