"""Finds phrases that are not plain English in the texts of the collection, and says what to write.

``python -m tests.tools.prose [FILE …]``; without files, everything below `TEXTS`. The phrases are
in ``prose.txt``. Python files are searched as a whole: strings, docstrings, comments and names.
Output that a page quotes (a fenced block marked ``text``) is left alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("prose.txt")
TEXTS = (
    "*.md",
    "plugins",
    "roles",
    "playbooks",
    "inventories",
    "meta",
    "changelogs/fragments",
    "galaxy.yml",
    "docs/generate.py",
)
#: Between two words: the quotes of a string that goes on, or space with the sign of a comment or
#: a bullet.
_BREAK = re.compile(r"\s*\"\s*\n\s*f?\"|\s+(?:#:?\s+|[-*]\s+)?")
_QUOTED = re.compile(r"^```text\n.*?^```", re.MULTILINE | re.DOTALL)


def phrases() -> list[tuple[re.Pattern[str], str]]:
    """Each expression with what to write instead."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(re.compile(expression, re.IGNORECASE), better) for expression, better in pairs]


def problems(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, phrase and what to write instead, also where a phrase goes over two lines."""
    text = _QUOTED.sub(lambda quoted: "\n" * quoted[0].count("\n"), text)
    flat, lines = "", []
    line, end = 1, 0
    for gap in _BREAK.finditer(text):
        word = text[end : gap.start()] + " "
        flat += word
        lines += [line] * len(word)
        line += gap[0].count("\n")
        end = gap.end()
    flat += text[end:]
    lines += [line] * len(text[end:])
    for expression, better in phrases():
        for match in expression.finditer(flat):
            yield lines[match.start()], match[0], better


def files() -> list[Path]:
    """The tracked files below `TEXTS`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *TEXTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    suffixes = (".py", ".yml", ".md", ".j2", ".json")
    paths = [ROOT / name for name in listed if name.endswith(suffixes)]
    return [path for path in paths if path.is_file() and "collections" not in path.parts]


def main() -> int:
    paths = [Path(name).resolve() for name in sys.argv[1:]] or files()
    count = 0
    for path in paths:
        for line, phrase, better in sorted(problems(path.read_text(encoding="utf-8"))):
            count += 1
            print(f"{path.relative_to(ROOT)}:{line}: '{phrase}'; write: {better}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
