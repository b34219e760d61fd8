"""Chains of certificates with a known truth, and what several judges say of them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.throwaway import DAY, Pair, issue, now, write

HOST = "localhost"
#: For years, and over.
OLD = {"starts": now() - 4000 * DAY, "lifetime": 3000 * DAY}
FUTURE = {"starts": now() + 5 * DAY}
LONG = {"lifetime": 3000 * DAY}


@dataclass(frozen=True)
class Chain:
    """What a server sends, or a file holds, and whom its clients trust."""

    leaf: Pair
    sent: Sequence[Pair] = ()
    trusted: Sequence[Pair] = ()
    name: str = HOST

    @property
    def pem(self) -> bytes:
        return b"".join(one.pem for one in (self.leaf, *self.sent))


@dataclass(frozen=True)
class Case:
    """A chain and the truth about it."""

    make: Callable[[], Chain]
    refused_by: str = ""
    """Name of the check that is critical; empty if clients accept the chain."""
    says: str = ""
    """A part of its summary."""
    remedy: str = ""
    """A part of its remedy."""
    checks: Sequence[str] = field(default=())
    """Further checks that are critical."""


def ca(name: str, issuer: Pair | None = None, **more: Any) -> Pair:
    return issue(name, issuer, authority=True, **{**LONG, **more})


def server(issuer: Pair | None, *names: str, **more: Any) -> Pair:
    return issue("server", issuer, names=names or (HOST,), **more)


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    others = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=True, crl_sign=True, key_cert_sign=signs_certificates, **others
    )


def simple(leaf: dict[str, Any], middle: dict[str, Any], root: dict[str, Any]) -> Chain:
    """A root, an intermediate and a server's certificate with what is special about them."""
    top = ca("Root", **root)
    between = issue("Intermediate", top, **{"authority": True, **LONG, **middle})
    return Chain(server(between, **leaf), [between], [top])


def named(names: Sequence[str], asked: str) -> Chain:
    chain = simple({}, {}, {})
    top = chain.sent[0]
    return Chain(server(top, *names), [top], chain.trusted, asked)


def old_cross_sign(*, sends_old_root: bool = False, trusts_old_root: bool = False) -> Chain:
    """A young root, which an old one signed as well; the old one and its signature are over."""
    old, young = ca("Old root", **OLD), ca("Young root")
    cross = issue("Young root", old, authority=True, key=young.key, **OLD)
    between = ca("Intermediate", young)
    return Chain(
        server(between),
        [between, cross, *([old] if sends_old_root else [])],
        [*([old] if trusts_old_root else []), young],
    )


def two_intermediates() -> Chain:
    """The server still sends the intermediate of before, with the same key, besides the new one."""
    top = ca("Root")
    before = ca("Intermediate", top, **OLD)
    between = ca("Intermediate", top, key=before.key)
    return Chain(server(between), [before, between], [top])


def two_roots(*, same_key: bool) -> Chain:
    """The file of trusted roots still has the one of before."""
    before = ca("Root", **OLD)
    top = ca("Root", key=before.key if same_key else "ec")
    between = ca("Intermediate", top)
    return Chain(server(between), [between], [before, top])


def only_old_cross_sign() -> Chain:
    """As above, for clients that know the old root alone."""
    chain = old_cross_sign(trusts_old_root=True)
    return Chain(chain.leaf, chain.sent, chain.trusted[:1])


def namesake() -> Chain:
    """The intermediate sent has the right name and another key."""
    chain = simple({}, {}, {})
    other = issue("Intermediate", ca("Root"), authority=True)
    return Chain(chain.leaf, [other], chain.trusted)


def too_deep() -> Chain:
    top = ca("Root")
    upper = ca("Upper", top, path_length=0)
    lower = ca("Lower", upper)
    return Chain(server(lower), [lower, upper], [top])


def sent_as(arrange: Callable[[Pair, Pair, Pair, Pair], Sequence[Pair]]) -> Chain:
    top = ca("Root")
    upper = ca("Upper", top)
    lower = ca("Lower", upper)
    leaf = server(lower)
    return Chain(leaf, arrange(leaf, lower, upper, top), [top])


def alone(*, trusted: bool) -> Chain:
    own = server(None)
    return Chain(own, [], [own] if trusted else [ca("Root")])


def stranger(*, sends_root: bool) -> Chain:
    chain = simple({}, {}, {})
    return Chain(
        chain.leaf, [*chain.sent, *(chain.trusted if sends_root else ())], [ca("Another root")]
    )


def missing(*, sent: bool) -> Chain:
    chain = simple({}, {}, {})
    return Chain(chain.leaf, [ca("Stray", ca("Root"))] if sent else [], chain.trusted)


def trusting_the_intermediate() -> Chain:
    chain = simple({}, {}, {})
    return Chain(chain.leaf, chain.sent, chain.sent)


