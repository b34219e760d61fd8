# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a step failed, in one line from what Ansible and the host said, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...module_utils.core.text import redact, shorten
from .mistakes import in_our_words
from .parse import plain

#: Longest message of a failed step in the report; the output of the run has all of it.
MESSAGE_LENGTH = 500

#: What ansible-core puts before every reason.
_ANSIBLE_PREFIX = re.compile(r"^(?:(?:Task|Action|Module) failed: )+")
#: Ansible's message for a host that was lost while a connection to it was open.
_NO_PROMPT = re.compile(r"Timeout \((\d+)s\) waiting for privilege escalation prompt.*", re.DOTALL)
_NO_PROMPT_TEXT = r"no answer within \1 s, not even sudo's prompt: the host is unreachable or hangs"
#: Ansible's message for a module that printed something else than its result.
_NO_RESULT = re.compile(r"MODULE FAILURE|deserialization failed|No start of json char found")
_PYTHON_TOO_OLD = (
    "the Python on this host is too old for Ansible; this collection needs Python 3.9 or newer"
)

#: Remedies by what the message says; the first that matches.
_REMEDIES = (
    (
        re.compile(r"Incorrect (?:sudo|su|doas|become) password"),
        "The host rejects the password given with -K or in ansible_become_password: correct it for "
        "this host.",
    ),
    (
        re.compile(r"Missing (?:sudo|su|doas|become) password|password is required"),
        "Run the playbook with -K, which asks for the password, or set ansible_become_password in "
        "a vault.",
    ),
    (
        re.compile(r"must have a tty|no tty present"),
        "Remove requiretty for the login user from the host's sudoers, or set "
        "ansible_pipelining: false for the host.",
    ),
    (
        re.compile(r"Failed to set (?:file mode or acl|permissions) on the temporary files"),
        "Set ansible_pipelining: true for the host, or install the package 'acl' there.",
    ),
    (
        re.compile(r"the variable '[^']+' is undefined"),
        "Set that variable in the inventory or the vault, or correct its name where it is used.",
    ),
    (
        re.compile(r"interpreter .*not found|Python on this host is too old|needs Python 3"),
        "Set ansible_python_interpreter to a Python 3.9 or newer on the host.",
    ),
)

#: The same for a host that Ansible cannot log in to.
_LOGIN_REMEDIES = (
    (
        re.compile(r"Permission denied \(|Too many authentication failures|Invalid/incorrect pass"),
        "The host is up, but rejects this login: check ansible_user, and that the public key is in "
        "that user's authorized_keys.",
    ),
    (
        re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .*changed", re.IGNORECASE),
        "The host was reinstalled, or another one answers at its address. Once you know which, "
        "remove the old key with 'ssh-keygen -R HOST' and log in once.",
    ),
    (
        re.compile(r"host key is known|Host key verification failed"),
        "Log in once with 'ssh HOST' and compare the fingerprint, or add the host's key to "
        "known_hosts.",
    ),
    (
        re.compile(r"Could not resolve hostname"),
        "Correct the host's name or ansible_host in the inventory, or its DNS record.",
    ),
    (
        re.compile(r"port \d+: Connection refused"),
        "The host is up, but no SSH server listens on that port: check ansible_port, or start the "
        "SSH server from the host's console.",
    ),
    (
        re.compile(r"port \d+: (?:No route to host|Network is unreachable|Connection timed out)"),
        "Check on its console or at the provider that the host is up; then ansible_host, the "
        "network and the firewall.",
    ),
)


def reason(result: Mapping[str, Any]) -> str:
    """Why a step failed or a host is unreachable, without secrets.

    A module that ended without a result is explained by the last line that the host printed.
    """
    message = plain(result.get("msg")) or plain(result.get("stderr")) or "failed without a message"
    text = message if isinstance(message, str) else repr(message)
    if result.get("unreachable"):
        text = next((line for line in text.splitlines() if line.strip()), text)
        text = _NO_PROMPT.sub(_NO_PROMPT_TEXT, text)
    elif _NO_RESULT.search(text):
        text = _printed(result) or text
    return shorten(redact(in_our_words(_ANSIBLE_PREFIX.sub("", text))), MESSAGE_LENGTH)


def remedy(message: str) -> str:
    """What to do about a failed step; empty if the message says it all."""
    return next((text for pattern, text in _REMEDIES if pattern.search(message)), "")


def login_remedy(message: str) -> str:
    """What to do about a host that cannot be reached; empty if the message does not say why."""
    return next((text for pattern, text in _LOGIN_REMEDIES if pattern.search(message)), "")


def _printed(result: Mapping[str, Any]) -> str:
    """What a module printed instead of its result."""
    errors, output = (
        str(plain(result.get(name)) or "").strip() for name in ("module_stderr", "module_stdout")
    )
    lines = (errors or output).splitlines()
    last = lines[-1].strip() if lines else "nothing"
    if last.startswith("SyntaxError"):
        return _PYTHON_TOO_OLD
    code = result.get("rc")
    return f"the module ended without a result (exit code {code}); the host printed: {last}"
