"""What replies of the server and exceptions of redis-py mean."""

from __future__ import annotations

import socket
import ssl

import pytest
import redis

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import (
    NotCollected,
    Refused,
    RunbookError,
    Unreachable,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis import errors
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.errors import (
    CommandRefused,
    Loading,
    NotListening,
    PrimaryDown,
    SaveFailed,
    WrongLogin,
    error_of_exception,
    error_of_reply,
)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("Authentication required.", Refused, "needs a password"),
        ("NOAUTH Authentication required.", Refused, "needs a password"),
        ("invalid username-password pair or user is disabled.", WrongLogin, "refuses the password"),
        ("WRONGPASS invalid username-password pair", WrongLogin, "refuses the password"),
        (
            "AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?",
            Refused,
            "no password set",
        ),
        ("Redis is loading the dataset in memory", Loading, "loading its data"),
        ("Valkey is loading the dataset in memory", Loading, "loading its data"),
        (
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            PrimaryDown,
            "lost its primary",
        ),
        ("User u has no permissions to run the 'ping' command", CommandRefused, "lacks permission"),
        (
            "NOPERM this user has no permissions to run the 'ping' command or its subcommand",
            CommandRefused,
            "lacks permission",
        ),
        (
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or "
            "SHUTDOWN NOSAVE.",
            Refused,
            "busy with one script",
        ),
        (
            "BUSY Valkey is busy running a script. You can only call FUNCTION KILL",
            Refused,
            "busy with one script",
        ),
        (
            "DENIED Redis is running in protected mode because protected mode is enabled and no "
            "password is set for the default user.",
            Refused,
            "protected mode",
        ),
        (
            "-DENIED Running in protected mode because protected mode is enabled and no password "
            "is set for the default user. In this mode connections are only accepted from the",
            Refused,
            "protected mode",
        ),
        ("-ERR max number of clients reached\r\n", Refused, "maxclients is reached"),
        (
            "MISCONF Redis is configured to save RDB snapshots, "
            "but it's currently unable to persist to disk.",
            SaveFailed,
            "refuses every write",
        ),
        ("DB index is out of range", Refused, "no database"),
    ],
)
def test_replies(text: str, kind: type[RunbookError], said: str) -> None:
    error = error_of_reply(text, Endpoint("db1", 7, username="u", password="p"))
    assert type(error) is kind
    assert said in str(error)
    assert "db1:7" in str(error)
    assert error.remedy
    assert "{" not in str(error) + error.remedy


@pytest.mark.parametrize("text", ["WRONGPASS invalid username-password pair", "NOPERM"])
def test_a_user_without_a_password_is_not_shown(text: str) -> None:
    endpoint = Endpoint("db1", 7, username="hunter2")
    error = error_of_reply(text, endpoint)
    assert error
    assert "hunter2" not in f"{error} {error.remedy} {endpoint}"


def test_a_reply_that_is_not_known_means_nothing() -> None:
    assert error_of_reply("something else", Endpoint("db1")) is None


def caused(cause: BaseException, error: Exception | None = None) -> Exception:
    try:
        try:
            raise cause
        except OSError:
            raise error or redis.ConnectionError("Error connecting") from None
    except redis.RedisError as raised:
        return raised


@pytest.mark.parametrize(
    ("cause", "kind", "said"),
    [
        (ConnectionRefusedError(111, "refused"), NotListening, "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), Unreachable, "does not resolve"),
        (FileNotFoundError(2, "No such file"), NotListening, "no socket"),
        (PermissionError(13, "Permission denied"), NotCollected, "lacks permission"),
        (OSError(113, "No route to host"), Unreachable, "No route"),
        (ssl.SSLCertVerificationError(1, "bad"), Unreachable, "is not trusted: self-signed"),
    ],
)
def test_the_error_of_the_system_is_found_behind_that_of_the_library(
    cause: OSError, kind: type[RunbookError], said: str
) -> None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        cause.verify_message = "self-signed certificate"
    error = error_of_exception(caused(cause), Endpoint("db1"), 3)
    assert type(error) is kind
    assert said in str(error)


def test_an_unknown_error_reveals_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "first_words", lambda endpoint: "+PONG\r\n")
    error = error_of_exception(
        redis.RedisError("odd: Zq7#x and Zq7%23x and redis://u:Zq7%23x@h"),
        Endpoint("db1", password="Zq7#x"),
        3,
    )
    assert "db1:6379 cannot be used: odd: ***" in str(error)
    assert "Zq7" not in str(error) + error.remedy
