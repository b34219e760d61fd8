# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenSSL says of a chain, apart from the dates of its first certificate, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..net.tls import EXPIRED, NOT_YET_VALID
from .certificate import Certificate, parse
from .judge import Judge
from .pem import InvalidCertificate

#: More issuers are not tried one by one.
_MAX_ISSUERS = 10


@dataclass(frozen=True)
class Verdict:
    """OpenSSL's verdict on a chain."""

    code: int | None = 0
    """0 for trusted, none if it was not judged."""
    message: str = ""
    path: tuple[Certificate, ...] = ()
    """From the first certificate to the trusted one, or as far as they lead; empty if unseen."""
    weakest: Certificate | None = None
    """The issuer with whose end the trust ends: without it no other path is left."""


def examine(judge: Judge, chain: Sequence[Certificate], now: datetime) -> Verdict:
    """The verdict on a chain. The dates of its first certificate are left to their own check."""
    leaf = chain[0]
    found = _ask(judge, chain)
    if found.code in (EXPIRED, NOT_YET_VALID) and not leaf.in_date(now):
        found = _without_the_first_dates(judge, chain, now)
    if found.code != 0:
        return found
    return replace(found, weakest=_weakest(judge, chain, found.path, not leaf.in_date(now)))


def _ask(judge: Judge, chain: Sequence[Certificate], ignoring_dates: bool = False) -> Verdict:
    sent = {one.der: one for one in chain}
    found = judge.chain([one.der for one in chain], chain[0].key_kind, ignoring_dates)
    try:
        path = tuple(sent.get(der) or parse(der) for der in found.path)
    except InvalidCertificate:  # a root that OpenSSL can read and `cryptography` cannot
        path = ()
    return Verdict(found.code, found.message, path)


def _without_the_first_dates(judge: Judge, chain: Sequence[Certificate], now: datetime) -> Verdict:
    """OpenSSL can ignore all dates or none, so issuers out of date are left out instead."""
    current = [chain[0], *(one for one in chain[1:] if one.in_date(now))]
    found = _ask(judge, current, ignoring_dates=True)
    if found.code == 0 and all(one.in_date(now) for one in found.path[1:]):
        return found
    whole = _ask(judge, chain, ignoring_dates=True)
    return replace(whole, code=EXPIRED) if whole.code == 0 else whole


def _weakest(
    judge: Judge, chain: Sequence[Certificate], path: Sequence[Certificate], ignoring_dates: bool
) -> Certificate | None:
    """Leave out one issuer after the other, as they expire, until no path is left."""
    issuers = {one.der: one for one in chain[1:] if one != chain[0]}
    kept, found = list(chain), []
    for one in sorted(issuers.values(), key=lambda one: one.not_after)[:_MAX_ISSUERS]:
        kept = [other for other in kept if other != one]
        if _ask(judge, kept, ignoring_dates).code != 0:
            found = [one]
            break
    root = path[-1] if path else chain[0]
    if root not in chain and not _has_successor(judge, root):
        found.append(root)
    return min(found, key=lambda one: one.not_after, default=None)


def _has_successor(judge: Judge, root: Certificate) -> bool:
    """Whether a later root of the same name is trusted as well."""
    for der in judge.roots():
        if root.subject_name in der and der != root.der:
            try:
                other = parse(der)
            except InvalidCertificate:
                continue
            if other.subject_name == root.subject_name and other.not_after > root.not_after:
                return True
    return False
