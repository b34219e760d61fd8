# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate and key files on this host."""

from __future__ import annotations

import os
import stat
from typing import Any

from ..core.check import CRITICAL, UNKNOWN
from ..core.errors import NotCollected, RunbookError
from ..linux.proc import current_user
from .certificate import Certificate, InvalidCertificate, parse_all, public_key_bytes

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError:  # `certificate` says so
    pass

#: Bytes that a certificate or key file may have.
MAX_FILE = 1 << 20

_INVALID_REMEDY = (
    "Name the right file. If it is the right one, restore it or issue it again ('certbot renew'):"
    " the server will not start without it."
)
_UNREADABLE_REMEDY = (
    "Run this task with 'become: true', or grant that user permission to read the file and to"
    " enter every folder above it."
)
_ENCRYPTED_KEY_REMEDY = (
    "Leave out key_file, or compare by hand: 'openssl pkey -in KEY -pubout' and"
    " 'openssl x509 -in CERTIFICATE -noout -pubkey' must print the same."
)


class InvalidFile(RunbookError):
    """A file is missing or is not what it should be: the server cannot use it either."""

    def __init__(self, message: str) -> None:
        super().__init__(message, _INVALID_REMEDY)


def problem_status(problem: RunbookError) -> str:
    """Unknown if a file could not be read, critical if the server cannot use it either."""
    return UNKNOWN if isinstance(problem, NotCollected) else CRITICAL


def read_certificates(path: str) -> tuple[Certificate, ...]:
    """The certificates of a file; raises `InvalidFile`, or `NotCollected` if unreadable."""
    data = _read(path, "certificate")
    try:
        return tuple(parse_all(data))
    except InvalidCertificate as error:
        raise InvalidFile(f"{path} is not a certificate file: {error}") from None


def read_public_key(path: str) -> bytes:
    """The public half of a private key file, to compare with a certificate's; raises as above."""
    data = _read(path, "key")
    try:
        if b"-----BEGIN" in data:
            key: Any = serialization.load_pem_private_key(data, None)
        else:
            key = serialization.load_der_private_key(data, None)
    except TypeError:
        raise NotCollected(
            f"the key file {path} is protected by a passphrase,"
            " so it cannot be compared with the certificate",
            _ENCRYPTED_KEY_REMEDY,
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidFile(f"{path} holds no private key that can be read") from None
    return public_key_bytes(key.public_key())


def _read(path: str, kind: str) -> bytes:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise InvalidFile(f"the {kind} file {path} is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise InvalidFile(f"the {kind} file {path} is a device or pipe")
        if status.st_size > MAX_FILE:
            raise InvalidFile(
                f"the {kind} file {path} is too large to be one ({status.st_size} bytes)"
            )
        with open(path, "rb") as stream:
            return stream.read(MAX_FILE)
    except FileNotFoundError:
        raise InvalidFile(f"the {kind} file {path} does not exist") from None
    except PermissionError:
        raise NotCollected(
            f"user {current_user()!r} lacks permission to read the {kind} file {path}",
            _UNREADABLE_REMEDY,
        ) from None
    except OSError as error:
        raise NotCollected(
            f"the {kind} file {path} cannot be read: {error.strerror}", _UNREADABLE_REMEDY
        ) from None
