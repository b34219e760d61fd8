"""app_release against the runbook's recipe: git checkout, npm ci, build and pm2 restart in place.

Both move the same app, under the same PM2, from its newest version to the one before. Beside the
demo's own server the app has a front end that Next.js builds, as apps of this kind have, so that
packages and build take the time that they take there.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measurement import MeasurementFailed, Setup, run_module
from benchmarks.traffic import watched
from demo.stack import Stack

NEW, OLD = "2.1.0", "2.0.0"
FRONT_END = {"next": "15.5.29", "react": "19.0.9", "react-dom": "19.0.9", "typescript": "5.9.3"}
PAGE = "export default function Page() { return <p>Agents</p>; }\n"
BUILD = "npm run build"


@dataclass(frozen=True)
class Rollback:
    """What one rollback meant for the users."""

    requests: int
    failed: int
    without_service: float
    """Seconds from each failed request to the next that was answered."""
    slowest: float
    """Seconds that the slowest answer took."""
    until_good: float
    """Seconds until the old version alone answered."""
    in_total: float


@dataclass(frozen=True)
class App:
    """One of the two apps under PM2."""

    name: str
    port: int
    cwd: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/health"


def measure(setup: Setup) -> None:
    with _demo(setup.work / "demo") as stack:
        source = _repository(setup, stack)
        ours, theirs = _ours(stack), _theirs(setup, stack, source)
        _release(stack, ours, source, "deployed", version=f"v{OLD}")
        found: dict[str, list[Rollback]] = {"ours": [], "theirs": []}
        for _ in range(min(setup.rounds, 3)):
            _release(stack, ours, source, "deployed", version=f"v{NEW}")
            _in_place(stack, theirs, NEW)
            rolled_back = _watched(
                ours, lambda: _release(stack, ours, source, "rolled_back", rollback_to=f"v{OLD}")
            )
            found["ours"].append(rolled_back)
            found["theirs"].append(_watched(theirs, lambda: _in_place(stack, theirs, OLD)))
        _judge(setup, found["ours"], found["theirs"])


def _judge(setup: Setup, ours: list[Rollback], theirs: list[Rollback]) -> None:
    failed = sum(one.failed for one in ours)
    requests = sum(one.requests for one in ours)
    others = f"{sum(one.failed for one in theirs)} of {sum(one.requests for one in theirs)}"
    figures = f"{failed} of {requests}, the recipe {others}"
    setup.promises.at_most("failed requests of a rollback under PM2", failed, 0, figures)
    gap = statistics.median(one.without_service for one in ours)
    their_gap = statistics.median(one.without_service for one in theirs)
    slowest, their_slowest = (max(one.slowest for one in side) for side in (ours, theirs))
    figures = (
        f"{gap:.2f} s, the recipe {their_gap:.2f} s; the slowest answers took {slowest:.2f} s and "
        f"{their_slowest:.2f} s"
    )
    setup.promises.at_most("seconds without service during a rollback", gap, 0, figures)
    time_ours = statistics.median(one.until_good for one in ours)
    time_theirs = statistics.median(one.until_good for one in theirs)
    total = statistics.median(one.in_total for one in ours)
    setup.promises.at_most(
        "time until only the good version answers, a built release / the recipe",
        time_ours / time_theirs,
        0.25,
        f"{time_ours:.1f} s / {time_theirs:.1f} s; ours takes {total:.1f} s with its watch",
    )


@contextmanager
def _demo(folder: Path) -> Iterator[Stack]:
    stack = Stack(folder)
    stack.up()
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{stack.settings['directory']}/bin:{before}"  # its node and npm
    try:
        yield stack
    finally:
        os.environ["PATH"] = before
        stack.down()


def _repository(setup: Setup, stack: Stack) -> Path:
    """A copy of the app's repository with two versions more, which have a front end."""
    source = setup.work / "repository"
    shutil.copytree(stack.settings["app"]["repository"], source)
    _run(source, "git", "checkout", "--quiet", "v1.1.0")
    package = json.loads((source / "package.json").read_text())
    package["dependencies"] |= FRONT_END
    package["scripts"]["build"] += " && next build"
    (source / "pages").mkdir()
    (source / "pages" / "index.js").write_text(PAGE)
    (source / ".gitignore").write_text("node_modules\ndist\n.env\n.next\n")
    files = [source / "package.json", source / "package-lock.json"]
    package["version"] = OLD
    files[0].write_text(json.dumps(package, indent=2))
    _run(source, "npm", "install", "--package-lock-only", "--no-audit", "--no-fund")
    for version in (OLD, NEW):
        for file in files:
            file.write_text(
                file.read_text().replace(f'"version": "{OLD}"', f'"version": "{version}"', 2)
            )
        _run(source, "git", "add", "--all")
        _run(source, "git", "commit", "--quiet", "--message", version)
        _run(source, "git", "tag", f"v{version}")
    return source


