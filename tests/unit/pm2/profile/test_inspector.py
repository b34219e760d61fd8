"""Which processes must never get SIGUSR1."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.deadline import Deadline
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import Refused
from ansible_collections.gpt_agent.runbook.plugins.module_utils.pm2.profile.inspector import (
    ask,
    obstacle,
    open_inspector,
)


def test_a_process_that_is_no_node() -> None:
    assert "opens an inspector in Node.js only" in obstacle(os.getpid())
    assert "cannot be examined" in obstacle(2**22)


def test_the_signal_is_not_sent() -> None:
    code = "print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(Refused, match=r"Node\.js only"):
            open_inspector(process.pid, "", Deadline(5))
        assert process.poll() is None
        process.kill()


def test_a_port_on_which_nothing_listens() -> None:
    assert ask(1, ours=True) is None
