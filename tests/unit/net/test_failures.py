"""Why a connection failed: the words, and the kind by which callers choose a remedy."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.net.failures import (
    CERTIFICATE,
    DROPPED,
    FORBIDDEN,
    NAME,
    NO_ROUTE,
    NO_SOCKET,
    OTHER,
    PROTOCOL,
    REFUSED,
    TIMEOUT,
    TLS,
    connection_failure,
    dropped,
    known_failure,
    timed_out,
    tls_failure,
)


def wrapped(cause: BaseException) -> Exception:
    """The exception as libraries wrap what the operating system reports."""
    try:
        try:
            raise cause
        except BaseException as error:
            raise ValueError("Max retries exceeded with url: /") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            REFUSED,
            "connection refused: nothing listens on db:5432",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            NAME,
            "the name 'db' does not resolve",
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure"),
            NAME,
            "the name server does not answer for 'db'",
        ),
        (
            http.client.RemoteDisconnected("x"),
            DROPPED,
            "db:5432 closed the connection without an answer",
        ),
        (ConnectionResetError(104, "x"), DROPPED, "db:5432 dropped the connection"),
        (socket.timeout("timed out"), TIMEOUT, "db:5432 did not answer in time"),
        (OSError(errno.EHOSTUNREACH, "x"), NO_ROUTE, "no route to db:5432"),
        (
            OSError(errno.EACCES, "x"),
            FORBIDDEN,
            "this machine's firewall blocks connections to db:5432",
        ),
        (
            http.client.BadStatusLine("SSH-2.0-OpenSSH"),
            PROTOCOL,
            "the answer from db:5432 is not HTTP",
        ),
        (
            ssl.SSLEOFError(8, "EOF"),
            TLS,
            "TLS: the server closed the connection during the handshake",
        ),
        (OSError("odd, password=geheim"), OTHER, "no answer from db:5432: odd, password=***"),
    ],
)
def test_why_there_is_no_answer(error: BaseException, kind: str, text: str) -> None:
    failure = connection_failure(wrapped(error), "db", 5432)
    assert (failure.kind, failure.text) == (kind, text)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (FileNotFoundError(errno.ENOENT, "x"), NO_SOCKET, "the socket /run/db does not exist"),
        (
            PermissionError(errno.EACCES, "x"),
            FORBIDDEN,
            "this user lacks permission to open the socket /run/db",
        ),
        (
            ConnectionRefusedError(111, "x"),
            REFUSED,
            "connection refused: nothing listens on /run/db",
        ),
    ],
)
def test_why_a_unix_socket_gives_no_connection(error: OSError, kind: str, text: str) -> None:
    failure = known_failure(wrapped(error), "", "/run/db")
    assert failure is not None
    assert (failure.kind, failure.text) == (kind, text)


def test_an_error_of_the_library_alone_has_no_known_reason() -> None:
    assert known_failure(ValueError("odd"), "db", "db:5432") is None
    assert known_failure(FileNotFoundError(errno.ENOENT, "x"), "db", "db:5432") is None


def test_what_timed_out_and_what_was_dropped() -> None:
    assert timed_out(wrapped(socket.timeout("timed out")))
    assert not timed_out(wrapped(ConnectionRefusedError()))
    assert dropped(wrapped(http.client.RemoteDisconnected("x")))
    assert not dropped(wrapped(ConnectionRefusedError()))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "expired"),
        (9, "not valid yet"),
        (62, "another name, not for 'x.example'"),
        (18, "self-signed, not trusted"),
        (19, "root is not trusted"),
        (20, "issuer is not trusted"),
    ],
)
def test_a_rejected_certificate_is_explained(code: int, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "openssl's own words"
    failure = tls_failure(error, "x.example")
    assert failure.kind == CERTIFICATE
    assert failure.text.startswith("TLS: ")
    assert words in failure.text
