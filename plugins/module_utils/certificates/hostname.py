# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on the names of a certificate, by OpenSSL's comparison. Pure."""

from __future__ import annotations

from ..core.check import CRITICAL, OK, Check
from ..core.thresholds import Thresholds
from ..net.url import is_address
from .certificate import Certificate
from .options import Target


def assess_hostname(
    target: Target, leaf: Certificate, named: bool | None, thresholds: Thresholds
) -> Check:
    """Whether the certificate is issued for the name that clients use."""
    covered = (*leaf.names, *leaf.addresses)
    if named:
        more = f" and {len(covered) - 1} more" if len(covered) > 1 else ""
        return thresholds.verdict(
            "certificate.hostname",
            OK,
            f"issued for {target.name!r}{more}",
            subject=target.subject,
        )
    listed = ", ".join(covered[:4]) + (f" and {len(covered) - 4} more" if len(covered) > 4 else "")
    if named is None:
        return thresholds.not_judged(
            "certificate.hostname",
            f"issued for {listed or 'no name'}",
            "clients refuse the certificate before they read its names",
            subject=target.subject,
        )
    if covered:
        summary = f"issued for {listed}, not for {target.name!r}{_trap(leaf, target.name)}"
    else:
        summary = (
            f"lists no host name (no subjectAltName), so it does not match {target.name!r};"
            f" clients ignore the common name {leaf.subject!r}"
        )
    return thresholds.verdict(
        "certificate.hostname",
        CRITICAL,
        summary,
        subject=target.subject,
        evidence=[{"name": one} for one in covered],
    )


def _trap(leaf: Certificate, name: str) -> str:
    """Why a certificate that seems to list the name does not match it."""
    if is_address(name):
        as_name = name in leaf.names
        return " (it is listed as a DNS name; clients want an IP address)" if as_name else ""
    first, _dot, parent = name.partition(".")
    for pattern in leaf.names:
        ending = pattern[1:] if pattern.startswith("*.") else ""
        if not ending:
            continue
        if name == pattern[2:]:
            return " (a wildcard does not stand for the name without a label)"
        if pattern[2:] == parent and "_" in first:
            return " (OpenSSL accepts no underscore for a wildcard)"
        if name.endswith(ending) and pattern[2:] != parent:
            return " (a wildcard stands for one label only)"
    return ""