def _ours(stack: Stack) -> App:
    app = stack.settings["app"]
    return App(app["name"], app["port"], Path(app["current"]))


def _theirs(setup: Setup, stack: Stack, source: Path) -> App:
    """The same app in a plain checkout, with the same settings of PM2, on another port."""
    app = stack.settings["app"]
    checkout, shared = setup.work / "checkout", Path(app["current"]).parent / "shared"
    theirs = App("in-place", app["port"] + 7, checkout)
    _run(setup.work, "git", "clone", "--quiet", str(source), str(checkout))
    (checkout / ".env").symlink_to(shared / ".env")
    ecosystem = (shared / "ecosystem.config.js").read_text()
    change = {"name": theirs.name, "cwd": str(checkout)}
    ecosystem += (
        "const [app] = module.exports.apps;\n"
        f"Object.assign(app, {json.dumps(change)});\napp.env.PORT = '{theirs.port}';\n"
    )
    file = setup.work / "ecosystem.config.js"
    file.write_text(ecosystem)
    _build_in_place(checkout, NEW)
    for path in (setup.work, checkout):
        path.chmod(0o755)
    _pm2(stack, "start", str(file))
    return theirs


def _in_place(stack: Stack, app: App, version: str) -> None:
    """The recipe."""
    _build_in_place(app.cwd, version)
    _pm2(stack, "restart", app.name)


def _build_in_place(checkout: Path, version: str) -> None:
    _run(checkout, "git", "checkout", "--quiet", "--force", f"v{version}")
    _run(checkout, "npm", "ci", "--no-audit", "--no-fund")
    _run(checkout, *BUILD.split())


def _release(stack: Stack, app: App, source: Path, state: str, **more: str) -> None:
    """app_release with its defaults."""
    home, authorities = Path.home(), os.environ.get("NODE_EXTRA_CA_CERTS", "")
    npm = f"NODE_EXTRA_CA_CERTS={authorities} npm_config_userconfig={home}/.npmrc"
    given: dict[str, Any] = {
        "name": app.name,
        "state": state,
        "pm2_home": stack.settings["pm2"]["home"],
        "repository": str(source),
        "shared": [".env"],
        "health_urls": [app.url, f"{app.url}/db"],
        "version_url": app.url,
        "migrations_command": "npm run --silent db:migrate:status",
        # With this user's settings and cache of npm, as the recipe.
        "build": [f"{npm} npm_config_cache={home}/.npm npm ci", BUILD],
        **more,
    }
    answer = run_module("app_release", given, env=_environment())
    if not answer.get("proven"):
        raise MeasurementFailed(f"app_release: {answer.get('msg')}")


def _watched(app: App, work: Callable[[], object]) -> Rollback:
    """What a constant stream of requests sees while the app is rolled back."""
    seen = watched(app.url, work)
    others = [
        one.sent for one in seen.requests if one.failed or json.loads(one.body)["version"] != OLD
    ]
    return Rollback(
        requests=len(seen.requests),
        failed=seen.failed,
        without_service=seen.without_service,
        slowest=max((one.seconds for one in seen.requests), default=0.0),
        until_good=max(others, default=seen.began) - seen.began,
        in_total=seen.in_total,
    )


def _pm2(stack: Stack, *arguments: str) -> None:
    settings = stack.settings
    stack.identity.run(
        [settings["bin"]["pm2"], *arguments], env=stack.env(settings), cwd=settings["directory"]
    )


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise MeasurementFailed(f"{' '.join(command)} failed:\n{said}")


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "NEXT_TELEMETRY_DISABLED": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_CONFIG_KEY_1": "user.name",
        "GIT_CONFIG_VALUE_1": "demo",
        "GIT_CONFIG_KEY_2": "user.email",
        "GIT_CONFIG_VALUE_2": "demo@localhost",
    }
