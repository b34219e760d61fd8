"""Commands that are renamed, disabled or not permitted, by what servers of all versions reply."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.commands import (
    quoted,
    refusal,
    refusals,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.connection import Endpoint

DB = Endpoint("db1", 7, username="app", password="p")
UNKNOWN = "unknown command 'INFO', with args beginning with: "
DENIED = "User app has no permissions to run the '{}' command"
#: As redis-py has it in a pipeline, with the key of another app.
PIPELINE = "Command # 1 (MEMORY USAGE session:Zq7 SAMPLES 5) of pipeline caused error: {}"


@pytest.mark.parametrize(
    ("reply", "command", "said", "remedy"),
    [
        (UNKNOWN, "INFO", "db1:7 does not offer INFO", "remove the line of INFO"),
        ("unknown command `CONFIG`, with args", "CONFIG GET", "CONFIG GET", "'ACL SETUSER APP -co"),
        (
            DENIED.format("info"),
            "INFO",
            "user app of db1:7 lacks permission for INFO",
            "app +info'",
        ),
        (
            "NOPERM this user has no permissions to run the 'config' command or its subcommand",
            "CONFIG GET",
            "permission for CONFIG GET",
            "+config|get'",
        ),
        (DENIED.format("select"), "INFO", "permission for SELECT", "app +select'"),
        (DENIED.format("client|setname"), "INFO", "for CLIENT SETNAME", "+client|setname'"),
        (
            "this user has no permissions to access one of the keys used as arguments",
            "UNLINK",
            "for the keys of UNLINK",
            "~PATTERN",
        ),
        ("No permissions to access a key", "UNLINK", "for the keys of UNLINK", "~PATTERN"),
        (PIPELINE.format("unknown command 'MEMORY'"), "SCAN", "offer MEMORY", "line of MEMORY"),
    ],
)
def test_refusals(reply: str, command: str, said: str, remedy: str) -> None:
    error = refusal(reply, command, DB)
    assert error
    assert said in str(error)
    assert remedy in error.remedy
    assert ("ACL SETUSER app" in error.remedy) == ("permission" in str(error))


def test_what_is_no_refusal_of_a_command() -> None:
    for reply in ("LOADING Redis is loading the dataset in memory", "MOVED 5 db2:7", b"none"):
        assert refusal(reply, "INFO", DB) is None


def test_all_that_is_denied_is_granted_at_once() -> None:
    replies = {
        "INFO": Exception(DENIED.format("info")),
        "CONFIG GET": Exception("unknown command 'CONFIG'"),
        "SLOWLOG GET": [],
        "ACL GETUSER": Exception(DENIED.format("acl|getuser")),
    }
    errors = refusals(replies, DB)
    assert set(errors) == {"INFO", "CONFIG GET", "ACL GETUSER"}
    for name in ("INFO", "ACL GETUSER"):
        assert "'ACL SETUSER app +info +acl|getuser'" in errors[name].remedy
    assert "ACL SETUSER app" not in errors["CONFIG GET"].remedy


def test_a_reply_that_is_not_known_is_quoted_without_keys() -> None:
    reply = Exception(PIPELINE.format("not allowed here, with args beginning with: 'Zq7'"))
    assert quoted(reply, DB) == "not allowed here"
    assert str(refusals({"SCAN": reply}, DB)["SCAN"]) == "db1:7 refuses SCAN: not allowed here"
