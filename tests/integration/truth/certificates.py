"""Certificates: what clients make of those that nginx serves or is about to load.

Each chain of ``tests/support/chains.py`` also goes to OpenSSL and to nginx, and all agree:
``tests/integration/certificates/test_one_judge.py``.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from tests.support.chains import CASES, Chain, ca, named, server, simple
from tests.support.nginx_tls import nginx_with
from tests.support.throwaway import DAY, listening, now, server_context, tls, write
from tests.support.truth import Answer, Bed, situation

SERVICE = "certificates"
PAGE, CHAIN, NAME = "web.endpoint", "certificate.chain", "certificate.hostname"
EXPIRY, KEY, SERVED = "certificate.expiry", "certificate.key", "certificate.served_is_file"
WRONG_FOR_ALL = "fullchain.pem"


def put(bed: Bed, chain: Chain, stem: str = "served") -> dict[str, str]:
    """The files of a chain: what nginx calls ssl_certificate and ssl_certificate_key."""
    return {
        "file": write(bed.folder / f"{stem}.pem", chain.pem),
        "key_file": write(bed.folder / f"{stem}.key", chain.leaf.key_pem),
    }


def ask(bed: Bed, chain: Chain, port: int, **endpoint: object) -> Answer:
    """Both probes' answers about what is served."""
    ca_file = write(bed.folder / "ca.pem", *(one.pem for one in chain.trusted))
    one = {"host": "127.0.0.1", "port": port, "server_name": chain.name, **endpoint}
    answer = bed.run("cert_check", {"endpoints": [one], "ca_file": ca_file})
    url = {"url": f"https://{chain.name}:{port}/", "address": "127.0.0.1"}
    page = bed.run("http_check", {"endpoints": [url], "ca_file": ca_file})
    checks = [check for check in page["checks"] if check["name"] == PAGE]
    return {**answer, "checks": [*answer["checks"], *checks]}


def served(make: Callable[[], Chain]) -> Callable[[Bed], Answer]:
    def look(bed: Bed) -> Answer:
        chain = make()
        return ask(bed, chain, bed.enter(nginx_with(bed.folder, **put(bed, chain))))

    return look


def read(make: Callable[[], Chain]) -> Callable[[Bed], Answer]:
    """What cert_check says of the file alone."""

    def look(bed: Bed) -> Answer:
        chain = make()
        files = put(bed, chain)
        one = {"path": files["file"], "key_file": files["key_file"]}
        ca_file = write(bed.folder / "ca.pem", *(one.pem for one in chain.trusted))
        return bed.run("cert_check", {"files": [one], "ca_file": ca_file})

    return look


FINE = {PAGE: "ok", EXPIRY: "ok", CHAIN: "ok", NAME: "ok", KEY: "ok"}
REFUSED = {PAGE: "critical", CHAIN: "critical", EXPIRY: "ok", NAME: "ok"}

#: A case of chains.py that nginx serves: what clients see of it, and words of the answer.
SERVED_CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "healthy": (FINE, "trusted: leads to 'Root'", ""),
    "an expired cross-sign is still sent": (FINE, "is not needed", "expired in|Serve"),
    "an expired root is still sent": (FINE, "'Old root', expired on", ""),
    "an expired intermediate beside its successor": (FINE, "is not needed", ""),
    "the wrong order": (FINE, "in another order", ""),
    "the certificate twice": (FINE, "trusted", ""),
    "an expired intermediate": (REFUSED, "Serve the issuer's current intermediate", WRONG_FOR_ALL),
    "only an expired cross-sign": (REFUSED, "update the roots here", WRONG_FOR_ALL),
    "an expired root": (REFUSED, "the root 'Root' expired", WRONG_FOR_ALL),
    "an expired certificate": (
        {PAGE: "critical", EXPIRY: "critical", CHAIN: "ok", NAME: "ok"},
        "certbot renew",
        WRONG_FOR_ALL,
    ),
    "a certificate of the future": (
        {PAGE: "critical", EXPIRY: "critical", CHAIN: "ok"},
        "timedatectl",
        WRONG_FOR_ALL,
    ),
    "an issuer that is no CA": (REFUSED, "CA:TRUE", WRONG_FOR_ALL),
    "a path that is too long": (REFUSED, "pathlen", WRONG_FOR_ALL),
    "names outside the CA's constraints": (REFUSED, "name constraints", WRONG_FOR_ALL),
    "a certificate for clients": (
        {PAGE: "critical", CHAIN: "critical"},
        "serverAuth",
        WRONG_FOR_ALL,
    ),
    "the intermediate is missing": (REFUSED, "fullchain.pem", ""),
    "a private CA": (REFUSED, "ca_file", WRONG_FOR_ALL),
    "self-signed": (REFUSED, "Let's Encrypt", WRONG_FOR_ALL),
    "a wildcard": (FINE, "issued for 'www.your-domain.test'", ""),
    "a wildcard, two labels deep": (
        {PAGE: "critical", NAME: "critical", CHAIN: "ok"},
        "one label only",
        WRONG_FOR_ALL,
    ),
    "an address": (FINE, "", ""),
    "another address": ({PAGE: "critical", NAME: "critical", CHAIN: "ok"}, "", WRONG_FOR_ALL),
}
for words, (verdicts, says, never) in SERVED_CASES.items():
    situation(SERVICE, f"served, {words}", verdicts, says=says, never=never)(
        served(CASES[words].make)
    )

