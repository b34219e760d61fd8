"""The apps' logs: errors wherever they are written, in every common format, and their age."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.mounts import mounted, mounts_of_its_own, require_mounts
from tests.support.pm2 import Pm2, own_pm2
from tests.support.truth import NOT_JUDGED, Answer, Bed, situation

#: An app that prints the file beside it to stdout, and another one to stderr, as its logger would.
PRINTER = """
const fs = require('fs');
const read = name => fs.readFileSync(__dirname + '/' + name, 'utf8');
process.stdout.write(read('out.txt'));
process.stderr.write(read('err.txt'));
console.log('runs');
setInterval(() => {}, 1000);
"""
ERRORS = {"app.errors app": "critical"}
HEALTHY = {"app.errors app": "ok", "app.logs app": "ok"}


def printing(bed: Bed, *, out: str = "", err: str = "", **app: Any) -> Pm2:
    """An app that has printed these lines; with PM2's time before each unless told otherwise."""
    own = bed.enter(own_pm2())
    (own.folder / "printer.js").write_text(PRINTER)
    (own.folder / "out.txt").write_text(out)
    (own.folder / "err.txt").write_text(err)
    own.run({"name": "app", "script": "./printer.js", "time": True, **app})
    if err:
        own.said("app", err.rstrip().rsplit("\n", 1)[-1])
    return own


def ask(bed: Bed, own: Pm2, **options: object) -> Answer:
    return bed.run(
        "pm2_health",
        {"pm2_home": str(own.home), "state_dir": str(bed.folder / "state"), **options},
    )


def log_of(own: Pm2, kind: str = "err") -> Path:
    return Path(own.rows("app")[0]["pm2_env"][f"pm_{kind}_log_path"])


def stamp(age: float, layout: str = "%Y-%m-%dT%H:%M:%S") -> str:
    return time.strftime(layout, time.localtime(time.time() - age))


def pino(level: int, count: int) -> str:
    now = int(time.time() * 1000)
    return "".join(
        json.dumps({"level": level, "time": now, "pid": 1, "msg": f"order {n} failed"}) + "\n"
        for n in range(count)
    )


@situation(
    "logs",
    "pino writes 200 errors to stdout, the error log is empty",
    ERRORS,
    says="200 error messages",
)
def pino_errors(bed: Bed) -> Answer:
    return ask(bed, printing(bed, out=pino(50, 200), time=False))


@situation(
    "logs",
    "an ECS logger writes 200 errors to stdout, with the level in an object of its own",
    ERRORS,
    says="200 error messages",
)
def ecs_errors(bed: Bed) -> Answer:
    line = {"@timestamp": stamp(60, "%Y-%m-%dT%H:%M:%S%z"), "log": {"level": "error"}}
    lines = [json.dumps({**line, "message": f"order {number} failed"}) for number in range(200)]
    return ask(bed, printing(bed, out="\n".join(lines) + "\n", time=False))


@situation(
    "logs",
    "Next.js writes an error with a space before its sign, PM2 adds no time",
    {"app.errors app": NOT_JUDGED},
    says="1 message without a time",
)
def next_error(bed: Bed) -> Answer:
    err = " ⨯ Error: the database is gone\n    at load (page.js:1:1)\n"
    return ask(bed, printing(bed, out=" ✓ Ready in 1s\n", err=err, time=False))


@situation("logs", "pino writes 200 lines of information and 50 warnings to stdout", HEALTHY)
def pino_information(bed: Bed) -> Answer:
    return ask(bed, printing(bed, out=pino(30, 200) + pino(40, 50), time=False))


FORMATS: dict[str, Callable[[str], str]] = {
    "winston's JSON": lambda level: json.dumps(
        {"level": level, "message": "it broke", "timestamp": stamp(60, "%Y-%m-%dT%H:%M:%S%z")}
    ),
    "winston's simple format": lambda level: f"{level}: it broke",
    "winston's printf with a time": lambda level: f"{stamp(60, '%Y-%m-%d %H:%M:%S')} [{level}]: it",
    "bunyan": lambda level: json.dumps(
        {"name": "app", "level": 50 if level == "error" else 30, "msg": "it", "v": 0}
    ),
    "log4js with colours": lambda level: (
        f"\x1b[91m[{stamp(60)}.123] [{level.upper()}] default - \x1b[39mit broke"
    ),
    "NestJS with colours": lambda level: (
        f"\x1b[31m[Nest] 12  - \x1b[39m{stamp(60, '%m/%d/%Y, %I:%M:%S %p')} \x1b[31m  "
        f"{'ERROR' if level == 'error' else '  LOG'}\x1b[39m \x1b[33m[Orders]\x1b[39m it broke"
    ),
    "morgan": lambda level: (
        f'::1 - - [{stamp(60, "%d/%b/%Y:%H:%M:%S %z")}] "GET /a HTTP/1.1" '
        f'{500 if level == "error" else 200} 12 "-" "curl/8"'
    ),
    "pino-pretty": lambda level: f"[05:00:00.123] \x1b[31m{level.upper()}\x1b[39m (12): it broke",
    "JSON in colours": lambda level: f'\x1b[32m{{"level":"{level}","msg":"it broke"}}\x1b[0m',
}


