# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a request has come, and what to report when it takes too long."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.units import format_value

RESOLVE, CONNECT, HANDSHAKE = "resolve", "connect", "handshake"
ANSWER, BODY = "answer", "body"

_TIMEOUTS = {
    RESOLVE: "the name of {where} did not resolve within {limit}: no name server answers",
    CONNECT: "no connection to {where} within {limit}",
    HANDSHAKE: (
        "{where} accepts the connection, but does not finish the TLS handshake within {limit}"
    ),
    ANSWER: "{where} accepts the connection, but does not answer within {limit}",
    BODY: "the answer from {where} started, but was not complete after {limit}",
}


@dataclass
class RequestProgress:
    """How far a request has come: written by its thread, read by the one that gives up on it."""

    where: str = ""
    """Host and port that are being asked."""
    phase: str = ANSWER
    connect_seconds: float | None = None
    peer: str = ""
    tls: str = ""

    def timeout_problem(self, seconds: float) -> str:
        """What to report if the request took longer than so many seconds."""
        limit = format_value(seconds, "seconds")
        return _TIMEOUTS[self.phase].format(where=self.where, limit=limit)
