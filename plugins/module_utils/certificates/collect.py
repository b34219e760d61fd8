# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `cert_check` was asked to look at, and the looking: endpoints and files side by side, within one time limit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ..core.errors import UsageError
from ..core.parallel import ParallelCalls
from ..core.units import format_value
from ..net.failures import connection_failure
from ..net.tls import INVALID_CA, NO_LOCAL_ISSUER, SELF_SIGNED, SELF_SIGNED_IN_CHAIN
from ..net.url import ascii_host, host_port, is_address
from .assess import Look, Target
from .certificate import (
    Anchors,
    Certificate,
    FileProblem,
    Nonsense,
    parse,
    path_from,
    read_certificates,
    read_public_key,
)
from .connection import Connector, Place, addresses

#: More looks than these at once gain nothing.
MAX_PARALLEL = 32

_UNREACHED = "Whether the service answers is the matter of its own check; look there first, then at host and port here."


@dataclass(frozen=True)
class Request:
    """One thing to look at."""

    target: Target
    place: Place | None = None
    """None for a file."""
    every_address: bool = False
    number: int = 0
    """Its place among all that was asked for."""


def requests_from(options: Mapping[str, Any]) -> list[Request]:
    """What the module's options ask for; `UsageError` says what makes no sense."""
    if not options["endpoints"] and not options["files"]:
        raise UsageError(
            "endpoints, files: both are empty; name at least one endpoint or one certificate file"
        )
    if not 0 < options["connect_timeout"] <= 3600:
        raise UsageError(
            f"connect_timeout: {options['connect_timeout']:g} is not a number of seconds above 0 and up to 3600"
        )
    found = [
        _endpoint(f"endpoints[{number}]", one, options["all_addresses"])
        for number, one in enumerate(options["endpoints"])
    ]
    for number, one in enumerate(options["files"]):
        if not one["path"].startswith("/"):
            raise UsageError(
                f"files[{number}].path: {one['path']!r} has to be a full path, one that starts with /"
            )
        found.append(Request(Target(one["path"], file=one["path"], key_file=one["key_file"] or "")))
    return _told_apart(found)


def _endpoint(what: str, one: Mapping[str, Any], all_addresses: bool) -> Request:
    host = _host(f"{what}.host", one["host"])
    server_name = _host(f"{what}.server_name", one["server_name"]) if one["server_name"] else host
    address = (one["address"] or "").strip("[]")
    if not 1 <= one["port"] <= 65535:
        raise UsageError(f"{what}.port: {one['port']} is not a port; ports are 1 to 65535")
    if address and not is_address(address):
        raise UsageError(f"{what}.address: {address!r} is not an IP address")
    subject = host_port(server_name, one["port"])
    if address or server_name != host:
        subject += f" at {address or host}"
    target = Target(subject, server_name, one["file"] or "", one["key_file"] or "")
    place = Place(host, one["port"], server_name, one["starttls"], address)
    return Request(target, place, all_addresses and not address and not is_address(host))


def _host(what: str, host: str) -> str:
    if "://" in host:
        raise UsageError(
            f"{what}: {host.split('://')[0] + '://…'!r} is a URL; give the host alone, like your-domain.com, and the port apart"
        )
    try:
        return ascii_host(host)
    except ValueError:
        raise UsageError(
            f"{what}: {host!r} is neither a host name nor an address; the port is given apart"
        ) from None


def _told_apart(found: Sequence[Request]) -> list[Request]:
    taken: Counter[str] = Counter()
    result = []
    for number, one in enumerate(found):
        subject = one.target.subject
        taken[subject] += 1
        target = (
            replace(one.target, subject=f"{subject} ({taken[subject]})")
            if taken[subject] > 1
            else one.target
        )
        result.append(replace(one, target=target, number=number))
    return result