def in_format(name: str) -> None:
    """The situation that an app logs errors to its output in a format, and its healthy twin."""
    line = FORMATS[name]

    @situation("logs", f"30 errors in the output, as {name}", {"app.errors app": "warning"})
    def errors(bed: Bed) -> Answer:
        return ask(bed, printing(bed, out=(line("error") + "\n") * 30))

    @situation("logs", f"30 lines of information, as {name}", HEALTHY)
    def information(bed: Bed) -> Answer:
        return ask(bed, printing(bed, out=(line("info") + "\n") * 30))


for _name in FORMATS:
    in_format(_name)


@situation(
    "logs",
    "NestJS writes an error and its stack to stderr, PM2 adds no time",
    {"app.errors app": "ok"},
    says="1 error message in",
)
def nest_with_stack(bed: Bed) -> Answer:
    line = FORMATS["NestJS with colours"]("error")
    text = f"{line}\nError: it broke\n    at run (/srv/app.js:1:2)\n"
    return ask(bed, printing(bed, err=text, time=False))


@situation(
    "logs",
    "one message of three lines, for each of which PM2 writes the time",
    {"app.errors app": "ok"},
    says="1 error message in",
)
def three_lines(bed: Bed) -> Answer:
    return ask(bed, printing(bed, err="cannot save\nthe database refused\nplease call us\n"))


@situation(
    "logs",
    "three messages of one kind within a second",
    {"app.errors app": "ok"},
    says="3 error messages in",
)
def three_messages(bed: Bed) -> Answer:
    return ask(bed, printing(bed, err="".join(f"cannot save order {n}\n" for n in range(3))))


@situation(
    "logs",
    "an app that prints errors without levels, PM2 adds no time",
    {"app.errors app": NOT_JUDGED},
    says="3 messages without a time.*'pm2 restart app --time'",
)
def untimed(bed: Bed) -> Answer:
    return ask(bed, printing(bed, err="cannot 1\ncannot 2\ncannot 3\n", time=False))


ROTATED = {
    "logrotate's numbers": ("{name}.1", False),
    "logrotate's dateext and compress": ("{name}-{time:%Y%m%d}.gz", True),
    "logrotate's dateext with extension": ("{stem}-{time:%Y%m%d}{suffix}", False),
    "pm2-logrotate's default": ("{stem}__{time:%Y-%m-%d_%H-%M-%S}{suffix}", False),
    "pm2-logrotate's YYYYMMDDHHmm and compress": ("{stem}__{time:%Y%m%d%H%M}{suffix}.gz", True),
    "pm2-logrotate's DD-MM-YYYY_HH-mm and compress": (
        "{stem}__{time:%d-%m-%Y_%H-%M}{suffix}.gz",
        True,
    ),
    "pm2-logrotate's D MMM": ("{stem}__{time:%d %b}{suffix}", False),
    "logrotate's olddir": ("old/{name}.1", False),
}


def rotated_as(words: str) -> None:
    """240 errors are in a log that was rotated within the day under such a name."""
    pattern, compressed = ROTATED[words]

    @situation("logs", f"240 errors were rotated away, as {words}", ERRORS, says="240 error")
    def rotated(bed: Bed) -> Answer:
        from datetime import datetime

        own = printing(bed)
        log = log_of(own)
        stem, suffix = os.path.splitext(log.name)
        target = log.parent / pattern.format(
            name=log.name, stem=stem, suffix=suffix, time=datetime.now()
        )
        target.parent.mkdir(exist_ok=True)
        text = "".join(f"{stamp(7200 - n)}: order {n} failed\n" for n in range(240)).encode()
        target.write_bytes(gzip.compress(text) if compressed else text)
        return ask(bed, own)


for _name in ROTATED:
    rotated_as(_name)


@situation("logs", "the errors of another app, whose name begins with the same word", HEALTHY)
def other_app(bed: Bed) -> Answer:
    own = printing(bed)
    log = log_of(own)
    text = "".join(f"{stamp(600)}: order {n} failed\n" for n in range(240))
    for name in ("app-error-2.log", "app-errors.log", "app-error-worker.log", "app-error.log.bak"):
        (log.parent / name).write_text(text)
    return ask(bed, own)


