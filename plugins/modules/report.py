#!/usr/bin/python
# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the report of a playbook from what its steps found and did
version_added: "0.1.0"
author:
  - The gpt_agent.runbook contributors (@gpt-agent)
description:
  - Collects the checks and actions that the steps of the playbook registered on every host of the
    play, and writes them as JSON, as one HTML page and as Markdown, on request also as JUnit XML
    and for Prometheus.
  - A step is a task whose registered variable starts with two underscores and whose result has
    C(checks) or C(actions), or is failed or unreachable. Nothing else is needed to pass results on.
    A loop is one step with several results.
  - A check replaces one of the same host, name and subject that an earlier step made. If the later
    one is C(unknown) and the earlier one found a problem, both are reported.
  - What could not be checked counts. An unreachable host is the critical check C(host.reachable).
    A failed step, a host that dropped out of the run, a host without results, and a step that
    returned an invalid check or action are the critical check C(runbook.step).
  - The message of a failed step that names an option also names the variable it was set by, such as
    C(postgres_maintenance_jobs) or C(runbook_timeout).
  - The verdict is the worst status of all checks; an action that failed is critical.
  - Sets the statistics C(runbook_verdict), C(runbook_counts), C(runbook_action_counts) and
    C(runbook_report), the path of the JSON file, like M(ansible.builtin.set_stats), so that
    workflows in AWX can branch on them.
  - An option that cannot be used, and a report that cannot be written, do not cost the report. The
    default is used, or the report is printed, and RV(failing) is true with the reason in
    RV(message).
  - Without the callback P(gpt_agent.runbook.summary#callback), the task prints the report itself.
  - A bad verdict does not fail this task, because Ansible drops the statistics of a failed task. It
    returns RV(failing) and RV(message); the role P(gpt_agent.runbook.report#role) fails the run
    with them.
options:
  report_dir:
    description:
      - Folder for the reports, on the controller. A relative path starts at the working directory
        of the run.
      - Each playbook has its own folder in it, with the files C(<UTC time>.json), C(.html) and
        C(.md), and C(latest) of each.
      - Folders are created with mode 0750, files with mode 0640.
    type: path
    default: reports
  playbook:
    description:
      - Name of the playbook in paths and labels.
      - Letters, digits, C(.), C(_) and C(-) only.
      - Defaults to the file name of the running playbook without its extension.
    type: str
  title:
    description:
      - Title of the report.
      - Defaults to O(playbook) in words.
    type: str
  fail_on:
    description:
      - Verdict from which on the run fails.
      - V(critical) fails it for critical checks and failed actions, V(warning) for warnings too,
        V(unknown) for anything that is not ok, V(never) for nothing.
    type: str
    choices: [critical, warning, unknown, never]
    default: critical
  formats:
    description:
      - Formats to write besides JSON, HTML and Markdown.
      - V(junit) is for the test pages of CI systems, in a file C(.xml).
      - V(prometheus) is Prometheus' text format, in a file C(.prom).
    type: list
    elements: str
    choices: [junit, prometheus]
    default: []
  textfile:
    description:
      - Path of a file, ending in C(.prom), for the textfile collector of Prometheus' node_exporter
        on the controller.
      - It is replaced in one step and readable for everyone. Its folder must exist.
    type: path
  keep:
    description:
      - Number of reports of this playbook to keep, the newest ones; V(0) keeps all.
      - Only files that are named like a report are ever removed.
    type: int
    default: 90
  problem:
    description:
      - Something that went wrong while the report's own options were evaluated. It is added to
        RV(message), and RV(failing) is true.
    type: str
attributes:
  check_mode:
    support: full
    description: Writes the same report, with a note that nothing was changed.
  diff_mode:
    support: none
    description: A report is new each time.
  idempotent:
    support: none
    description: Each run writes its own report. C(changed) is V(false), since no host was changed.
  action:
    support: full
    description: Runs on the controller only; no connection to any host is made.
  bypass_host_loop:
    support: full
    description:
      - One report covers all hosts of the play, so this runs once. It cannot be used with the
        strategy P(ansible.builtin.free#strategy).
  platform:
    support: full
    description: The controller, on any platform that Ansible runs on.
    platforms: posix
notes:
  - Put it into a play of its own at the end of the playbook, for all hosts of the plays before it.
  - Set C(ignore_unreachable) and C(ignore_errors) in plays of probes. Hosts with problems then stay
    in the run, and there is a report even if all hosts have problems. The report counts what was
    ignored.
  - The callback P(gpt_agent.runbook.summary#callback) prints the report at the end of the run and
    notes when the run started.
seealso:
  - name: The report
    description: Files, schema, exit codes, statistics and names of metrics.
    link: https://github.com/gpt-agent/ansible-runbook/blob/main/docs/report.md
"""

EXAMPLES = r"""
- name: Check the hosts
  hosts: app_servers:database_servers
  gather_facts: false
  ignore_errors: true
  ignore_unreachable: true
  tasks:
    - name: Check the host
      gpt_agent.runbook.host_health:
      register: __host_health

- name: Report
  hosts: app_servers:database_servers
  gather_facts: false
  tasks:
    - name: Write the report
      gpt_agent.runbook.report:
        title: Hosts of the platform
        textfile: /var/lib/node_exporter/textfile_collector/runbook_hosts.prom
      register: __report_written

    - name: Fail if the verdict reaches fail_on
      ansible.builtin.fail:
        msg: "{{ __report_written.message }}"
      when: __report_written.failing
      run_once: true
"""

RETURN = r"""
verdict:
  description: Worst status of all checks; V(critical) also where an action failed.
  returned: success
  type: str
  sample: warning
failing:
  description: Whether the verdict reaches O(fail_on).
  returned: success
  type: bool
  sample: false
message:
  description: The verdict in one line, with the path of the report.
  returned: success
  type: str
  sample: >-
    warning: 1 of 41 checks is warning; report:
    /srv/runbook/reports/daily_checklist/2026-11-23T06-00-00Z.html
counts:
  description: Number of checks by status.
  returned: success
  type: dict
  sample: {ok: 40, unknown: 0, warning: 1, critical: 0}
action_counts:
  description: Number of actions by status.
  returned: success
  type: dict
  sample: {planned: 0, done: 0, skipped: 0, failed: 0}
paths:
  description: The files written, absolute, by format.
  returned: success
  type: dict
  sample:
    html: /srv/runbook/reports/daily_checklist/2026-11-23T06-00-00Z.html
    json: /srv/runbook/reports/daily_checklist/2026-11-23T06-00-00Z.json
    markdown: /srv/runbook/reports/daily_checklist/2026-11-23T06-00-00Z.md
"""
