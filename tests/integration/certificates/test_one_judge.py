"""One question, one answer: both probes, OpenSSL and nginx agree on every chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule
from tests.support.chains import (
    CASES,
    NAME,
    Case,
    Chain,
    openssl_accepts_file,
    openssl_accepts_server,
)
from tests.support.nginx_tls import nginx_accepts
from tests.support.throwaway import server_context, site, write
from tests.support.web import HEALTH, endpoint_check

#: Weak keys and signatures are this check's matter as well; clients refuse them by the chain.
KEY = "certificate.key"


def by_check(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in answer["checks"]}


def critical(checks: dict[str, dict[str, Any]]) -> set[str]:
    found = {name for name, check in checks.items() if check["status"] == "critical"}
    return found - {KEY}


@pytest.mark.parametrize("words", CASES)
def test_all_judges_agree(run_module: RunModule, tmp_path: Path, words: str) -> None:
    case, chain = CASES[words], CASES[words].make()
    ca_file = write(tmp_path / "ca.pem", *(one.pem for one in chain.trusted))
    context = server_context(tmp_path, chain.leaf, *(one.pem for one in chain.sent))
    with site({"/": HEALTH}, context) as web:
        url = {"url": web.url("/", "https", chain.name), "address": "127.0.0.1"}
        page = endpoint_check(run_module("http_check", {"endpoints": [url], "ca_file": ca_file}))
        endpoint = {"host": "127.0.0.1", "port": web.port, "server_name": chain.name}
        served = by_check(run_module("cert_check", {"endpoints": [endpoint], "ca_file": ca_file}))
        client = openssl_accepts_server(web.port, ca_file, chain.name)
    accepted = not case.refused_by
    if words != "a wildcard for a part of a label":  # browsers and Python refuse it
        assert client[0] == accepted, client[1]
    assert (page["status"] == "ok") == accepted, page["summary"]
    assert accepted or page["summary"].startswith("TLS: ")
    expected = {case.refused_by, *case.checks} if case.refused_by else set()
    assert critical(served) == expected, served
    judge_words(case, served)
    judge_file(run_module, tmp_path, case, chain, ca_file)


def judge_words(case: Case, checks: dict[str, dict[str, Any]]) -> None:
    check = checks[case.refused_by or "certificate.chain"]
    assert case.says in check["summary"]
    assert case.remedy in check["remedy"]
    if case.refused_by == "certificate.chain":
        assert ("fullchain.pem" in check["remedy"]) == ("missing" in check["summary"])


def judge_file(run_module: RunModule, folder: Path, case: Case, chain: Chain, ca_file: str) -> None:
    file = write(folder / "fullchain.pem", chain.pem)
    key_file = write(folder / "privkey.pem", chain.leaf.key_pem)
    one = {"path": file, "key_file": key_file}
    checks = by_check(run_module("cert_check", {"files": [one], "ca_file": ca_file}))
    accepted, said = openssl_accepts_file(file, ca_file)
    expected = {name for name in (case.refused_by, *case.checks) if name not in ("", NAME)}
    if "for clients" in checks["certificate.chain"]["summary"]:
        expected = set()
    else:
        assert accepted == (not expected), said
    assert critical(checks) == expected, checks
    loads, said = nginx_accepts(folder, file, key_file)
    assert loads or checks[KEY]["status"] == "critical", said


GOOD, CUT = "", "is not a certificate file"
#: What editors and scripts make of a good file: the bytes, and what cert_check says of them.
FILES: dict[str, tuple[Any, str]] = {
    "as it is": (lambda pem, _rest: pem, GOOD),
    "with the line ends of Windows": (lambda pem, _rest: pem.replace(b"\n", b"\r\n"), GOOD),
    "with blanks at line ends": (lambda pem, _rest: pem.replace(b"\n", b"  \n"), GOOD),
    "with text between": (lambda pem, _rest: b"subject=server\n\n" + pem + b"\nbye", GOOD),
    "without a line break at its end": (lambda pem, _rest: pem.rstrip(), GOOD),
    "without a line break between": (
        lambda pem, _rest: pem.replace(b"-----\n-----", b"----------"),
        "put a line break between",
    ),
    "with a byte order mark": (lambda pem, _rest: b"\xef\xbb\xbf" + pem, GOOD),
    "with a byte order mark before the issuer": (
        lambda pem, _rest: pem.replace(b"-----\n-----B", b"-----\n\xef\xbb\xbf-----B"),
        GOOD,
    ),
    "indented": (
        lambda pem, _rest: pem.replace(b"-----BEGIN", b"  -----BEGIN"),
        "'-----BEGIN CERTIFICATE-----'",
    ),
    "cut off": (lambda pem, _rest: pem[:-60], "has no end"),
    "cut off within its lines": (
        lambda pem, _rest: pem[:-300] + b"\n-----END CERTIFICATE-----\n",
        CUT,
    ),
    "the issuer first": (lambda pem, rest: rest + pem, "must come first"),
    "with the key in it": (lambda pem, _rest: pem, GOOD),
}


@pytest.mark.parametrize("words", FILES)
def test_a_file_that_nginx_does_not_load_is_critical(
    run_module: RunModule, tmp_path: Path, words: str
) -> None:
    chain = CASES["healthy"].make()
    change, says = FILES[words]
    content = change(chain.pem, chain.sent[0].pem)
    if "key in it" in words:
        content = chain.leaf.key_pem + content
    file, key_file = (
        write(tmp_path / "fullchain.pem", content),
        write(tmp_path / "privkey.pem", chain.leaf.key_pem),
    )
    ca_file = write(tmp_path / "ca.pem", chain.trusted[0].pem)
    for one in ({"path": file, "key_file": key_file}, {"path": file}):
        checks = by_check(run_module("cert_check", {"files": [one], "ca_file": ca_file}))
        assert bool(critical(checks)) == bool(says), checks
        assert not says or any(says in checks[name]["summary"] for name in critical(checks)), checks
    loads, said = nginx_accepts(tmp_path, file, key_file)
    assert loads == (not says), said