def in_zone(bed: Bed, zone: str, *, ages: float, **app: Any) -> Answer:
    """Errors of so many seconds ago by a PM2 whose own times are in another zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    lines = "".join(f"{stamp(ages)}: order {n} failed\n" for n in range(120))
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()
    own = bed.enter(own_pm2())
    own.zone = zone
    own.run({"name": "app", "time": True, **app})
    log_of(own).write_text(lines)
    return ask(bed, own)


@situation("logs", "errors 23 hours ago, PM2 is in a zone 10 hours ahead", ERRORS)
def ahead(bed: Bed) -> Answer:
    return in_zone(bed, "Australia/Brisbane", ages=23 * 3600)


@situation("logs", "errors 23 hours ago, PM2 is in a zone 8 hours behind", ERRORS)
def behind(bed: Bed) -> Answer:
    return in_zone(bed, "America/Los_Angeles", ages=23 * 3600)


@situation("logs", "errors 25 hours ago, PM2 is in a zone 10 hours ahead", HEALTHY)
def ahead_and_old(bed: Bed) -> Answer:
    return in_zone(bed, "Australia/Brisbane", ages=25 * 3600)


@situation(
    "logs",
    "errors 25 hours ago in the zone that the app sets for itself",
    {"app.errors app": "ok"},
    says="1 error message in",
)
def zone_of_the_app(bed: Bed) -> Answer:
    own = printing(bed, time=False)
    layout = "%Y-%m-%d %H:%M:%S"
    ages = [25 * 3600] * 120 + [0]
    shifted = [f"{stamp(age - 10 * 3600, layout)} order {n} failed" for n, age in enumerate(ages)]
    log_of(own).write_text("\n".join(shifted) + "\n")
    return ask(bed, own)


@situation(
    "logs",
    "the error log was deleted while PM2 writes to it",
    {"app.logs app": "warning", "app.errors app": "warning"},
    says=r"was deleted while PM2 writes to it(.|\n)*pm2 reloadLogs(.|\n)*30 error messages",
)
def deleted(bed: Bed) -> Answer:
    own = printing(bed, err="".join(f"order {n} failed\n" for n in range(30)))
    log_of(own).unlink()
    time.sleep(2)  # PM2 may open its logs until then
    return ask(bed, own)


@situation(
    "logs",
    "the log was renamed, and PM2 was not told to open a new one",
    {"app.logs app": "warning", "app.errors app": "warning"},
    says="PM2 does not write to .*, but still to .*log.1",
)
def renamed(bed: Bed) -> Answer:
    own = printing(bed, err="".join(f"order {n} failed\n" for n in range(30)))
    log = log_of(own)
    log.rename(f"{log}.1")
    log.touch()
    time.sleep(2)
    return ask(bed, own)


def on_a_disk_of_its_own(bed: Bed) -> tuple[Pm2, Path]:
    """An app whose error log is on a disk of 1 MiB."""
    require_mounts()
    bed.enter(mounts_of_its_own())
    disk = bed.enter(mounted(bed.folder / "disk", "tmpfs", options="size=1m"))
    own = printing(bed, error_file=str(disk / "app.log"))
    time.sleep(2)
    return own, disk


@situation("logs", "the disk of the error log has space", HEALTHY)
def disk_with_space(bed: Bed) -> Answer:
    return ask(bed, on_a_disk_of_its_own(bed)[0])


@situation(
    "logs",
    "the disk of the error log is full: errors are lost, the log stays empty",
    {"app.logs app": "critical", "app.errors app": "unknown"},
    says=r"messages are lost: the file system of .*app.*log is full",
)
def full_disk(bed: Bed) -> Answer:
    own, disk = on_a_disk_of_its_own(bed)
    with contextlib.suppress(OSError):
        (disk / "dump").write_bytes(bytes(2 << 20))
    return ask(bed, own)


@situation(
    "logs",
    "the folder of the logs was removed, and nobody can read what PM2 still writes",
    {"app.logs app": "warning"},
    says="pm2 reloadLogs",
)
def removed_folder(bed: Bed) -> Answer:
    own = printing(bed)
    shutil.rmtree(log_of(own).parent)
    time.sleep(2)
    return ask(bed, own)


@situation(
    "logs",
    "PM2 was given another folder for the logs than the one that it has open",
    {"app.logs app": "warning", "app.errors app": "unknown"},
    says="messages are lost: PM2 does not have .* open",
)
def closed(bed: Bed) -> Answer:
    own = printing(bed)
    log = log_of(own)
    log.unlink()
    log.mkdir()  # cannot be opened as a file
    own.cli("reloadLogs")
    time.sleep(2)
    return ask(bed, own)


@situation("logs", "the deleted log was opened anew, as the remedy says", HEALTHY)
def reopened(bed: Bed) -> Answer:
    own = printing(bed)
    log_of(own).unlink()
    own.cli("reloadLogs")
    time.sleep(2)
    return ask(bed, own)


@situation(
    "logs",
    "the output is larger than what is read of it",
    HEALTHY,
    says="only the part since .* was read",
)
def large_output(bed: Bed) -> Answer:
    own = printing(bed)
    line = "request served " + "x" * 200
    with log_of(own, "out").open("w") as stream:
        for n in range(100_000):
            stream.write(f"{stamp(36000 - n / 10)}: {line}\n")
    return ask(bed, own)
