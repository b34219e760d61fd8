# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers that were given for one release, in a file beside the releases."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from ...core.errors import NotCollected
from ...core.files import write_atomically
from ..store import Store


@dataclass(frozen=True)
class Answer:
    """What someone, or a command, has answered."""

    text: str
    by: str
    at: float
    """Unix time."""


@dataclass(frozen=True)
class Record:
    """What is known about the deployment of one release."""

    version: str = ""
    commit: str = ""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """By question."""
    response_times: Mapping[str, float] = field(default_factory=dict)
    """Median seconds of the health endpoints before the deployment, by URL."""
    measured: float = 0.0
    """Unix time at which they were measured."""


def path_of(store: Store, release: str) -> str:
    return os.path.join(store.records, "gates", f"{release}.json")


def read(store: Store, release: str) -> Record:
    """The record of a release, an empty one if there is none; raises `NotCollected`."""
    path = path_of(store, release)
    try:
        with open(path, encoding="utf-8") as stream:
            return _from_json(json.load(stream))
    except FileNotFoundError:
        return Record()
    except OSError as error:
        raise NotCollected(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, KeyError):
        raise NotCollected(
            f"{path} is damaged", "Remove it, and answer the questions again."
        ) from None


def write(store: Store, release: str, record: Record) -> None:
    """Replace the record of a release; raises OSError."""
    path = path_of(store, release)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    write_atomically(path, json.dumps(asdict(record), indent=1) + "\n")


def response_times(store: Store, release: str) -> Mapping[str, float]:
    """Those from before the deployment of a release; empty if none were measured."""
    with suppress(NotCollected):
        return read(store, release).response_times
    return {}


def _from_json(content: Mapping[str, Any]) -> Record:
    answers = {str(name): Answer(**answer) for name, answer in content["answers"].items()}
    times = {str(url): float(seconds) for url, seconds in content["response_times"].items()}
    return Record(
        str(content["version"]),
        str(content["commit"]),
        answers,
        times,
        float(content["measured"]),
    )
