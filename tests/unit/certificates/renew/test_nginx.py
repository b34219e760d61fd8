"""The deploy hook: it reloads only what is valid, and certbot never finds half of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.nginx import (
    hook_difference,
    hook_text,
    problem_of,
    write_hook,
)


def test_the_hook_reloads_only_a_valid_configuration(tmp_path: Path) -> None:
    path, mark = tmp_path / "hooks" / "deploy" / "mine", tmp_path / "reloaded"
    for check, code, said in ((["true"], 0, ""), (["sh", "-c", "echo no; exit 1"], 1, "no\n")):
        mark.unlink(missing_ok=True)
        write_hook(str(path), hook_text(check, ["touch", str(mark)]))
        done = subprocess.run([str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
        assert mark.exists() == (code == 0)


def test_the_hook_is_written_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "hooks" / "deploy" / "mine"
    text = hook_text(["nginx", "-t"], ["systemctl", "reload", "nginx"])
    assert hook_difference(str(path), text) == ("", "there is none")
    write_hook(str(path), text)
    assert hook_difference(str(path), text) == (text, "")
    path.chmod(0o644)
    assert "its mode is 0644" in hook_difference(str(path), text)[1]
    path.write_text("mine")
    assert hook_difference(str(path), text) == ("mine", "it has other content")
    assert [one.name for one in path.parent.iterdir()] == ["mine"]
    assert [one.name for one in path.parent.parent.iterdir()] == ["deploy"]


def test_nginx_own_words() -> None:
    script = 'echo "nginx: [warn] x"; echo "nginx: [emerg] unknown directive in /etc/n:3"; exit 1'
    assert problem_of(["sh", "-c", script]).endswith(
        "says: unknown directive in /etc/n:3 (exit code 1)"
    )
    assert problem_of(["true"]) == ""
    assert problem_of(["/nowhere/nginx"]) == (
        "/nowhere/nginx cannot be started: No such file or directory"
    )