def with_sha1(place: int) -> Chain:
    """A certificate (0), its intermediate (1) or the root (2) signed with SHA-1 by OpenSSL."""
    chain = simple({}, {}, {})
    pairs = [chain.leaf, *chain.sent, *chain.trusted]
    pairs[place] = _signed_with_sha1(pairs[place], pairs[min(place + 1, 2)])
    return Chain(pairs[0], [pairs[1]], [pairs[2]])


def _signed_with_sha1(pair: Pair, issuer: Pair) -> Pair:
    request = x509.CertificateSigningRequestBuilder().subject_name(pair.certificate.subject)
    for extension in pair.certificate.extensions:
        request = request.add_extension(extension.value, extension.critical)
    signed = request.sign(pair.key, hashes.SHA256())
    with tempfile.TemporaryDirectory() as folder:
        own = write(Path(folder, "own.csr"), signed.public_bytes(serialization.Encoding.PEM))
        ca_file = write(Path(folder, "ca.pem"), issuer.pem)
        key = write(Path(folder, "ca.key"), issuer.key_pem)
        done = run(
            *("openssl", "x509", "-req", "-in", own, "-CA", ca_file, "-CAkey", key, "-sha1"),
            *("-days", "90", "-set_serial", "7", "-copy_extensions", "copyall"),
        )
    assert done.returncode == 0, done.stderr
    return Pair(x509.load_pem_x509_certificate(done.stdout.encode()), pair.key)


CHAIN, EXPIRY, NAME = "certificate.chain", "certificate.expiry", "certificate.hostname"
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
CONSTRAINED = x509.NameConstraints([x509.DNSName("intern.test")], None)
EXCLUDING = x509.NameConstraints(None, [x509.DNSName(HOST)])
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")

_A = simple  # short, for the table

