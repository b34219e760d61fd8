"""PM2: whether the processes that it calls online are there, and what is meant to have ended."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.support.pm2 import Pm2, own_pm2
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation


def pm2_with(bed: Bed, *apps: dict[str, Any]) -> Pm2:
    own = bed.enter(own_pm2())
    own.start(*apps)
    return own


def ask(bed: Bed, own: Pm2, **options: object) -> Answer:
    return bed.run(
        "pm2_health", {"pm2_home": str(own.home), "state_dir": str(bed.folder / "s"), **options}
    )


@situation(
    "pm2",
    "a healthy app with no more configuration than its name",
    {
        "app.process app": "ok",
        "app.restarts app": "ok",
        "app.memory app": NOT_JUDGED,
        "app.errors app": "ok",
    },
    says="max_memory_restart",
)
def plain(bed: Bed) -> Answer:
    own = bed.enter(own_pm2())
    own.run({"name": "app"})
    return ask(bed, own)


@situation(
    "pm2",
    "wait_ready and an early end: PM2 calls the app online, and it has no process",
    {"app.process app": "critical"},
    says="called online by PM2, but has no process",
    never="roll back",
)
def never_ready(bed: Bed) -> Answer:
    own = pm2_with(
        bed,
        {
            "name": "app",
            "autorestart": False,
            "wait_ready": True,
            "listen_timeout": 4000,
            "env": {"LIFE": "100", "CODE": "0"},
        },
    )
    own.wait("app", lambda rows: (rows[0]["pm2_env"]["status"], rows[0]["pid"]) == ("online", 0))
    return ask(bed, own)


@situation(
    "pm2",
    "wait_ready, an early crash and a long delay: the process that PM2 calls online is gone",
    {"app.process app": "critical"},
    says=r"but its process \d+ is gone",
)
def gone(bed: Bed) -> Answer:
    own = pm2_with(
        bed,
        {
            "name": "app",
            "wait_ready": True,
            "listen_timeout": 4000,
            "restart_delay": 600000,
            "env": {"LIFE": "100"},
        },
    )
    own.wait(
        "app",
        lambda rows: (
            rows[0]["pm2_env"]["status"] == "online"
            and not os.path.exists(f"/proc/{rows[0]['pid']}")
        ),
    )
    return ask(bed, own)


@situation("pm2", "wait_ready and an app that became ready", {"app.process app": "ok"})
def ready(bed: Bed) -> Answer:
    own = pm2_with(bed, {"name": "app", "wait_ready": True, "env": {"SLOW": "50"}})
    own.wait("app", lambda rows: rows[0]["pm2_env"]["status"] == "online")
    return ask(bed, own)


@situation(
    "pm2",
    "the app's process is suspended by a signal",
    {"app.process app": "critical"},
    says=r"is suspended by a signal\nResume it with 'kill -CONT \d+'",
)
def suspended(bed: Bed) -> Answer:
    own = bed.enter(own_pm2())
    own.run({"name": "app"})
    (pid,) = [row["pid"] for row in own.rows("app")]
    os.kill(pid, signal.SIGSTOP)
    bed.afterwards(os.kill, pid, signal.SIGCONT)
    return ask(bed, own)


@situation(
    "pm2",
    "a command that ended with exit code 0 and is not meant to restart",
    {"app.process migrate": "ok", "app.process import": "ok"},
    says=r"migrate has finished \(exit code 0\) and is not meant to restart",
)
def done(bed: Bed) -> Answer:
    own = pm2_with(
        bed,
        {"name": "migrate", "autorestart": False, "env": {"LIFE": "100", "CODE": "0"}},
        {"name": "import", "stop_exit_codes": [7], "env": {"LIFE": "100", "CODE": "7"}},
    )
    for name in ("migrate", "import"):
        own.wait(name, lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
    return ask(bed, own)


@situation(
    "pm2",
    "a command that failed and is not meant to restart",
    {"app.process migrate": "critical"},
    says=r"is stopped \(exit code 4\)",
)
def failed(bed: Bed) -> Answer:
    own = pm2_with(
        bed, {"name": "migrate", "autorestart": False, "env": {"LIFE": "100", "CODE": "4"}}
    )
    own.wait("migrate", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
    return ask(bed, own)


def killed_by(bed: Bed, number: signal.Signals, **more: object) -> Answer:
    own = bed.enter(own_pm2())
    own.run({"name": "app", "autorestart": False, **more})
    os.kill(own.rows("app")[0]["pid"], number)
    own.wait("app", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
    return ask(bed, own)


@situation(
    "pm2",
    "a server that is not restarted was killed, as when memory runs out: PM2 reports exit code 0",
    {"app.process app": "critical"},
    says=r"was ended by the signal SIGKILL, and PM2 does not restart it\n.*host\.oom_kills",
    never="roll back|has finished",
)
def killed(bed: Bed) -> Answer:
    return killed_by(bed, signal.SIGKILL)


@situation(
    "pm2",
    "a job that cron starts was killed during its last run",
    {"app.process app": "critical"},
    says=r"was ended by the signal SIGSEGV, and cron starts it again\n.*error log",
    never="last run succeeded",
)
def killed_job(bed: Bed) -> Answer:
    return killed_by(bed, signal.SIGSEGV, cron_restart="0 3 1 1 *")


@situation(
    "pm2",
    "a job that cron starts, and whose last run ended with exit code 0",
    {"app.process app": "ok"},
    says="waiting for cron",
)
def job(bed: Bed) -> Answer:
    app = {"name": "app", "autorestart": False, "cron_restart": "0 3 1 1 *"}
    own = pm2_with(bed, {**app, "env": {"LIFE": "100", "CODE": "0"}})
    own.wait("app", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
    return ask(bed, own)


@situation(
    "pm2",
    "a command has ended well, and PM2 says for ever that it waits for a restart (restart_delay)",
    {"app.process app": "ok"},
    says=r"has finished \(exit code 0\)",
)
def done_with_delay(bed: Bed) -> Answer:
    return waiting(bed, {"autorestart": False, "env": {"LIFE": "100", "CODE": "0"}})


@situation(
    "pm2",
    "PM2 gave up restarting an app, and says that it waits for a restart (restart_delay)",
    {"app.process app": "critical"},
    says="PM2 gave up restarting it",
    never="waiting to be restarted",
)
def given_up(bed: Bed) -> Answer:
    return waiting(bed, {"max_restarts": 1, "min_uptime": 60000, "env": {"LIFE": "100"}})


@situation(
    "pm2",
    "an app that crashed waits for its restart",
    {"app.process app": "critical"},
    says=r"waiting to be restarted \(exit code 1\)",
)
def delayed(bed: Bed) -> Answer:
    return waiting(bed, {"env": {"LIFE": "100"}})


def waiting(bed: Bed, app: dict[str, Any]) -> Answer:
    own = pm2_with(bed, {"name": "app", "restart_delay": 600000, **app})
    own.wait("app", lambda rows: rows[0]["pm2_env"]["status"] == "waiting restart")
    return ask(bed, own)


@situation(
    "pm2",
    "a server that is not restarted by itself, and that somebody stopped",
    {"app.process app": "critical"},
    says=r"is stopped by hand\nUnless it was stopped on purpose: 'pm2 restart app'",
)
def by_hand(bed: Bed) -> Answer:
    own = bed.enter(own_pm2())
    own.run({"name": "app", "autorestart": False})
    own.cli("stop", "app")
    return ask(bed, own)


@situation(
    "pm2",
    "a crash in cluster mode, for which PM2 reports exit code 0",
    {"app.process app": "critical"},
)
def cluster_crash(bed: Bed) -> Answer:
    own = pm2_with(
        bed,
        {"name": "app", "exec_mode": "cluster", "autorestart": False, "env": {"LIFE": "300"}},
    )
    own.wait("app", lambda rows: rows[0]["pm2_env"]["status"] == "stopped")
    return ask(bed, own)


def with_old_crashes(bed: Bed, every: int, hours: float) -> Pm2:
    """An app that crashed a moment ago, and by PM2's log regularly in the past."""
    own = bed.enter(own_pm2())
    # PM2 lets the app's environment replace its own fields, so that the app is as old as its log.
    own.run({"name": "app", "env": {"created_at": int((time.time() - hours * 3600) * 1000)}})
    os.kill(own.rows("app")[0]["pid"], signal.SIGKILL)
    own.wait("app", lambda rows: rows[0]["pm2_env"]["restart_time"] == 1)
    lines = []
    for age in range(int(hours * 3600), 120, -every):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - age))
        lines += [
            f"{stamp}: PM2 log: App [app:0] exited with code [1] via signal [SIGINT]",
            f"{stamp}: PM2 log: App [app:0] starting in -fork mode-",
        ]
    log = own.home / "pm2.log"
    log.write_text("\n".join(lines) + "\n" + log.read_text())
    return own


@situation(
    "pm2",
    "an app that crashes every few minutes, and is online at the first run",
    {"app.process app": "warning"},
    says=r"crashed \d+ times within the last hour",
)
def crashes_now_and_then(bed: Bed) -> Answer:
    return ask(bed, with_old_crashes(bed, 300, 5))


@situation(
    "pm2",
    "an app that was restarted by hand",
    {"app.process app": "ok", "app.restarts app": "ok"},
)
def restarted_by_hand(bed: Bed) -> Answer:
    own = bed.enter(own_pm2())
    own.run({"name": "app"})
    own.cli("restart", "app")
    return ask(bed, own)


@situation(
    "pm2",
    "the app is in the inventory, and runs under the PM2 of another folder",
    {"app.process shop": "critical"},
    says=r"shop is not in PM2's list, .*; PM2 is also running in /.*\n"
    "If it belongs to the other PM2, set app_user",
)
def elsewhere(bed: Bed) -> Answer:
    pm2_with(bed, {"name": "shop"})
    return ask(bed, pm2_with(bed, {"name": "other"}), app=["shop"])
