"""What the benchmarks promise, and whether it was kept."""

from __future__ import annotations

import sys


class Promises:
    """Prints each figure with its promise, and remembers which were missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def judge(
        self, what: str, ratio: float, promise: float, *, at_least: bool, figures: str
    ) -> None:
        kept = ratio >= promise if at_least else ratio <= promise
        word = "at least" if at_least else "at most"
        print(
            f"{'kept  ' if kept else 'MISSED'}  {ratio:5.2f}  ({word} {promise})  {what}: {figures}",
            flush=True,
        )
        if not kept:
            self.missed.append(what)

    def kept(self) -> int:
        """The exit code."""
        if self.missed:
            print(f"Missed: {'; '.join(self.missed)}", file=sys.stderr)
        return 1 if self.missed else 0