CASES: dict[str, Case] = {
    "healthy": Case(partial(_A, {}, {}, {}), says="trusted: leads to 'Root'"),
    "an RSA key": Case(partial(_A, {"key": "rsa2048"}, {}, {})),
    "an Ed25519 key": Case(partial(_A, {"key": "ed25519"}, {}, {})),
    "an expired cross-sign is still sent": Case(
        old_cross_sign, says="leads to 'Young root' through 'Intermediate'; 'Young root', expired"
    ),
    "an expired root is still sent": Case(
        partial(old_cross_sign, sends_old_root=True), says="'Old root', expired on"
    ),
    "an expired root is still sent and still trusted": Case(
        partial(old_cross_sign, sends_old_root=True, trusts_old_root=True)
    ),
    "an expired intermediate beside its successor": Case(two_intermediates),
    "an expired root beside its successor": Case(partial(two_roots, same_key=True)),
    "an expired root beside its successor, which has a new key": Case(
        partial(two_roots, same_key=False)
    ),
    "only an expired cross-sign": Case(
        only_old_cross_sign, CHAIN, "expired on", "update the roots here"
    ),
    "an expired intermediate": Case(
        partial(_A, {}, OLD, {}), CHAIN, "'Intermediate' expired", "current intermediate"
    ),
    "an intermediate of the future": Case(
        partial(_A, {}, FUTURE, {}), CHAIN, "'Intermediate' is not valid before"
    ),
    "an expired root": Case(
        partial(_A, {}, {}, OLD), CHAIN, "the root 'Root' expired", "update the roots here"
    ),
    "an expired certificate": Case(
        partial(_A, {"starts": now() - 91 * DAY}, {}, {}), EXPIRY, "expired", "certbot renew"
    ),
    "an expired certificate and an expired intermediate": Case(
        partial(_A, {"starts": now() - 91 * DAY}, OLD, {}), EXPIRY, checks=[CHAIN]
    ),
    "a certificate of the future": Case(
        partial(_A, FUTURE, {}, {}), EXPIRY, "not valid before", "clock"
    ),
    "an issuer that is no CA": Case(
        partial(_A, {}, {"authority": False}, {}), CHAIN, "not a CA's: 'Intermediate'", "CA:TRUE"
    ),
    "an issuer that may not sign certificates": Case(
        partial(_A, {}, {"extensions": [usage(signs_certificates=False)]}, {}),
        CHAIN,
        "",
        "keyCertSign",
    ),
    "an issuer that may sign certificates": Case(
        partial(_A, {}, {"extensions": [usage(signs_certificates=True)]}, {})
    ),
    "a path that is too long": Case(too_deep, CHAIN, "path length", "pathlen"),
    "a path of just the length": Case(partial(_A, {}, {"path_length": 0}, {})),
    "names outside the CA's constraints": Case(
        partial(_A, {}, {"extensions": [CONSTRAINED]}, {}),
        CHAIN,
        "outside the name constraints",
        "name constraints that allow them",
    ),
    "names excluded by the CA's constraints": Case(
        partial(_A, {}, {"extensions": [EXCLUDING]}, {}), CHAIN, "excluded by the name constraints"
    ),
    "a critical extension that nobody knows": Case(
        partial(_A, {"extensions": [UNKNOWN]}, {}, {}), CHAIN, "critical extension"
    ),
    "a certificate for clients": Case(
        partial(_A, {"extensions": [CLIENT]}, {}, {}), CHAIN, "not issued for servers", "serverAuth"
    ),
    "an intermediate for clients": Case(
        partial(_A, {}, {"extensions": [CLIENT]}, {}), CHAIN, "not issued for servers", "serverAuth"
    ),
    "the intermediate is missing": Case(
        partial(missing, sent=False), CHAIN, "the intermediate 'Intermediate' is missing", "full"
    ),
    "another intermediate is sent": Case(
        partial(missing, sent=True), CHAIN, "1 other certificate sent instead", "fullchain.pem"
    ),
    "a namesake of the intermediate is sent": Case(namesake, CHAIN),
    "a private CA": Case(
        partial(stranger, sends_root=False), CHAIN, "the issuer 'Root' of", "ca_file"
    ),
    "a private CA that sends its root": Case(
        partial(stranger, sends_root=True), CHAIN, "the root 'Root' is not trusted", "ca_file"
    ),
    "self-signed": Case(partial(alone, trusted=False), CHAIN, "self-signed", "Let's Encrypt"),
    "self-signed and trusted": Case(partial(alone, trusted=True), says="trusted here"),
    "only the intermediate is trusted": Case(
        trusting_the_intermediate, says="leads to 'Intermediate'"
    ),
    "signed with SHA-1": Case(partial(with_sha1, 0), CHAIN, "too weak", "SHA-256"),
    "an intermediate signed with SHA-1": Case(partial(with_sha1, 1), CHAIN, "too weak", "SHA-256"),
    "a root signed with SHA-1": Case(partial(with_sha1, 2)),
    "a weak key": Case(
        partial(_A, {"key": "rsa1024"}, {}, {}), CHAIN, "the key of the certificate", "RSA 2048"
    ),
    "an intermediate with a weak key": Case(
        partial(_A, {}, {"key": "rsa1024"}, {}), CHAIN, "the key of a CA", "whose own key"
    ),
    "the intermediate twice": Case(
        partial(sent_as, lambda _leaf, lower, upper, _root: [lower, lower, upper, upper])
    ),
    "the certificate twice": Case(
        partial(sent_as, lambda leaf, lower, upper, _root: [leaf, lower, upper])
    ),
    "the root is sent": Case(
        partial(sent_as, lambda _leaf, lower, upper, root: [lower, upper, root])
    ),
    "the wrong order": Case(
        partial(sent_as, lambda _leaf, lower, upper, root: [root, upper, lower]),
        says="another order than from issued to issuer",
    ),
    "a stranger among them": Case(
        partial(sent_as, lambda _leaf, lower, upper, _root: [ca("Stray"), lower, upper])
    ),
    "another name": Case(partial(named, ["other.test"], HOST), NAME, "not for 'localhost'"),
    "an address": Case(partial(named, ["127.0.0.1"], "127.0.0.1")),
    "another address": Case(partial(named, ["127.0.0.2"], "127.0.0.1"), NAME),
    "a wildcard": Case(partial(named, ["*.your-domain.test"], "www.your-domain.test")),
    "a wildcard, two labels deep": Case(
        partial(named, ["*.your-domain.test"], "a.b.your-domain.test"), NAME, "one label only"
    ),
    "a wildcard without a label": Case(
        partial(named, ["*.your-domain.test"], "your-domain.test"), NAME, "without a label"
    ),
    "a wildcard for a part of a label": Case(
        partial(named, ["w*.your-domain.test"], "www.your-domain.test"), NAME
    ),
    "a wildcard for a top level": Case(partial(named, ["*.test"], "your-domain.test"), NAME),
    "a name with umlauts": Case(partial(named, ["xn--bcher-kva.test"], "xn--bcher-kva.test")),
    "in capitals": Case(partial(named, ["Your-Domain.TEST"], "your-domain.test")),
}


# --- what others say


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, timeout=30, input=""
    )


def _name_options(name: str) -> tuple[str, str]:
    kind = "-verify_ip" if name.replace(".", "").isdigit() else "-verify_hostname"
    return kind, name


def openssl_accepts_server(port: int, ca_file: str, name: str) -> tuple[bool, str]:
    """``openssl s_client``."""
    done = run(
        *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-verify_return_error"),
        *("-partial_chain", "-CAfile", ca_file, *_name_options(name)),
    )
    return done.returncode == 0, done.stdout + done.stderr


def openssl_accepts_file(file: str, ca_file: str, name: str = "") -> tuple[bool, str]:
    """``openssl verify``, with the strength of keys that servers' clients demand."""
    done = run(
        *("openssl", "verify", "-purpose", "sslserver", "-auth_level", "2", "-partial_chain"),
        *("-CAfile", ca_file, "-untrusted", file, *(_name_options(name) if name else ()), file),
    )
    return done.returncode == 0, done.stdout + done.stderr
