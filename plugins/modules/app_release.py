#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: app_release
short_description: Deploy a release of an app, or roll it back, and prove that it works
version_added: "0.1.0"
description:
  - Deploys a release or returns to an earlier one, on the host itself, under PM2 or Docker Compose
    (O(backend)). Both are the same flow in two directions.
  - Each release has a record of what it was built from, and whether it was good when it was live.
    Under PM2 it is a folder, under Docker an image with its digest. The last good release is chosen
    by these records, never by the age of a folder, so a second rollback in a row goes further back,
    and never to a bad release.
  - The release is built in a folder of its own (C(npm ci) and the build) while the old one serves,
    then started beside it on another port. A version that does not build, start or answer never
    touches the users.
  - If O(migrate) is set, the migrations that the database lacks are applied before that trial.
  - Then the link to the live release is switched, and PM2 reloads one instance after the other. The
    app is watched for O(bake) seconds. If the release does not prove itself, the old one comes
    back, once, and the new one is recorded as bad. The task fails then, and says why.
  - Guards refuse before anything is touched, all of them at once. They check the record of the
    release, the version of Node.js, free disk space, the variables that it needs, and the
    migrations of the database.
  - A rollback records the release that it leaves as bad.
  - An app that runs in a plain git checkout is adopted. The checkout becomes a release, and a link
    takes its place in one step; its path stays the same, and its processes notice nothing.
  - During the switch a thread asks the first of O(health_urls) all the time. The report says how
    many requests failed, and for how long the app did not answer.
options:
  name:
    description: Name of the app in PM2's list, or of its service in the compose file.
    type: str
    required: true
  state:
    description:
      - V(listed) lists the releases and changes nothing.
      - V(verified) checks the live release, and records it as good if it works.
      - V(deployed) puts O(version) into service.
      - V(rolled_back) returns to O(rollback_to).
    type: str
    choices: [listed, deployed, rolled_back, verified]
    required: true
  backend:
    description: What runs the app on this host. V(pm2) is PM2, V(docker) is Docker Compose.
    type: str
    choices: [pm2, docker]
    default: pm2
  confirm:
    description:
      - Must be the name of the app, if it is given; a wrong name is refused in check mode, too. It
        guards against the wrong inventory.
    type: str
    default: ""
  version:
    description:
      - What to deploy; needed for O(state=deployed). A tag, a branch or a commit of O(repository),
        or the id of a release on the host.
      - Under Docker a tag or a digest of the image that runs, or the whole name of an image.
      - A release that is marked as bad is deployed again if it is named here.
    type: str
  rollback_to:
    description:
      - Release to roll back to, by id, version or commit. It is built from O(repository) if it is
        not on the host, and refused if it is marked as bad.
      - By default the newest good release that was live before the current one.
    type: str
  only_from:
    description:
      - Id of the release that must be live; otherwise nothing is done. So a rollback that was
        decided for one release never takes another one back.
    type: str
  root:
    description:
      - Folder of the releases. Under PM2 with C(releases/), the link C(current), files that all
        releases share in C(shared/), and the records in C(.runbook/).
      - By default it follows from the working directory of the app in PM2. For a link C(current) it
        is the folder of that link, for a checkout C(/srv/app) it is C(/srv/app-releases).
      - Under Docker only C(.runbook/) is there, by default in O(compose_project_dir).
    type: path
  repository:
    description:
      - Path or URL of the app's git repository. Git never asks for a password; use a deploy key.
      - By default the C(origin) of the live release, if that is a checkout.
    type: str
  build:
    description:
      - Commands that build a release, run by C(/bin/sh) in its folder, with the app's environment.
        C(NODE_ENV) is not set for C(npm ci), as most builds need the development dependencies.
    type: list
    elements: str
    default: [npm ci, npm run --if-present build]
  shared:
    description:
      - Files and folders that all releases share, as paths in a release. Each becomes a link to
        the same path below C(shared/) in O(root).
    type: list
    elements: str
    default: []
  health_urls:
    description:
      - URLs that must answer with a status of 2xx, asked on the host itself. For the trial their
        port is replaced. A container is asked at its own address, at the port that the service
        publishes as the one of the first URL, or else at the only port that it has.
    type: list
    elements: str
    default: []
  version_url:
    description:
      - URL that answers with JSON that has C(version) or C(commit), to prove that the new
        release answers. By default this is not checked.
    type: str
  try_first:
    description:
      - Whether to start the release beside the live one before it goes live. A release that was
        never good is only switched to if it was tried.
      - Under Docker the trial shares the volumes and networks of the service. For an app that
        cannot run twice, set this to V(false). Its image is then only proven after the switch.
    type: bool
    default: true
  trial_for:
    description:
      - Seconds for which the release must stay healthy on trial; at most 3600.
      - One second at most for a release that was good before, as users wait for it.
    type: float
    default: 5.0
  start_within:
    description: Seconds within which a started release must be healthy; at most 3600.
    type: float
    default: 30.0
  bake:
    description: Seconds for which the live release is watched after the switch; at most 3600.
    type: float
    default: 10.0
  healthy_share:
    description: Percent of the answers of O(health_urls) that must be healthy during that time.
    type: float
    default: 100.0
  env_example:
    description:
      - File in a release that names the variables it needs, one C(NAME=) a line. Only the names are
        compared with those that the app has. Empty for none.
    type: str
    default: .env.example
  free_disk:
    description: GiB that must be free for a build, or for an image.
    type: float
    default: 1.0
  keep:
    description:
      - Number of releases to keep beside the live one. Older ones are removed after a switch, if
        this module has built them. Of an image, only the local tag C(runbook-...) is removed.
    type: int
    default: 5
  owner:
    description: Who runs this, for the lock and the record.
    type: str
  reason:
    description: Why, for the record.
    type: str
  timeout:
    description: Seconds to wait for an answer of PM2 or Docker; at most 3600.
    type: float
    default: 30.0
  build_timeout:
    description: Seconds for each command of the build, or to pull an image; at most 14400.
    type: float
    default: 1800.0
