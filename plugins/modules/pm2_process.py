#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_process
short_description: Define, start, reload, restart or stop an app under PM2, and prove that it works
version_added: "0.1.0"
description:
  - Compares an app with its description, and does the least that it takes. Nothing if nothing
    differs. Other settings, such as a variable, an argument, the script or the directory, are put
    in place by reloading one instance after another, a different number by starting or removing
    instances. Only another O(exec_mode) needs the app to be removed and started again.
  - Before an app in cluster mode is changed, a trial instance C(NAME-trial) is started with the
    new settings. If it exits, is not ready within its C(listen_timeout), is in another directory or
    does not answer at O(url), it is removed, and no instance that serves was touched.
  - C(pm2 restart) and C(pm2 reload) succeed even if the app exits right after its start or never
    reports that it is ready (C(wait_ready)). Here an instance counts once it is another process,
    online and ready, in the directory that was asked for, and has stayed online for O(stable_for)
    seconds without a restart.
  - The first instance that does not come up ends the run. The others are left unchanged, and the
    task fails with the last message in the app's error log, as a fingerprint free of secrets.
  - V(restarted) restarts instance by instance. Those that are not online come first, as they show
    whether the app starts at all before one that serves is touched.
  - Talks to the socket of the running daemon. PM2's command and Node.js are needed only to start a
    daemon or a new app, to read an ecosystem file, and for O(save) and O(boot). They run with
    E(PATH), E(HOME) and E(PM2_HOME) alone, so nothing of the operator's shell gets into the app.
  - C(app.process) describes the app after the run, as M(gpt_agent.runbook.pm2_health) does.
options:
  name:
    description: Name of the app in PM2's list.
    type: str
    required: true
  state:
    description:
      - V(present) makes the app as described and online. Without O(script) and O(config) it must be
        in PM2's list already. Starts a daemon if none is running.
      - V(reloaded) reloads every instance, with the options that describe the app, if there are
        any. An app in cluster mode keeps serving; in fork mode PM2 restarts each instance.
      - V(restarted) restarts every instance, and starts those that are stopped.
      - V(started) starts those that are not online and leaves the others alone.
      - V(stopped) stops every instance. V(absent) removes the app from PM2's list.
    type: str
    choices: [present, started, stopped, restarted, reloaded, absent]
    required: true
  confirm:
    description:
      - Name of the app once more, as a guard against a slip of whoever starts a playbook. Any other
        name is an error, also in check mode. By default it is not asked for.
    type: str
    default: ""
  instances:
    description:
      - Number of instances. V(max) is one for each processor, V(-1) one less.
      - With O(state=present) instances are started or removed until there are as many.
      - With other states none is started that PM2 does not have in its list, but C(app.process) is
        critical if there are fewer, and RV(proven) is V(false).
      - By default, as many as PM2 has in its list, or as the ecosystem file says.
    type: str
  save:
    description:
      - Whether to store PM2's list in its dump, which C(pm2 resurrect) starts after a reboot, if
        the two differ. The dump contains the environments, and gets mode 0600.
    type: bool
    default: false
  boot:
    description:
      - Whether systemd must start PM2 after a reboot. Enables the unit with C(pm2 startup) if it is
        missing, which needs root. Fails with the command to run otherwise.
    type: bool
    default: false
  url:
    description:
      - Address that must answer with a status of 2xx while instances are proven, at least twice for
        each instance. Redirects are not followed. By default no request is sent. Not used by
        V(restarted) and V(started).
    type: str
  trial_env:
    description:
      - Variables of the trial instance, such as another V(PORT). Then no user's request reaches it.
        Otherwise it shares the app's port, as every instance of a cluster does. Needs O(trial_url).
    type: dict
    default: {}
  trial_url:
    description: Address of the trial instance, in place of O(url). Needs O(trial_env).
    type: str
  pm2_executable:
    description: PM2's command. Defaults to C(pm2) on E(PATH).
    type: path
  stable_for:
    description:
      - Seconds for which an instance must stay online before it counts as up; at most 600.
      - The default is five times C(min_uptime), after which PM2 itself considers a start
        successful.
    type: float
    default: 5.0
  timeout:
    description:
      - Seconds to wait for an answer of PM2, in addition to the C(kill_timeout) and the
        C(listen_timeout) of the app.
    type: float
    default: 30.0
  requires:
    description:
      - Results of earlier steps that must be true before the app is touched, each as V(STEP.KEY),
        a key of the result that a task registered as C(__STEP).
      - Results of every host of the run count. If none has a result of that step, or the key is not
        true on a host that has one, nothing is done, and one skipped action says why.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.pm2_app
  - gpt_agent.runbook.progress
