"""What the table of toc of an archive holds."""

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.manifest import (
    Table,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.backup.toc import (
    decoded,
    encoded,
    read_toc,
    shared_out,
)

LIST = """;
; Archive created at 2026-11-28 03:00:00 UTC
;     TOC Entries: 7
;
; Selected TOC Entries:
;
5; 2615 2200 SCHEMA - public pg_database_owner
215; 1259 16390 TABLE public users app
3350; 0 16390 TABLE DATA public users app
3351; 0 16400 TABLE DATA Sales Line items the owner
3352; 0 16410 MATERIALIZED VIEW DATA public totals app
3353; 0 0 BLOBS - BLOBS
"""


def test_every_table_has_data() -> None:
    toc = read_toc(LIST)
    assert (len(toc.entries), toc.data) == (6, 4)
    tables = [
        Table("public", "users", "r", 3),
        Table("Sales", "Line items", "r", 0),
        Table("public", "totals", "m", 1),
        Table("public", "measurements", "p", 9),
    ]
    assert toc.missing(tables) == []


def test_a_table_without_data_is_missing() -> None:
    tables = [Table("public", "user", "r", 3), Table("public", "orders", "r", 0)]
    assert read_toc(LIST).missing(tables) == tables


def test_line_breaks_in_names_are_spaces_in_the_list() -> None:
    toc = read_toc("1; 0 2 TABLE DATA public a b app\n")
    assert toc.missing([Table("public", "a\nb", "r", 0)]) == []


def test_entries_are_shared_out_by_the_size_of_their_data() -> None:
    sizes = {"toc.dat": 999, "3350.dat.zst": 60, "3351.dat.zst": 50, "blob_16400.dat.zst": 20}
    shares = shared_out(LIST, sizes, 2)
    entries = [line for line in LIST.splitlines() if not line.startswith(";")]
    assert sorted(line for share in shares for line in share.splitlines()) == sorted(entries)
    assert [("TABLE DATA public users" in each, "Line items" in each) for each in shares] == [
        (True, False),
        (False, True),
    ]
    assert "BLOBS" in shares[1]


def test_one_table_needs_one_process() -> None:
    assert shared_out("1; 0 2 TABLE DATA public a app\n", {"1.dat": 5}, 4) == [
        "1; 0 2 TABLE DATA public a app\n"
    ]
    assert shared_out(";\n", {}, 4) == []


def test_names_are_in_the_encoding_of_the_database() -> None:
    lines = ["1; 0 2 TABLE DATA public Öl app", "2; 0 3 TABLE DATA public 漢\u2028字 app"]
    latin = decoded(f"{lines[0]}\n".encode("latin-1"))
    assert read_toc(latin).missing([Table("public", "Öl", "r", 0)], "LATIN1") == []
    assert encoded(shared_out(latin, {}, 2)[0]) == f"{lines[0]}\n".encode("latin-1")
    unicode = decoded("\n".join(lines).encode())
    tables = [Table("public", "Öl", "r", 0), Table("public", "漢\u2028字", "r", 0)]
    for encoding in ("UTF8", "SQL_ASCII"):
        assert read_toc(unicode).missing(tables, encoding) == []
    japanese = decoded("1; 0 2 TABLE DATA public 漢字 app\n".encode("euc_jp"))
    assert read_toc(japanese).missing([Table("public", "漢字", "r", 0)], "EUC_JP") == []
