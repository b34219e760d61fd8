"""Situations with a known truth, arranged on real services, and the verdicts they deserve."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.conftest import RunModule, by_name

T = TypeVar("T")
Answer = dict[str, Any]

#: A verdict beside the four statuses: ok with a figure, because there is nothing to judge by yet.
NOT_JUDGED = "not judged"


class Bed:
    """What a situation is arranged with: servers, a folder of its own, and the probes."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path, ends: ExitStack) -> None:
        self._request, self.folder, self._ends = request, folder, ends

    def fixture(self, name: str) -> Any:
        return self._request.getfixturevalue(name)

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Arrange something that is undone after the situation."""
        return self._ends.enter_context(context)

    def afterwards(self, undo: Callable[..., object], *arguments: object) -> None:
        self._ends.callback(undo, *arguments)

    def run(self, module: str, options: dict[str, Any] | None = None, **more: Any) -> Answer:
        """What a probe answers; its state folder is the situation's own unless it names one."""
        run_module: RunModule = self.fixture("run_module")
        return run_module(module, options, **more)


@dataclass(frozen=True)
class Situation:
    service: str
    """One word: ``postgres``; situations of one service share a worker."""
    words: str
    """What is the case, as an operator says it."""
    verdicts: Mapping[str, str]
    """Status (or `NOT_JUDGED`) of each check that matters, named ``check`` or ``check subject``."""
    says: str
    """A pattern that is found in the summaries or remedies of these checks; empty for any text."""
    never: str
    """A pattern that is found in none of them, such as a wrong remedy; empty for none."""
    look: Callable[[Bed], Answer]

    def judge(self, answer: Answer) -> dict[str, str]:
        """The verdicts that a probe gave; asserts that they are the right ones."""
        found, texts = {}, []
        for key in self.verdicts:
            check = by_name(answer, *key.split(" ", 1))
            found[key] = NOT_JUDGED if check["not_judged"] else check["status"]
            texts.append(f"{check['summary']}\n{check['remedy']}")
        text = "\n".join(texts)
        assert found == dict(self.verdicts), text
        assert re.search(self.says, text), f"{self.says!r} is not in:\n{text}"
        assert not self.never or not re.search(self.never, text), f"{self.never!r} is in:\n{text}"
        return found


SITUATIONS: list[Situation] = []


def situation(
    service: str, words: str, verdicts: Mapping[str, str], *, says: str = "", never: str = ""
) -> Callable[[Callable[[Bed], Answer]], Callable[[Bed], Answer]]:
    """Enter a function, which arranges a situation and returns a probe's answer, in the table."""

    def enter(look: Callable[[Bed], Answer]) -> Callable[[Bed], Answer]:
        SITUATIONS.append(Situation(service, words, verdicts, says, never, look))
        return look

    return enter
