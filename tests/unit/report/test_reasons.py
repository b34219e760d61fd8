"""Why a step failed, from what Ansible and the host said, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.plugin_utils.report.reasons import (
    MESSAGE_LENGTH,
    login_remedy,
    reason,
    remedy,
)

NO_RESULT = (
    "Task failed: Action failed: Module result deserialization failed: No start of json char"
)


def ended(stderr: str = "", stdout: str = "", code: int = 1) -> dict[str, Any]:
    """The result of a module that ended without one."""
    return {"msg": NO_RESULT, "module_stderr": stderr, "module_stdout": stdout, "rc": code}


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"msg": "Task failed: Module failed: no such option"}, "no such option"),
        ({"stderr": "it broke"}, "it broke"),
        ({}, "failed without a message"),
        (
            ended(stderr="Traceback\n  File x\n\nsudo: sorry, you must have a tty to run sudo\n"),
            "the module ended without a result (exit code 1); the host printed: "
            "sudo: sorry, you must have a tty to run sudo",
        ),
        (
            ended(stdout="/bin/sh: 1: sudo: not found\n", code=127),
            "the module ended without a result (exit code 127); the host printed: "
            "/bin/sh: 1: sudo: not found",
        ),
        (
            ended(stdout="", code=137),
            "the module ended without a result (exit code 137); the host printed: nothing",
        ),
        (
            ended(stderr='  File "x.zip/ansible/y.py", line 5\nSyntaxError: invalid syntax'),
            "the Python on this host is too old for Ansible; this collection needs Python 3.9 or "
            "newer",
        ),
        ({"msg": "redis://:hunter2@cache:6379 refused"}, "redis://***@cache:6379 refused"),
        (ended(stderr="redis://:hunter2@cache"), "redis://***@cache"),
    ],
)
def test_the_reason_is_one_line_that_says_what_happened(result: dict[str, Any], text: str) -> None:
    assert reason(result).endswith(text)
    assert "\n" not in reason(result)
    assert len(reason({**result, "msg": str(result.get("msg")) + "x" * 999})) <= MESSAGE_LENGTH


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("Missing sudo password", "Run the playbook with -K"),
        ("Incorrect sudo password", "correct it"),
        ("redis_url: the variable 'vault_word' is undefined", "Set that variable"),
        ("Task failed: Premature end of stream: sudo: a password is required", "-K"),
        ("sudo: sorry, you must have a tty to run sudo", "requiretty"),
        (
            "Failed to set permissions on the temporary files Ansible needs to create",
            "ansible_pipelining: true",
        ),
        ("The module interpreter '/opt/python' was not found.", "ansible_python_interpreter"),
        ("jobs: 0 is not a number of workers", ""),
    ],
)
def test_the_remedy_follows_the_reason(message: str, hint: str) -> None:
    assert hint in remedy(message)
    assert bool(remedy(message)) == bool(hint)


#: What OpenSSH printed on Debian 12 and 13.
SSH = "Failed to connect to the host via ssh: "


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("ops@10.0.0.1: Permission denied (publickey).", "check ansible_user"),
        ("ssh: connect to host db1 port 22: No route to host", "that the host is up"),
        ("ssh: connect to host db1 port 22: Connection timed out", "that the host is up"),
        ("ssh: connect to host db1 port 2222: Connection refused", "check ansible_port"),
        ("ssh: Could not resolve hostname db1: Name or service not known", "ansible_host"),
        (
            "No ED25519 host key is known for db1 and you have requested strict checking.",
            "known_hosts",
        ),
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "ssh-keygen -R"),
        ("kex_exchange_identification: read: Connection reset by peer", ""),
    ],
)
def test_the_remedy_of_a_lost_host_follows_what_ssh_says(message: str, hint: str) -> None:
    assert hint in login_remedy(SSH + message)
    assert bool(login_remedy(SSH + message)) == bool(hint)
