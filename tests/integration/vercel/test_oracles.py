"""The official clients work against the simulator, so it is right about what they use of the API.

Each is installed from npm once, into the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from demo.packages import npm_install, programs
from demo.processes import StackError
from tests.conftest import ROOT
from tests.support.vercel import TOKEN, Vercel
from tests.support.vercel_answers import NAME, PROJECT, SLUG, TEAM

OLD, NEW = "gpt-agent-2bbb.vercel.app", "gpt-agent-3ccc.vercel.app"


def installed(client: str) -> Path:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("npm_config_fetch_retries", "1")  # or it would wait for over a minute
        try:
            return npm_install(ROOT / "tests" / "vercel" / client, print)
        except StackError as error:
            pytest.skip(f"npm cannot get {client}: {str(error)[:300]}")


def node() -> str:
    return str(programs(lambda folder: folder).node)


def test_the_sdk(vercel: Vercel) -> None:
    """It validates every answer against the published specification."""
    modules = installed("vercel-sdk")
    vercel.project.deployments[0].log = ["npm run build", "Error: no"]
    given = {"ADDRESS": vercel.address, "TOKEN": TOKEN, "TEAM": TEAM, "PROJECT": PROJECT}
    with (ROOT / "tests/vercel/vercel-sdk/calls.mjs").open("rb") as script:
        done = subprocess.run(
            [node(), "--input-type=module"],
            stdin=script,
            cwd=modules.parent,
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    assert json.loads(done.stdout) == {
        "job": None,
        "deployments": [["dpl_3third", True, "PROMOTED"], ["dpl_2second", True, "PROMOTED"]],
        "deployment": ["dpl_1first", PROJECT, "READY", "production"],
        "domains": ["your-domain.com", "gpt-agent.vercel.app"],
        "alias": "dpl_3third",
        "variables": ["API_KEY"],
        "events": ["Error: no", "npm run build"],
        "rollback": None,
        "rolled back": ["rollback", "succeeded", "dpl_2second"],
        "promote": None,
        "promoted": ["promote", "succeeded", "dpl_3third"],
        "moved": ["completed", "completed"],
    }


def test_the_command_line(vercel: Vercel, tmp_path: Path) -> None:
    program = installed("vercel-cli") / "vercel" / "dist" / "vc.js"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [node(), program, *arguments, "--api", vercel.address, "--scope", SLUG],
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "CI": "1",
                "NO_UPDATE_NOTIFIER": "1",
                "VERCEL_TELEMETRY_DISABLED": "1",
                "VERCEL_TOKEN": TOKEN,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    listed = run("list", NAME, "--prod")
    assert listed.stdout.split()[:2] == [f"https://{NEW}", f"https://{OLD}"], listed.stderr
    back = run("rollback", OLD, "--yes")
    assert f"was rolled back to {OLD}" in back.stderr, back.stderr
    assert (back.returncode, vercel.live) == (0, "dpl_2second")
    forward = run("promote", NEW, "--yes")
    assert (forward.returncode, vercel.live) == (0, "dpl_3third"), forward.stderr
    # What our module must not do: it takes a job that was skipped for a success.
    vercel.job_ends = "skipped"
    skipped = run("rollback", OLD, "--yes")
    assert (skipped.returncode, vercel.live) == (0, "dpl_3third"), skipped.stderr
    assert "Rollback was skipped" in skipped.stderr
