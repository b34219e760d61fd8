# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of nginx and of an app under PM2, rotated by Debian's logrotate while both are busy."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

#: The second in the name of what was rotated.
DATED = re.compile(r"-\d{8}-(\d{10})$")
PM2 = "runuser -u deploy -- env PM2_HOME=/home/deploy/.pm2 HOME=/home/deploy pm2"
KILLED_AFTER = ("0.01", "0.03", "0.1", "0.2", "0.4")
#: Writes numbered lines, thousands in a second; says how many when it is told to stop.
APP = """
let number = 0;
const timer = setInterval(() => {
  for (let some = 0; some < 10; some++) console.log(`number ${number++}!`);
  if (require('fs').existsSync('/tmp/numbers.stop')) {
    clearInterval(timer);
    require('fs').writeFileSync('/tmp/numbers.count', String(number));
  }
}, 1);
setInterval(() => {}, 1000);
"""
#: Numbered requests, thousands in a second; each that nginx answers is one line of its log.
CLIENT = """
import http.client, os, sys, time
connection, number = http.client.HTTPConnection('app.staging.test', timeout=10), 0
while not os.path.exists('/tmp/numbers.stop'):
    connection.request('GET', f'/?{sys.argv[1]}={number}!')
    connection.getresponse().read()
    number += 1
    if number % 10 == 0:
        time.sleep(0.001)  # leave some of the processor to the rotation
    if number % 500 == 0:
        connection.close()  # before nginx does
open('/tmp/requests.count', 'w').write(str(number))
"""
#: How often each number is in the files of a log: beside it, and in the archive.
COUNT = """
import collections, glob, gzip, json, re, sys
found = collections.Counter()
for pattern in sys.argv[2:]:
    for path in glob.glob(pattern):
        if not path.endswith('.sha256'):
            data = (gzip.open if path.endswith('.gz') else open)(path, 'rb').read()
            found.update(int(n) for n in re.findall(sys.argv[1].encode() + rb'(\\d+)!', data))
print(json.dumps([max(found) + 1, len(found), max(found.values())]))
"""


def rotate(playbook: Callable[..., Any], *arguments: str, **more: Any) -> Any:
    return playbook("log_rotation", "--limit", "app", "-e", json.dumps(more), *arguments)


def done(run: Any) -> Counter[tuple[str, str]]:
    return Counter((action["name"], action["status"]) for action in run.report["actions"])


def status(run: Any, name: str) -> str:
    (found,) = [each for each in run.report["checks"] if each["name"] == name]
    return str(found["status"])


@pytest.fixture
def busy(app: Host, put_file: Callable[[str, str, bytes], None]) -> Iterator[str]:
    """A writer under PM2, and a client of nginx; both stop when there is a file numbers.stop.

    Yields what the client's requests are known by.
    """
    mark = secrets.token_hex(4)
    put_file("app", "/tmp/numbers.js", APP.encode())
    put_file("app", "/tmp/client.py", CLIENT.encode())
    put_file("app", "/tmp/count.py", COUNT.encode())
    logs = "-o /var/log/gpt-agent/numbers.log -e /var/log/gpt-agent/numbers-error.log"
    app.check_output(f"cd /tmp && {PM2} start /tmp/numbers.js --name numbers -i 1 {logs}")
    app.check_output(f"systemd-run --quiet --unit numbers-client python3 /tmp/client.py {mark}")
    yield mark
    app.check_output("touch /tmp/numbers.stop")
    app.run(f"cd /tmp && {PM2} delete numbers")
    app.check_output("rm -f /tmp/numbers* /tmp/client.py /tmp/count.py /tmp/requests.count")
    app.check_output("rm -f /var/log/gpt-agent/numbers*")


def numbers(app: Host, mark: str, *patterns: str) -> list[int]:
    """How many there should be, how many there are, and how often the most frequent is there."""
    quoted = " ".join(f"'{pattern}'" for pattern in patterns)
    found: list[int] = json.loads(app.check_output(f"python3 /tmp/count.py '{mark}' {quoted}"))
    return found


def rotated_by_itself(app: Host) -> None:
    """As it is every night: by Debian's service, which permits little to what it starts."""
    long_ago = r"sed -i -E 's#^(\"/var/log/(gpt-agent|nginx)/.*\") .*#\1 2020-1-1-0:0:0#'"
    app.check_output(f"{long_ago} /var/lib/logrotate/status")
    # A second rotation in the same second is refused, as it would have the same name.
    second = int(app.check_output("sleep 1; date +%s"))
    started = app.run("systemctl start logrotate.service")
    journal = "journalctl --unit logrotate.service --lines 30 --no-pager --output cat"
    assert started.rc == 0, app.run(journal).stdout
    names = app.check_output("ls /var/log/gpt-agent/numbers* /var/log/nginx/access*")
    new = [name for name in names.split() if int((DATED.findall(name) or "0")[0]) >= second]
    assert len(new) == 2, names


def test_logs_that_debian_rotates_are_left_to_it(
    app: Host, playbook: Callable[..., Any], archive: str, config: str
) -> None:
    found = rotate(playbook, "--check", logs_force=True)
    (check,) = [one for one in found.report["checks"] if one["name"] == "logs.configuration"]
    assert check["status"] == "warning", found.output
    named = json.dumps(check)
    assert "/etc/logrotate.d/gpt-agent " in named
    assert "/etc/logrotate.d/nginx " in named
    assert (found.code, done(found)) == (0, Counter())
    assert not app.file(config).exists


def test_every_line_of_a_busy_log_is_in_one_place(
    app: Host,
    playbook: Callable[..., Any],
    alone: None,
    archive: str,
    config: str,
    busy: str,
) -> None:
    first = rotate(playbook, logs_force=True, logs_keep=0)
    assert (first.code, status(first, "logs.released")) == (0, "ok"), first.output
    assert done(first)["logs.rotate", "done"] >= 2
    assert done(first)["logs.archive", "done"] >= done(first)["logs.rotate", "done"]
    for seconds in KILLED_AFTER:
        app.run(f"timeout --signal=KILL {seconds} logrotate --force {config}")
    rotated_by_itself(app)
    last = rotate(playbook, logs_force=True, logs_keep=1)
    assert (last.code, status(last, "logs.released")) == (0, "ok"), last.output
    again = rotate(playbook, logs_keep=1)
    assert (again.code, done(again)) == (0, Counter()), again.output
    assert app.run("logrotate --debug /etc/logrotate.conf 2>&1 | grep ^error").stdout == ""

    app.check_output("touch /tmp/numbers.stop")
    wait = "for i in $(seq 100); do test -s {0} && break; sleep 0.1; done; cat {0}"
    lines = int(app.check_output(wait.format("/tmp/numbers.count")))
    requests = int(app.check_output(wait.format("/tmp/requests.count")))
    assert numbers(
        app, "number ", "/var/log/gpt-agent/numbers*", f"{archive}/var/log/gpt-agent/numbers*"
    ) == [lines, lines, 1]
    assert numbers(
        app, f"{busy}=", "/var/log/nginx/access.log*", f"{archive}/var/log/nginx/access*"
    ) == [requests, requests, 1]
    proofs = f"find {archive} -name '*.sha256' -execdir sha256sum --check --strict --quiet {{}} +"
    app.check_output(proofs)
    assert app.check_output("find /var/log/gpt-agent ! -user deploy -print") == ""
