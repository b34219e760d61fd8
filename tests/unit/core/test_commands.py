"""Whether a command that the operator names can be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.commands import not_runnable


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ((), ""),
        (("true",), ""),
        (("/bin/sh", "-c", "secret"), ""),
        (("$NO_SUCH_VARIABLE/nothere", "secret"), "$NO_SUCH_VARIABLE/nothere does not exist"),
        (("/tmp-nothere/x",), "/tmp-nothere/x does not exist"),
        (("/bin/sh/x",), "/bin/sh/x cannot be run: Not a directory"),
        (("/",), "/ is no file"),
        (("no-such-program", "secret"), "no-such-program is not in the PATH"),
        (("docker restart secret",), "docker and its arguments are one item, and must be one each"),
    ],
)
def test_a_command(command: tuple[str, ...], reason: str) -> None:
    assert not_runnable(command) == reason


def test_a_file_that_nobody_may_run(tmp_path: Path) -> None:
    script = tmp_path / "my restart"
    script.write_text("#!/bin/sh\n")
    assert not_runnable([str(script)]) == f"{script} is not executable"
    script.chmod(0o700)
    assert not_runnable([str(script)]) == ""