def collect(
    requests: Sequence[Request], connector: Connector, anchors: Anchors, seconds: float
) -> list[Look]:
    """Look at everything, in the order in which it was asked for; what is not done within the seconds says so."""
    crew: ParallelCalls[Request] = ParallelCalls()
    end = time.monotonic() + seconds
    waiting: list[Request] = list(requests)
    running: set[Request] = set()
    looks: list[tuple[int, str, Look]] = []
    while waiting or running:
        while waiting and len(running) < MAX_PARALLEL:
            request = waiting.pop(0)
            running.add(request)
            crew.start(request, lambda request=request: _look(request, connector, anchors))  # type: ignore[misc]
        done = crew.next(end - time.monotonic())
        if done is None:
            break
        request, result = done
        running.remove(request)
        if isinstance(result, Look):
            looks.append((request.number, request.target.subject, result))
        else:
            waiting += result
    for request in (*running, *waiting):
        late = Look(
            request.target,
            failure=f"not seen within the {format_value(seconds, 'seconds')} that the probe had",
            remedy=_UNREACHED,
        )
        looks.append((request.number, request.target.subject, late))
    return [entry[2] for entry in sorted(looks, key=lambda entry: entry[:2])]


def _look(request: Request, connector: Connector, anchors: Anchors) -> Look | list[Request]:
    """One look; or, for a host of which every address is wanted, the requests for these."""
    if request.place is None:
        return _look_at_file(request.target, anchors)
    if request.every_address:
        return _each_address(request, request.place)
    return _look_at_endpoint(request.target, request.place, connector)


def _each_address(request: Request, place: Place) -> Look | list[Request]:
    try:
        found = addresses(place.host, place.port)
    except OSError as error:
        return Look(
            request.target,
            failure=connection_failure(error, place.host, place.port).text,
            remedy=_UNREACHED,
        )
    name = host_port(place.server_name, place.port)
    return [
        replace(
            request,
            target=replace(request.target, subject=f"{name} at {address}"),
            place=replace(place, address=address),
            every_address=False,
        )
        for address in found
    ]


def _look_at_endpoint(target: Target, place: Place, connector: Connector) -> Look:
    served = connector.look(place, _current)
    if served.failure:
        return Look(target, failure=served.failure, remedy=served.remedy or _UNREACHED)
    try:
        chain = tuple(parse(der) for der in served.chain)
    except Nonsense as error:
        return Look(
            target,
            failure=f"a certificate that is served cannot be read: {error}",
            remedy="Issue it anew with a current tool.",
        )
    return Look(
        target,
        chain=chain,
        whole=served.whole,
        code=served.code,
        message=served.message,
        peer=served.peer,
        tls=served.tls,
        disk=_read_disk(target.file),
        key=_read_key(target.key_file),
    )


def _look_at_file(target: Target, anchors: Anchors) -> Look:
    disk = _read_disk(target.file)
    if isinstance(disk, FileProblem):
        return Look(target, disk=disk)
    return Look(
        target, chain=disk, code=_trust(path_from(disk), anchors), key=_read_key(target.key_file)
    )


def _trust(path: Sequence[Certificate], anchors: Anchors) -> int:
    """OpenSSL's code for how far a path leads."""
    if not all(one.authority for one in path[1:]):
        return INVALID_CA
    if anchors.vouch_for(path[-1]):
        return 0
    if path[-1].self_issued:
        return SELF_SIGNED if len(path) == 1 else SELF_SIGNED_IN_CHAIN
    return NO_LOCAL_ISSUER


def _read_disk(path: str) -> tuple[Certificate, ...] | FileProblem:
    try:
        return read_certificates(path) if path else ()
    except FileProblem as problem:
        return problem


def _read_key(path: str) -> bytes | FileProblem:
    try:
        return read_public_key(path) if path else b""
    except FileProblem as problem:
        return problem


def _current(der: bytes) -> bool:
    try:
        certificate = parse(der)
    except Nonsense:
        return True
    return certificate.not_before <= datetime.now(timezone.utc) < certificate.not_after
