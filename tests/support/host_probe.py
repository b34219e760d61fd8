"""How tests run host_health."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Runs it with these options, and returns its answer.
Ask = Callable[..., dict[str, Any]]
