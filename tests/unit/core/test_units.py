"""Counts, sizes and durations as people write them."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.units import (
    format_duration,
    format_value,
    iso_duration,
    pluralize,
)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "", "–"),
        (1536, "bytes", "1.5 KiB"),
        (3 * 1024**4, "bytes", "3.0 TiB"),
        (0.0123, "seconds", "12.3 ms"),
        (0.0000042, "seconds", "4 µs"),
        (90, "seconds", "90 s"),
        (7200, "seconds", "2 h"),
        (93.44, "percent", "93.4 %"),
        (1, "days", "1 day"),
        (1_300_000_000, "count", "1,300,000,000"),
    ],
)
def test_quantities_read_as_people_write_them(value: float | None, unit: str, words: str) -> None:
    assert format_value(value, unit) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "3 s"),
        (0.5, "0.5 s"),
        (65, "1 min"),
        (3600, "1 h"),
        (12000, "3 h 20 min"),
        (9 * 86400, "9 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "duration"), [(86400, "PT24H"), (300, "PT5M"), (5400, "PT1H30M"), (10, "PT0M")]
)
def test_iso_durations(seconds: float, duration: str) -> None:
    assert iso_duration(seconds) == duration


@pytest.mark.parametrize(
    ("count", "nouns", "words"),
    [
        (0, ("table",), "0 tables"),
        (1, ("table",), "1 table"),
        (1200, ("table",), "1,200 tables"),
        (1, ("index", "indexes"), "1 index"),
        (2, ("index", "indexes"), "2 indexes"),
    ],
)
def test_plurals(count: int, nouns: tuple[str, ...], words: str) -> None:
    assert pluralize(count, *nouns) == words
