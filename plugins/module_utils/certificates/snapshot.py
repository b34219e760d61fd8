# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the certificates."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.errors import RunbookError
from .certificate import Certificate
from .options import Target
from .verdict import Verdict


@dataclass(frozen=True)
class CertificateSnapshot:
    """What was seen of one target."""

    target: Target
    failure: str = ""
    """Why no certificate was seen."""
    remedy: str = ""
    """What to do about the failure."""
    chain: tuple[Certificate, ...] = ()
    """As it was sent or as the file has it, the target's own certificate first."""
    complete: bool = True
    """False where this Python shows only the first certificate."""
    verdict: Verdict = field(default_factory=Verdict)
    """OpenSSL's, on the chain."""
    named: bool | None = True
    """Whether the certificate is issued for the target's name; none if OpenSSL did not say."""
    peer: str = ""
    tls: str = ""
    disk: tuple[Certificate, ...] | RunbookError = ()
    """The certificates in the endpoint's file, or why there are none."""
    disk_verdict: Verdict = field(default_factory=Verdict)
    """OpenSSL's, on these."""
    disk_named: bool | None = True
    key: bytes | RunbookError = b""
    """Public half of the key file, or why there is none."""


@dataclass(frozen=True)
class Snapshot:
    """What was seen of all targets, in the order of the options."""

    certificates: tuple[CertificateSnapshot, ...]
