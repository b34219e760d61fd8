"""The pipeline that reads a backup, and which of its programs is to blame."""

from pathlib import Path

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.errors import NotCollected
from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.processes import (
    Command,
    Ended,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.archive import (
    PipelineFailed,
    Reader,
    culprit,
    is_seekable,
    main_line,
    output_of,
    reading,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.naming import (
    Name,
    parse_name,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.programs import Programs

READER = Reader(Programs("/usr/bin", "18.6"), identity="/etc/key", age="cat")


def name(text: str) -> Name:
    found = parse_name(f"20261128T030000Z.{text}")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("form", "pipeline"),
    [
        ("dir", ["pg_restore --list /b"]),
        ("dump", ["pg_restore --list /b"]),
        ("dump.zst", ["zstd --decompress --stdout --quiet /b", "pg_restore --list"]),
        ("dump.age", ["cat --decrypt --identity /etc/key /b", "pg_restore --list"]),
        (
            "dump.zst.age",
            [
                "cat --decrypt --identity /etc/key /b",
                "zstd --decompress --stdout --quiet",
                "pg_restore --list",
            ],
        ),
    ],
)
def test_each_form_has_its_pipeline(form: str, pipeline: list[str]) -> None:
    last = Command(["pg_restore", "--list"])
    commands = reading("/b", name(form), last, READER)
    assert [" ".join(command.argv) for command in commands] == pipeline
    assert is_seekable(name(form)) == (len(pipeline) == 1)


def test_sql_goes_into_psql() -> None:
    commands = reading("/b", name("sql"), Command(["/usr/bin/psql", "-X"]), READER)
    assert [command.argv for command in commands] == [["/usr/bin/psql", "-X", "--file=/b"]]


def test_an_encrypted_one_needs_the_key() -> None:
    with pytest.raises(NotCollected, match="age_identity is not given"):
        reading("/b", name("dump.age"), Command(["cat"]), Reader(READER.programs))


def test_a_missing_program_is_named() -> None:
    reader = Reader(READER.programs, "/etc/key", age="no-such-age")
    with pytest.raises(NotCollected, match="no-such-age is not installed"):
        reading("/b", name("dump.age"), Command(["cat"]), reader)


def test_who_lost_its_reader_is_not_to_blame() -> None:
    reader = Ended("pg_restore", 1, "pg_restore: error: could not uncompress data")
    assert culprit([Ended("age", -13, ""), reader]) is reader
    assert culprit([Ended("zstd", 1, "zstd: error 70: Write error: Broken pipe"), reader]) is reader
    key = Ended("age", 1, "age: error: no identity matched any of the recipients")
    assert culprit([key, Ended("pg_restore", 1, "input file is too short")]) is key
    assert PipelineFailed(key).wrong_key
    assert culprit([Ended("age", 0, ""), Ended("pg_restore", 0, "")]) is None


def test_what_a_program_says_comes_without_its_name() -> None:
    assert main_line("pg_dump: first\npg_dump: error: it failed\n\n") == "error: it failed"
    query = "pg_dump: error: query failed: no\npg_dump: detail: Query was: LOCK TABLE"
    assert main_line(query) == "error: query failed: no"
    worker = "pg_dump: error: a worker process died unexpectedly\npg_dump: error: no space"
    assert main_line(worker) == "error: no space"
    assert main_line("something went wrong: here") == "something went wrong: here"
    assert main_line("") == ""


def test_the_output_is_complete(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 300_000)
    text = output_of([Command(["cat", str(tmp_path / "file")])], lambda: None)
    assert len(text) == 300_000
    with pytest.raises(PipelineFailed, match=r"cat failed \(exit code 1\): .*No such file"):
        output_of([Command(["cat", str(tmp_path / "other")])], lambda: None)
