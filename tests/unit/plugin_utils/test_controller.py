"""Whether the process of another playbook still runs."""

from __future__ import annotations

import os
import subprocess

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.controller import identity, is_dead


def test_a_process_is_dead_once_it_does_not_run_any_more() -> None:
    here = identity()
    assert not is_dead(here["pid"], here["started"], here["place"])
    assert is_dead(here["pid"], "1", here["place"]), "another process has its number"
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert is_dead(ended.pid, "1", here["place"])


def test_a_process_that_was_not_collected_is_dead() -> None:
    here = identity()
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(zombie.pid, "1", here["place"])
    zombie.wait()


def test_a_run_whose_playbook_was_dead_when_it_began_is_dead() -> None:
    here = identity()
    assert is_dead(2**22 + 1, "", here["place"])


def test_nothing_is_known_of_processes_elsewhere() -> None:
    assert not is_dead(1, "1", "")
    assert not is_dead(1, "1", "another boot pid:[7]")
