# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of a report by file suffix, and the schema of its JSON."""

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
    """The report as JSON, HTML and Markdown and in the given further formats, by suffix.

    JSON is the last to be written: if it is there, the report is complete.
    """
    texts = {"html": html.render(report), "markdown": markdown.render(report)}
    if "junit" in formats:
        from . import junit

        texts["junit"] = junit.render(report)
    if "prometheus" in formats:
        texts["prometheus"] = metrics(report)
    texts["json"] = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return {SUFFIXES[name]: text for name, text in texts.items()}


def schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    with open(SCHEMA, encoding="utf-8") as stream:
        return dict(json.load(stream))