attributes:
  check_mode:
    support: full
    description: Returns the actions that it would carry out, in order, with the differences.
  diff_mode:
    support: full
    description: Shows the actions that are needed before, and those that are left afterwards.
  idempotent:
    support: partial
    description: All states are, except that V(restarted) and V(reloaded) always act.
requirements:
  - PM2 5, 6 or 7
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)) or as root. Any other user lacks
    permission to connect to the daemon's socket. Starting a daemon and O(save) need the owner.
  - Two runs never change apps of the same PM2 at the same time, and none starts while PM2 itself
    is reloading the app. The second one fails and says so.
  - A run that is killed leaves the app serving, with some instances changed, and possibly the trial
    instance; the next run removes it. While an app is created again, its former settings are in
    C(runbook-NAME.json) in PM2's folder (mode 0600), from which the next run starts it.
  - A reload loses no request if the app does three things. It listens, or reports that it is ready,
    only once it can serve. When it gets SIGINT it answers what it has accepted. It keeps idle
    connections for a moment longer, answers requests on them with the header C(Connection) set to
    C(close), and only then closes them. Node.js 19 and later closes idle connections as soon as its
    server is closed, so that a request on its way is lost; a proxy such as nginx repeats it, other
    clients may not.
    All of this must take less than C(kill_timeout), after which PM2 kills the process. The action's
    C(after) says if that has happened.
  - An app in fork mode whose instances listen on different ports stays available only if its
    proxy knows all of them.
  - Does nothing on a host if an earlier host of the same play (C(serial)) was unreachable or
    its app did not come back. This needs the result to be registered.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: The app runs as described, also after a reboot
  gpt_agent.runbook.pm2_process:
    name: gpt-agent
    state: present
    cwd: /srv/gpt-agent/current
    script: server.js
    exec_mode: cluster
    instances: 2
    max_memory_restart: 300M
    wait_ready: true
    kill_timeout: 6
    env:
      NODE_ENV: production
      PORT: "3000"
    url: http://127.0.0.1:3000/api/health
    save: true
  become: true
  become_user: deploy

- name: The app runs as its ecosystem file says
  gpt_agent.runbook.pm2_process:
    name: gpt-agent
    state: present
    config: /srv/gpt-agent/shared/ecosystem.config.js

- name: Restart the app without an outage
  gpt_agent.runbook.pm2_process:
    name: gpt-agent
    state: restarted
  become: true
  become_user: deploy
  register: restart

- name: Continue only if every instance came back
  ansible.builtin.assert:
    that: restart.proven

- name: Bring back the instances that are down, and leave the others alone
  gpt_agent.runbook.pm2_process:
    name: worker
    namespace: blue
    state: started
    stable_for: 30
"""

RETURN = r"""
proven:
  description:
    - Whether the run has proven that the app is as requested, as a condition for the next step.
    - V(true) if every instance that was to be changed came up and stayed online, and
      C(app.process) is V(ok) after the run. This includes runs that had nothing to do.
    - V(false) if the task failed, if C(app.process) is anything but V(ok), and in check mode, as
      nothing was done.
  returned: always, except for usage errors
  type: bool
  sample: true
daemon_version:
  description: Version of PM2's daemon; empty if none is running.
  returned: states present, reloaded, stopped and absent
  type: str
  sample: "6.0.14"
