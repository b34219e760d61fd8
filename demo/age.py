# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs age and age-keygen, as far as backups need them, from the Python package pyrage.

They take the options of the real ones, and each reads what the other writes: a host that has the
package 'age' of its distribution needs none of this.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import pyrage

#: What goes wrong in encrypting and decrypting: a wrong key, a damaged file, a closed pipe.
ERRORS = (
    OSError,
    ValueError,
    pyrage.DecryptError,
    pyrage.EncryptError,
    pyrage.IdentityError,
    pyrage.RecipientError,
)


def install(folder: Path) -> None:
    """Put both programs into a folder that is meant for PATH."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    checkout = Path(__file__).resolve().parent.parent
    for name in ("age", "age-keygen"):
        # The path of the checkout comes first, whatever the folder that it is called in.
        start = f"import sys; sys.path.insert(0, {str(checkout)!r}); from demo.age import run; "
        program = folder / name
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -I -c "{start}sys.exit(run({name!r}))" "$@"\n'
        )
        program.chmod(0o700)


def run(program: str, argv: Sequence[str] | None = None) -> int:
    """Run one of both programs; returns its exit code."""
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    parser.add_argument("--version", action="version", version="%(prog)s of pyrage")
    main: Callable[[argparse.ArgumentParser, Sequence[str] | None], None]
    main = age if program == "age" else keygen
    try:
        main(parser, argv)
        sys.stdout.flush()
    except ERRORS as error:
        print(f"{program}: error: {_reason(error)}", file=sys.stderr)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)  # whoever read our output may be gone
        return 1
    return 0


def age(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> None:
    """Encrypt, or with -d decrypt, from a file or stdin to a file or stdout."""
    parser.add_argument("-e", "--encrypt", action="store_true")
    parser.add_argument("-d", "--decrypt", action="store_true")
    parser.add_argument("-a", "--armor", action="store_true")
    parser.add_argument("-o", "--output", default="-")
    parser.add_argument("-r", "--recipient", action="append", default=[])
    parser.add_argument("-R", "--recipients-file", action="append", default=[])
    parser.add_argument("-i", "--identity", action="append", default=[])
    parser.add_argument("input", nargs="?", default="-")
    given = parser.parse_args(argv)
    if given.decrypt:
        identities = [_identity(line) for line in _lines(given.identity)]
        with _streams(given.input, given.output) as (source, sink):
            pyrage.decrypt_io(source, sink, identities)
        return
    lines = [*given.recipient, *_lines(given.recipients_file)]
    if not lines:
        raise ValueError("missing recipients")
    recipients = [_recipient(line) for line in lines]
    with _streams(given.input, given.output) as (source, sink):
        pyrage.encrypt_io(source, sink, recipients, given.armor)


def keygen(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> None:
    """Make an identity, or with -y print the recipients of one."""
    parser.add_argument("-y", action="store_true", dest="convert")
    parser.add_argument("-o", "--output", default="-")
    parser.add_argument("input", nargs="?", default="-")
    given = parser.parse_args(argv)
    if given.convert:
        for line in _lines([given.input]):
            print(pyrage.x25519.Identity.from_str(line).to_public())
        return
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    created = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"# created: {created}\n# public key: {recipient}\n{identity}\n"
    if given.output == "-":
        sys.stdout.write(text)
        return
    handle = os.open(given.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    print(f"Public key: {recipient}", file=sys.stderr)


@contextmanager
def _streams(source: str, sink: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    with ExitStack() as stack:
        reading: BinaryIO = sys.stdin.buffer
        writing: BinaryIO = sys.stdout.buffer
        if source != "-":
            reading = stack.enter_context(Path(source).open("rb"))
        if sink != "-":
            writing = stack.enter_context(Path(sink).open("wb"))
        yield reading, writing


def _lines(files: Iterable[str]) -> list[str]:
    """The keys in files: all lines but empty ones and comments."""
    texts = [
        sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        for file in files
    ]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _identity(line: str) -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.from_str(line)


def _recipient(line: str) -> pyrage.x25519.Recipient | pyrage.ssh.Recipient:
    kind = pyrage.ssh if line.startswith("ssh-") else pyrage.x25519
    return kind.Recipient.from_str(line)


def _reason(error: BaseException) -> str:
    """In the words of the real program where they matter: the wrong key."""
    if "No matching keys" in str(error):
        return "no identity matched any of the recipients"
    return str(error)
