# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches the certificates of endpoints and reads those in files, in parallel, within one limit."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from ..core.errors import RunbookError
from ..core.parallel import ParallelCalls
from ..core.units import format_value
from ..net.failures import connection_failure
from ..net.url import host_port
from .certificate import Certificate, InvalidCertificate, parse
from .connection import Handshake, TlsClient, resolve
from .files import read_certificates, read_public_key
from .judge import Judge, matches
from .options import Endpoint, Options, Target
from .snapshot import CertificateSnapshot, Snapshot
from .verdict import Verdict, examine

#: More connections at once gain nothing.
MAX_PARALLEL = 32

_UNREACHABLE_REMEDY = (
    "Check the service first (its own check says whether it answers), then host and port here."
)

#: A target and its place among the options.
_Numbered = tuple[int, Target]


def collect(options: Options, client: TlsClient, judge: Judge, seconds: float) -> Snapshot:
    """What is seen of all targets; those that are not done within the seconds say so."""
    calls: ParallelCalls[_Numbered] = ParallelCalls()
    end = time.monotonic() + seconds
    waiting: list[_Numbered] = list(enumerate(options.targets))
    running: set[_Numbered] = set()
    seen: list[tuple[int, CertificateSnapshot]] = []
    while waiting or running:
        while waiting and len(running) < MAX_PARALLEL:
            item = waiting.pop(0)
            running.add(item)
            calls.start(item, partial(_collect_one, item[1], client, judge))
        done = calls.next(end - time.monotonic())
        if done is None:
            break
        item, result = done
        running.remove(item)
        if isinstance(result, CertificateSnapshot):
            seen.append((item[0], result))
        else:
            waiting += [(item[0], target) for target in result]
    seen += [(number, _late(target, seconds)) for number, target in (*running, *waiting)]
    seen.sort(key=lambda entry: (entry[0], entry[1].target.subject))
    return Snapshot(tuple(snapshot for _number, snapshot in seen))


def _late(target: Target, seconds: float) -> CertificateSnapshot:
    budget = format_value(seconds, "seconds")
    failure = f"not checked within the probe's {budget}"
    return CertificateSnapshot(target, failure=failure, remedy=_UNREACHABLE_REMEDY)


def _collect_one(
    target: Target, client: TlsClient, judge: Judge
) -> CertificateSnapshot | list[Target]:
    """What is seen of one target; for a host whose addresses are all checked, their targets."""
    if target.endpoint is None:
        return _collect_file(target, judge)
    if target.all_addresses:
        return _address_targets(target, target.endpoint)
    return _collect_endpoint(target, target.endpoint, client, judge)


def _address_targets(target: Target, endpoint: Endpoint) -> CertificateSnapshot | list[Target]:
    try:
        addresses = resolve(endpoint.host, endpoint.port)
    except OSError as error:
        failure = connection_failure(error, endpoint.host, endpoint.port).text
        return CertificateSnapshot(target, failure=failure, remedy=_UNREACHABLE_REMEDY)
    name = host_port(endpoint.server_name, endpoint.port)
    return [
        replace(
            target,
            subject=f"{name} at {address}",
            endpoint=replace(endpoint, address=address),
            all_addresses=False,
        )
        for address in addresses
    ]


def _collect_endpoint(
    target: Target, endpoint: Endpoint, client: TlsClient, judge: Judge
) -> CertificateSnapshot:
    handshake = client.fetch(endpoint, _in_date)
    if handshake.failure:
        remedy = handshake.remedy or _UNREACHABLE_REMEDY
        return CertificateSnapshot(target, failure=handshake.failure, remedy=remedy)
    try:
        chain = tuple(parse(der) for der in handshake.chain)
    except InvalidCertificate as error:
        return CertificateSnapshot(
            target,
            failure=f"the server sent a certificate that cannot be read: {error}",
            remedy="Issue it again with a current tool.",
        )
    seen = CertificateSnapshot(
        target,
        chain=chain,
        complete=handshake.complete,
        verdict=_verdict(handshake, chain, judge),
        named=matches(chain[0].der, target.name),
        peer=handshake.peer,
        tls=handshake.tls,
        disk=_read_certificates(target.file),
        key=_read_key(target.key_file),
    )
    if isinstance(seen.disk, RunbookError) or seen.disk in ((), chain):
        return replace(seen, disk_verdict=seen.verdict, disk_named=seen.named)
    return replace(
        seen,
        disk_verdict=examine(judge, seen.disk, datetime.now(timezone.utc)),
        disk_named=matches(seen.disk[0].der, target.name),
    )


def _verdict(handshake: Handshake, chain: tuple[Certificate, ...], judge: Judge) -> Verdict:
    """The handshake's own verdict; from the chain it sent, more about how it comes about."""
    own = Verdict(handshake.verify_code, handshake.verify_message)
    if not handshake.complete or own.code is None:
        return own
    found = examine(judge, chain, datetime.now(timezone.utc))
    return own if found.code is None or (own.code == 0 and found.code != 0) else found


def _collect_file(target: Target, judge: Judge) -> CertificateSnapshot:
    chain = _read_certificates(target.file)
    if isinstance(chain, RunbookError):
        return CertificateSnapshot(target, disk=chain)
    verdict = examine(judge, chain, datetime.now(timezone.utc))
    return CertificateSnapshot(target, chain=chain, verdict=verdict, key=_read_key(target.key_file))


def _read_certificates(path: str) -> tuple[Certificate, ...] | RunbookError:
    try:
        return read_certificates(path) if path else ()
    except RunbookError as problem:
        return problem


def _read_key(path: str) -> bytes | RunbookError:
    try:
        return read_public_key(path) if path else b""
    except RunbookError as problem:
        return problem


def _in_date(der: bytes) -> bool:
    try:
        certificate = parse(der)
    except InvalidCertificate:
        return True
    return certificate.in_date(datetime.now(timezone.utc))
