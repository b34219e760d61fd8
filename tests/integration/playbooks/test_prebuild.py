"""The callback that builds a play's modules while its first tasks run."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.callback.prebuild import included
from tests.conftest import ROOT

#: Its second task needs a module, which is awaited in Ansible's cache before that task starts.
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Wait until the module of the next task is built
      ansible.builtin.command:
        argv:
          - sh
          - -c
          - |
            for attempt in $(seq 300); do
                for built in "$0"/ansible-local-*/ansiballz_cache/*.host_health-*none; do
                    test -e "$built" && exit 0
                done
                sleep 0.1
            done
            exit 1
          - "{{ cache }}"
    - name: First module
      gpt_agent.runbook.host_health:
    - name: Second module
      block:
        - gpt_agent.runbook.pm2_health:
            pm2_home: /nowhere
"""

#: Builds two modules that share files, with the function of the callback that is its argument.
BUILD = """
import os
import sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([os.path.abspath("collections")])
from ansible_collections.gpt_agent.runbook.plugins.callback import prebuild
names = ["gpt_agent.runbook.host_health", "gpt_agent.runbook.pm2_health"]
if sys.argv[1] == "ahead":
    prebuild.build_all(names)
else:
    for name in names:
        prebuild.build(name)
os._exit(0)  # leaves the cache
"""


def play(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "play.yml").write_text(PLAY)
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [program, "-i", "localhost,", "-c", "local", str(folder / "play.yml")]
    return subprocess.run(
        [*command, "-e", f"cache={folder}", "-e", f"ansible_python_interpreter={sys.executable}"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.versions
def test_a_module_is_built_before_its_task_starts(tmp_path: Path) -> None:
    done = play(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok=3" in done.stdout
    assert done.stderr == ""
    assert not [*tmp_path.glob("ansible-local-*")]


def test_a_play_does_not_depend_on_it(tmp_path: Path) -> None:
    """The process that builds is killed at its start; the tasks build their modules themselves."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os\n"
        "fork = os.fork\n"
        "def fork_and_stop():\n"
        "    import inspect, signal\n"
        "    child = fork()\n"
        "    if not child and 'prebuild' in inspect.stack()[1].filename:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return child\n"
        "os.fork = fork_and_stop\n"
    )
    (tmp_path / "ansible-local-0" / "ansiballz_cache").mkdir(parents=True)
    (tmp_path / "ansible-local-0" / "ansiballz_cache" / "x.host_health-x-none").touch()
    done = play(tmp_path, PYTHONPATH=str(broken))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok=3" in done.stdout
    assert done.stderr == ""


@pytest.mark.versions
def test_it_builds_what_ansible_builds(tmp_path: Path) -> None:
    ahead, by_tasks = built(tmp_path, "ahead"), built(tmp_path, "by tasks")
    assert [*ahead] == ["host_health", "pm2_health"]
    assert ahead == by_tasks


def built(folder: Path, how: str) -> dict[str, dict[str, bytes]]:
    """The files that each module ships, by module and path."""
    cache = folder / how
    cache.mkdir()
    subprocess.run(
        [sys.executable, "-c", BUILD, how],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_LOCAL_TEMP": str(cache)},
        timeout=120,
        check=True,
    )
    modules = {}
    for path in sorted(cache.glob("ansible-local-*/ansiballz_cache/*none")):
        encoded = re.search(rb"UEsDB[A-Za-z0-9+/=]+", path.read_bytes())
        assert encoded, "no zip file in Base64"
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded[0]))) as module:
            modules[path.name.partition("-")[0].rpartition(".")[2]] = {
                name: module.read(name) for name in module.namelist()
            }
    return modules


def test_the_modules_of_what_a_play_includes_are_found() -> None:
    """Also through tasks that the included ones include, and from the role's own folder."""
    role = {"name": "gpt_agent.runbook.maintenance", "tasks_from": "parts"}
    found = [*included("ansible.builtin.include_role", role, "")]
    assert found[0] == "gpt_agent.runbook.maintenance_run"
    assert {"gpt_agent.runbook.npm_check", "gpt_agent.runbook.pg_maintenance"} <= set(found)
    tasks = {"_raw_params": "parts/part.yml"}
    assert [*included("ansible.builtin.include_tasks", tasks, "maintenance")] == found
    assert [*included("ansible.builtin.include_role", {"name": "{{ any }}"}, "")] == []
    assert [*included("ansible.builtin.ping", {}, "")] == []