extends_documentation_fragment:
  - gpt_agent.runbook.pm2
  - gpt_agent.runbook.step
  - gpt_agent.runbook.thresholds
  - gpt_agent.runbook.progress
  - gpt_agent.runbook.compose_project
  - gpt_agent.runbook.compose
  - gpt_agent.runbook.migrations
attributes:
  check_mode:
    support: full
    description:
      - Shows the plan, and whether the guards allow it. The repository is only asked for the
        commit, so what is in the files of a release that is not on the host is not judged.
  diff_mode:
    support: full
    description: Shows the steps before, and those that are left afterwards.
  idempotent:
    support: full
    description: Nothing is done if the app runs in the target.
requirements:
  - PM2 5, 6 or 7, and git if releases are built
notes:
  - Run it as the user who owns PM2 (O(ignore:become_user)). For a plain checkout, this user needs
    write access to the folder that it is in.
  - Two runs never work on the same app at once; the second is told who holds the lock, and since
    when. A killed run leaves the old release live or the new one. The next run completes its
    switch or takes it back before it does anything else.
  - For a switch without a lost request, the app needs two instances in cluster mode, C(wait_ready),
    and must answer the requests it has accepted before it ends.
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
"""

EXAMPLES = r"""
- name: Show what a rollback would do
  gpt_agent.runbook.app_release:
    name: gpt-agent
    state: rolled_back
    health_urls: ["http://127.0.0.1:3000/api/health"]
  check_mode: true
  become: true
  become_user: deploy

- name: Deploy a version
  gpt_agent.runbook.app_release:
    name: gpt-agent
    state: deployed
    version: v1.2.0
    repository: git@git.example.com:gpt-agent.git
    shared: [.env]
    health_urls:
      - http://127.0.0.1:3000/api/health
      - http://127.0.0.1:3000/api/health/db
    version_url: http://127.0.0.1:3000/api/health
    migrations_command: npm run --silent db:migrate:status
  become: true
  become_user: deploy

- name: Roll back an app that runs in two services behind nginx
  gpt_agent.runbook.app_release:
    name: gpt-agent
    backend: docker
    state: rolled_back
    compose_project_dir: /srv/gpt-agent
    services: [blue, green]
    health_urls: ["http://127.0.0.1/api/health"]
  become: true
"""

RETURN = r"""
live:
  description: Id of the release that is live in the end.
  returned: if the releases were found
  type: str
  sample: v1.0.0-3f2a91c
target_release:
  description: Id of the release that was to go live; empty if there was no choice to make.
  returned: if the releases were found
  type: str
  sample: v1.0.0-3f2a91c
proven:
  description: Whether the app runs in the target and has proven that it works.
  returned: if the releases were found
  type: bool
  sample: true
seconds_without_service:
  description: Seconds during the switch in which the app did not answer; none if not measured.
  returned: if the releases were found
  type: float
  sample: 0.0
releases:
  description: The records of all releases.
  returned: for O(state=listed)
  type: list
  elements: dict
  sample:
    - id: v1.0.0-3f2a91c
      version: v1.0.0
      status: good
history:
  description: The last 20 switches, oldest first.
  returned: for O(state=listed)
  type: list
  elements: dict
  sample:
    - at: 1767603600.0
      kind: deploy
      before: ""
      after: v1.0.0-3f2a91c
checks:
  description: The guards, the proof of the release, and C(release.live), what is live in the end.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.live
      subject: /srv/app/current
      status: ok
      value: null
      unit: ""
      warning: null
      critical: null
      direction: ""
      summary: v1.0.0-3f2a91c is live, and good
      remedy: ""
      window: ""
      evidence: []
actions:
  description: The steps, in order.
  returned: always, except for usage errors
  type: list
  elements: dict
  sample:
    - name: release.switch
      subject: gpt-agent
      status: done
      reason: rollback to the last good release; returns to v1.1.0-91cc0de otherwise
      before: v1.1.0-91cc0de
      after: v1.0.0-3f2a91c
      seconds: 14.2
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
from ..module_utils.release.arguments import RELEASE_OPTIONS
from ..module_utils.release.backends.known import backend_of
from ..module_utils.release.checks import CHECKS
from ..module_utils.release.operation import Operation
from ..module_utils.release.options import Options

ARGUMENT_SPEC = {**PROGRESS_OPTION, **RELEASE_OPTIONS}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        options = Options.from_params(module.params)
        thresholds = Thresholds(CHECKS, module.params["thresholds"])
        backend = backend_of(options)
        with progress_reporter(module.params["progress_file"]) as report:
            operation = Operation(options, backend, thresholds, report)
            outcome = operation.preview() if module.check_mode else operation.run()
    except UsageError as error:
        module.fail_json(msg=str(error))
    exit_operation(module, outcome, backend.where)


if __name__ == "__main__":
    main()