BAD_FILE = {EXPIRY: "ok", CHAIN: "critical"}
for words, verdict in {
    "healthy": {EXPIRY: "ok", CHAIN: "ok", KEY: "ok"},
    "an expired cross-sign is still sent": {EXPIRY: "ok", CHAIN: "ok"},
    "an expired root": BAD_FILE,
    "an issuer that is no CA": BAD_FILE,
    "an issuer that may not sign certificates": BAD_FILE,
    "a path that is too long": BAD_FILE,
    "names outside the CA's constraints": BAD_FILE,
    "signed with SHA-1": BAD_FILE,
    "a certificate for clients": {EXPIRY: "ok", CHAIN: "not judged"},
}.items():
    situation(SERVICE, f"in a file, {words}", verdict)(read(CASES[words].make))


def renewed(bed: Bed, change: Callable[[Chain], Chain]) -> Answer:
    """nginx serves the certificate of before; the file has another."""
    chain = simple({"starts": now() - 60 * DAY}, {}, {})
    port = bed.enter(nginx_with(bed.folder, **put(bed, chain)))
    return ask(bed, chain, port, **put(bed, change(chain), "renewed"))


def successor(chain: Chain, *names: str) -> Chain:
    return Chain(server(chain.sent[0], *names), chain.sent, chain.trusted)


@situation(
    SERVICE,
    "renewed, and nginx not reloaded",
    {PAGE: "ok", CHAIN: "ok", SERVED: "critical"},
    says="not reloaded\nReload what serves it",
)
def not_reloaded(bed: Bed) -> Answer:
    return renewed(bed, successor)


@situation(
    SERVICE,
    "the file is the one that nginx serves",
    {PAGE: "ok", CHAIN: "ok", SERVED: "ok", KEY: "ok"},
)
def the_same(bed: Bed) -> Answer:
    return renewed(bed, lambda chain: chain)


@situation(
    SERVICE,
    "renewed without its intermediate, and nginx not reloaded",
    {PAGE: "ok", CHAIN: "ok", SERVED: "critical"},
    says="Do not reload before the file is right",
    never="systemctl reload",
)
def incomplete(bed: Bed) -> Answer:
    return renewed(bed, lambda chain: Chain(successor(chain).leaf, [], chain.trusted))


@situation(
    SERVICE,
    "renewed for another name, and nginx not reloaded",
    {PAGE: "ok", NAME: "ok", SERVED: "critical"},
    says="Put the right certificate there before anything is reloaded",
    never="systemctl reload",
)
def renamed(bed: Bed) -> Answer:
    return renewed(bed, lambda chain: successor(chain, "other.test"))


@situation(
    SERVICE,
    "two certificates meet on one line of the file, after a script without line breaks",
    {EXPIRY: "critical"},
    says="put a line break between the two",
)
def without_a_line_break(bed: Bed) -> Answer:
    chain = simple({}, {}, {})
    content = chain.leaf.pem.rstrip() + chain.sent[0].pem
    return bed.run("cert_check", {"files": [{"path": write(bed.folder / "f.pem", content)}]})


@situation(
    SERVICE,
    "the file has the issuer first, so that the key does not fit",
    {CHAIN: "critical", KEY: "critical"},
    says="must come first",
)
def issuer_first(bed: Bed) -> Answer:
    chain = simple({}, {}, {})
    content = chain.sent[0].pem + chain.leaf.pem
    files = {
        "path": write(bed.folder / "f.pem", content),
        "key_file": write(bed.folder / "f.key", chain.leaf.key_pem),
    }
    ca_file = write(bed.folder / "ca.pem", chain.trusted[0].pem)
    return bed.run("cert_check", {"files": [files], "ca_file": ca_file})


@situation(
    SERVICE,
    "the server requires a certificate of its clients",
    {EXPIRY: "ok", CHAIN: "ok", NAME: "ok", KEY: "ok"},
)
def client_certificate_required(bed: Bed) -> Answer:
    chain = simple({}, {}, {})
    context = server_context(bed.folder, chain.leaf, chain.sent[0].pem)
    context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2
    ca_file = write(bed.folder / "ca.pem", chain.trusted[0].pem)
    context.load_verify_locations(ca_file)
    port = bed.enter(listening(tls(context)))
    one = {"host": "127.0.0.1", "port": port, "server_name": chain.name}
    return bed.run("cert_check", {"endpoints": [one], "ca_file": ca_file})


@situation(
    SERVICE,
    "the private CA's root ends in two weeks",
    {PAGE: "ok", EXPIRY: "ok", CHAIN: "warning"},
    says="the root 'Root' expires in 1[34] days\nHave the certificate issued under a current root",
)
def root_ends_soon(bed: Bed) -> Answer:
    return served(lambda: simple({}, {}, {"lifetime": 15 * DAY}))(bed)


@situation(
    SERVICE,
    "a cross-sign ends in two days, and the young root is trusted",
    {PAGE: "ok", EXPIRY: "ok", CHAIN: "ok"},
)
def cross_sign_ends_soon(bed: Bed) -> Answer:
    def make() -> Chain:
        old, young = ca("Old root"), ca("Young root")
        cross = ca("Young root", old, key=young.key, lifetime=3 * DAY)
        between = ca("Intermediate", young)
        return Chain(server(between), [between, cross], [old, young])

    return served(make)(bed)


@situation(
    SERVICE,
    "a wildcard and a name with an underscore, which OpenSSL refuses",
    {PAGE: "critical", NAME: "critical", CHAIN: "ok"},
    says="no underscore",
)
def underscore(bed: Bed) -> Answer:
    return served(lambda: named(["*.your-domain.test"], "my_app.your-domain.test"))(bed)
