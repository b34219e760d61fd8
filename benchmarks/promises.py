"""What the benchmarks promise, and whether each promise was kept."""

from __future__ import annotations

import sys


class Promises:
    """Prints each figure with its promise, and remembers which were missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_most(self, what: str, ratio: float, promise: float, figures: str) -> None:
        self._print(what, ratio, "at most", promise, figures, ratio <= promise)

    def at_least(self, what: str, ratio: float, promise: float, figures: str) -> None:
        self._print(what, ratio, "at least", promise, figures, ratio >= promise)

    def failed(self, what: str, reason: str) -> None:
        """A part that could not be measured counts as missed."""
        print(f"FAILED  {what}: {reason}", flush=True)
        self.missed.append(what)

    def exit_code(self) -> int:
        if self.missed:
            print(f"Missed: {'; '.join(self.missed)}", file=sys.stderr)
        return 1 if self.missed else 0

    def _print(
        self, what: str, ratio: float, bound: str, promise: float, figures: str, kept: bool
    ) -> None:
        mark = "kept  " if kept else "MISSED"
        print(f"{mark}  {ratio:5.2f}  ({bound} {promise:.3g})  {what}: {figures}", flush=True)
        if not kept:
            self.missed.append(what)
