# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats in which a report can be had, and the schema that its JSON follows."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from typing import Any

from . import html, markdown
from .prometheus import render as metrics

SUFFIXES = {"html": "html", "markdown": "md", "junit": "xml", "prometheus": "prom", "json": "json"}
SCHEMA = os.path.join(os.path.dirname(__file__), "schema.json")

__all__ = ["SUFFIXES", "documents", "metrics", "schema"]


def documents(report: Mapping[str, Any], formats: Collection[str] = ()) -> dict[str, str]:
    """The report in the formats that are always written and in those asked for, by suffix.

    JSON comes last, so that a folder with a complete report in it is told by its JSON file.
    """
    made = {"html": html.render(report), "markdown": markdown.render(report)}
    if "junit" in formats:
        from . import junit

        made["junit"] = junit.render(report)
    if "prometheus" in formats:
        made["prometheus"] = metrics(report)
    made["json"] = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return {SUFFIXES[name]: text for name, text in made.items()}


def schema() -> dict[str, Any]:
    with open(SCHEMA, encoding="utf-8") as stream:
        return dict(json.load(stream))