command_version:
  description: Version of PM2's command; empty if there is none. A difference is also a warning.
  returned: states present, reloaded, stopped and absent
  type: str
  sample: "6.0.14"
dump_problem:
  description: How PM2's dump differs from its list; empty if it does not.
  returned: states present, reloaded, stopped and absent
  type: str
  sample: "it differs from PM2's list: gpt-agent"
checks:
  description: C(app.process), the state of the app after the run; before it in check mode.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: app.process
      subject: gpt-agent
      status: ok
      value: 2
      unit: count
      warning: null
      critical: null
      direction: ""
      summary: "2 of 2 instances of gpt-agent online, running for 5.1 s"
      remedy: ""
      window: ""
      evidence: []
actions:
  description:
    - What was done or planned, in that order. C(app.restart) or C(app.reload) for each instance;
      C(app.trial), C(app.start), C(app.scale), C(app.recreate), C(app.stop) and C(app.remove);
      C(pm2.start), C(pm2.save) and C(pm2.boot) for PM2 itself.
    - The reason names what differs, environment variables without their values.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: app.reload
      subject: gpt-agent id 0
      status: done
      reason: max_memory_restart 314572800 → 419430400, env.LOG_LEVEL changed
      before: process 4711
      after: process 5012
      seconds: 6.3
      bytes: null
      estimate: null
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import minimum_python  # noqa: F401  # pylint: disable=unused-import
from ..module_utils.core.errors import UsageError
from ..module_utils.core.operation import exit_operation
from ..module_utils.core.options import PROGRESS_OPTION
from ..module_utils.core.progress import progress_reporter
from ..module_utils.core.thresholds import Thresholds
from ..module_utils.pm2.checks import CHECKS
from ..module_utils.pm2.process.definition import APP_OPTIONS
from ..module_utils.pm2.process.operation import preview, run
from ..module_utils.pm2.process.options import STATES, Options

ARGUMENT_SPEC = {
    **PROGRESS_OPTION,
    **APP_OPTIONS,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": list(STATES), "required": True},
    "confirm": {"type": "str", "default": ""},
    "namespace": {"type": "str"},
    "instances": {"type": "str"},
    "save": {"type": "bool", "default": False},
    "boot": {"type": "bool", "default": False},
    "url": {"type": "str"},
    "trial_env": {"type": "dict", "default": {}, "no_log": True},
    "trial_url": {"type": "str"},
    "pm2_home": {"type": "path"},
    "pm2_executable": {"type": "path"},
    "stable_for": {"type": "float", "default": 5.0},
    "timeout": {"type": "float", "default": 30.0},
    "requires": {"type": "list", "elements": "str", "default": []},
}


#: Length from which a value of ``env`` is masked wherever it appears.
_SECRET_LENGTH = 8


def show_short_values(module: AnsibleModule) -> None:
    """Keep Ansible from masking every ``1`` and ``web`` in the result, as values of ``env``.

    No result contains a value of ``env`` anyway; the longer ones stay masked everywhere.
    """
    module.no_log_values = {value for value in module.no_log_values if len(value) >= _SECRET_LENGTH}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    show_short_values(module)
    thresholds = Thresholds(CHECKS)
    try:
        options = Options.from_params(module.params)
        if module.check_mode:
            outcome = preview(options, thresholds)
        else:
            with progress_reporter(module.params["progress_file"]) as report:
                outcome = run(options, thresholds, report)
    except UsageError as error:
        module.fail_json(msg=str(error))
    daemon, command = (outcome.results.get(f"{what}_version") for what in ("daemon", "command"))
    if daemon and command and daemon != command:
        module.warn(
            f"PM2's daemon is version {daemon}, its command is version {command}; 'pm2 update' "
            "replaces the daemon, and restarts every app"
        )
    for option in ("env", "trial_env"):
        module.params[option] = sorted(module.params[option])
    exit_operation(module, outcome, options.home)


if __name__ == "__main__":
    main()
