# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one self-contained page: the verdict, what needs attention, then all checks.

The page loads nothing and runs nothing, and its own content security policy forbids both. Every
text is stripped of control characters and escaped by the template engine.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .page import page_model
from .view import Row, printable

TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")


def render(report: Row) -> str:
    """The page as text."""
    return environment().get_template("page.html.j2").render(page_model(report))


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The template engine: escapes everything, and refuses names that the page model lacks."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _without_controls(value: Any) -> str:
    """Applied to each value before it is escaped; markup comes from the templates alone."""
    return value if isinstance(value, Markup) else printable(str(value))
