"""The URL of a database as people have it: of other drivers, in quotes, with TLS."""

from __future__ import annotations

import re
from pathlib import Path

from demo.tls import PostgresTls
from tests.support.postgres import Server
from tests.support.truth import Answer, Bed, situation

REACHABLE = "postgres.reachable"


def url_of(bed: Bed, query: str = "") -> str:
    return Server(bed.fixture("stack")).url() + (f"?{query}" if query else "")


def ask(bed: Bed, url: str | None, **env: str) -> Answer:
    given = {} if url is None else {"database_url": url}
    more = {"state_dir": str(bed.folder / "state"), "timeout": 5}
    env = {"HOME": str(bed.folder), **env}
    return bed.run("pg_health", {**given, **more}, env=env)


def warned(answer: Answer, *names: str) -> Answer:
    """An answer that warns of these parameters, in one line, and shows no value."""
    (warning,) = map(str, answer["warnings"])
    assert all(f"'{name}'" in warning for name in names), warning
    assert "hunter2" not in warning
    return answer


@situation("url", "a URL of Prisma, with its own parameters", {REACHABLE: "ok"})
def prisma(bed: Bed) -> Answer:
    query = "schema=public&connection_limit=5&pgbouncer=true&connect_timeout=10"
    return warned(ask(bed, url_of(bed, query)), "schema", "connection_limit", "pgbouncer")


@situation("url", "a URL of Supabase, with supa=…", {REACHABLE: "ok"})
def supabase(bed: Bed) -> Answer:
    return warned(ask(bed, url_of(bed, "supa=hunter2")), "supa")


@situation("url", "a URL of SQLAlchemy", {REACHABLE: "ok"})
def sqlalchemy(bed: Bed) -> Answer:
    answer = ask(bed, url_of(bed).replace("postgresql://", "postgresql+psycopg2://"))
    assert "warnings" not in answer
    return answer


@situation("url", "a URL of JDBC, with the login in its parameters", {REACHABLE: "ok"})
def jdbc(bed: Bed) -> Answer:
    found = re.fullmatch(r"postgresql://(.*):(.*)@(.*)", url_of(bed))
    assert found
    user, password, rest = found.groups()
    query = f"user={user}&password={password}&currentSchema=public&ssl=false"
    return warned(ask(bed, f"jdbc:postgresql://{rest}?{query}"), "currentSchema")


@situation("url", "quotes around the URL, from docker --env-file", {REACHABLE: "ok"})
def quoted(bed: Bed) -> Answer:
    answer = ask(bed, None, DATABASE_URL=f'"{url_of(bed)}"')
    assert "quotes" in str(answer["warnings"])
    return answer


def failed(words: str, says: str, **env: str) -> None:
    """Enter a mistake that the module reports in one sentence instead of checks."""

    @situation("url", words, {})
    def look(bed: Bed) -> Answer:
        answer = ask(bed, None, **env)
        assert answer["failed"]
        assert re.search(says, answer["msg"]), answer["msg"]
        assert "hunter2" not in answer["msg"]
        return answer


failed("DATABASE_URL is set to nothing", "set to nothing on .*, where", DATABASE_URL="")
failed("DATABASE_URL is two quotes", "set to nothing on .*, where", DATABASE_URL='""')
failed(
    "the name of the variable before the URL",
    "without the name of a variable",
    DATABASE_URL="DATABASE_URL=postgresql://app:hunter2@127.0.0.1/x",
)
failed(
    "a URL of Prisma Accelerate",
    "Prisma Accelerate",
    DATABASE_URL="prisma+postgres://accelerate.prisma-data.net/?api_key=hunter2",
)


def encrypted(bed: Bed, query: str, host: str = "localhost", **env: str) -> Answer:
    """The answer through TLS, with a certificate of the demo's own authority for localhost."""
    settings = bed.fixture("stack").settings
    front = bed.enter(PostgresTls(settings))
    url = url_of(bed, query)
    place = f"{settings['postgres']['host']}:{settings['postgres']['port']}"
    assert place in url
    return ask(bed, url.replace(place, f"{host}:{front.port}"), **env)


def authority(bed: Bed) -> str:
    return str(bed.fixture("stack").settings["certificates"]["ca"])


@situation("url", "verify-full, and sslrootcert names the authority", {REACHABLE: "ok"})
def named_authority(bed: Bed) -> Answer:
    return encrypted(bed, f"sslmode=verify-full&sslrootcert={authority(bed)}")


@situation("url", "verify-full, and the authority is in ~/.postgresql/root.crt", {REACHABLE: "ok"})
def own_authority(bed: Bed) -> Answer:
    folder = bed.folder / ".postgresql"
    folder.mkdir()
    (folder / "root.crt").write_bytes(Path(authority(bed)).read_bytes())
    return encrypted(bed, "sslmode=verify-full")


@situation("url", "verify-full, and the operating system trusts the authority", {REACHABLE: "ok"})
def system_authority(bed: Bed) -> Answer:
    return encrypted(bed, "sslmode=verify-full", SSL_CERT_FILE=authority(bed))


@situation(
    "url",
    "verify-full, and nobody knows the authority",
    {REACHABLE: "critical"},
    says=r"not trusted(?s:.*)~/\.postgresql/root\.crt.*sslrootcert=/path/to/ca\.crt",
    never="restart",
)
def unknown_authority(bed: Bed) -> Answer:
    return encrypted(bed, "sslmode=verify-full")


@situation(
    "url",
    "verify-ca, and there is no file with an authority",
    {REACHABLE: "critical"},
    says=r"no CA certificate(?s:.*)~/\.postgresql/root\.crt.*sslrootcert=/path/to/ca\.crt",
    never="restart",
)
def no_authority(bed: Bed) -> Answer:
    return encrypted(bed, "sslmode=verify-ca")


@situation(
    "url",
    "verify-full, and the certificate is for another name",
    {REACHABLE: "critical"},
    says="does not match host name(?s:.*)a host in database_url that the certificate names",
    never="restart",
)
def another_name(bed: Bed) -> Answer:
    query = f"sslmode=verify-full&sslrootcert={authority(bed)}&hostaddr=127.0.0.1"
    return encrypted(bed, query, "db.example")


@situation("url", "sslmode=no-verify, of node-postgres, encrypts", {REACHABLE: "ok"})
def no_verify(bed: Bed) -> Answer:
    return encrypted(bed, "sslmode=no-verify")


@situation("url", "ssl=true encrypts", {REACHABLE: "ok"})
def ssl_true(bed: Bed) -> Answer:
    return encrypted(bed, "ssl=true")


@situation(
    "url",
    "ssl=true, and the server does not support TLS",
    {REACHABLE: "critical"},
    says="does not support TLS",
    never="restart",
)
def no_tls(bed: Bed) -> Answer:
    return ask(bed, url_of(bed, "ssl=true"))
