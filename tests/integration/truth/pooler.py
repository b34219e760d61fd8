"""Connection poolers and proxies before PostgreSQL: who refuses, and why."""

from __future__ import annotations

from tests.support.pooler import Pooler, error_packet, pooler, refusing
from tests.support.postgres import Server
from tests.support.throwaway import unused_port
from tests.support.truth import Answer, Bed, situation

REACHABLE = "postgres.reachable"
CRITICAL = {REACHABLE: "critical"}
#: What is never the answer to a refusal.
RESTART = "restart it|systemctl (re)?start"


def before(bed: Bed, behind: int = 0, **settings: str | int) -> Pooler:
    server = Server(bed.fixture("stack"))
    return bed.enter(pooler(server, bed.folder / "pooler", behind, **settings))


def ask(bed: Bed, url: str) -> Answer:
    return bed.run("pg_health", {"database_url": url, "state_dir": str(bed.folder), "timeout": 5})


@situation("pooler", "a healthy server behind PgBouncer", {REACHABLE: "ok"})
def healthy(bed: Bed) -> Answer:
    return ask(bed, before(bed).url())


@situation(
    "pooler",
    "PgBouncer refuses the password (SCRAM)",
    CRITICAL,
    says="PgBouncer at .* refuses the login of role(?s:.*)auth_file",
    never=RESTART,
)
def wrong_password(bed: Bed) -> Answer:
    return ask(bed, before(bed).url(password="wrong-9c1d"))


@situation(
    "pooler",
    "PgBouncer refuses the password (MD5)",
    CRITICAL,
    says="PgBouncer at .* refuses the login of role(?s:.*)auth_file",
    never=RESTART,
)
def wrong_md5_password(bed: Bed) -> Answer:
    return ask(bed, before(bed, auth_type="md5").url(password="wrong-9c1d"))


@situation(
    "pooler",
    "PgBouncer does not know the user",
    CRITICAL,
    says="PgBouncer at .* refuses the login of role 'nobody'",
    never=RESTART,
)
def unknown_user(bed: Bed) -> Answer:
    return ask(bed, before(bed).url(user="nobody"))


@situation(
    "pooler",
    "PgBouncer has no such database",
    CRITICAL,
    says=r"PgBouncer at .* knows no database 'gone'(?s:.*)\[databases\]",
    never=RESTART,
)
def no_database(bed: Bed) -> Answer:
    return ask(bed, before(bed).url(database="gone"))


@situation(
    "pooler",
    "PgBouncer does not accept options in the URL",
    CRITICAL,
    says="startup parameter 'options'(?s:.*)ignore_startup_parameters",
    never=RESTART,
)
def unsupported_parameter(bed: Bed) -> Answer:
    return ask(bed, before(bed).url(options="-c geqo=off"))


@situation(
    "pooler",
    "all of PgBouncer's client connections are taken",
    CRITICAL,
    says="PgBouncer at .* out of client connections(?s:.*)max_client_conn",
    never=RESTART,
)
def too_many_clients(bed: Bed) -> Answer:
    own = before(bed, max_client_conn=1)
    bed.enter(own.client())
    return ask(bed, own.url())


@situation(
    "pooler",
    "every connection of PgBouncer's pool is in a transaction",
    CRITICAL,
    says="PgBouncer at .* gave no connection to PostgreSQL in time(?s:.*)SHOW POOLS",
    never=RESTART,
)
def busy_pool(bed: Bed) -> Answer:
    own = before(bed, default_pool_size=1, query_wait_timeout=2)
    bed.enter(own.client())
    return ask(bed, own.url())


@situation(
    "pooler",
    "nothing listens behind PgBouncer",
    CRITICAL,
    says="began the login but did not finish it(?s:.*)PostgreSQL behind it runs",
    never=RESTART,
)
def nothing_behind(bed: Bed) -> Answer:
    return ask(bed, before(bed, unused_port()).url())


@situation(
    "pooler",
    "PostgreSQL behind PgBouncer refuses PgBouncer's own login",
    CRITICAL,
    says="PgBouncer at .* answers, but PostgreSQL behind it refuses(?s:.*)Check PostgreSQL itself",
    never=RESTART,
)
def refused_behind(bed: Bed) -> Answer:
    behind = bed.enter(refusing(error_packet("28000", "no pg_hba.conf entry", routine="auth")))
    return ask(bed, before(bed, behind).url())


@situation(
    "pooler",
    "the URL names PgBouncer's own console",
    CRITICAL,
    says="The pooler at .* its own console(?s:.*)Name the app's database",
    never=RESTART,
)
def console(bed: Bed) -> Answer:
    return ask(bed, before(bed).url(database="pgbouncer"))


def refused(words: str, packet: bytes, says: str) -> None:
    """Enter a refusal with an error packet as that program sends it."""

    @situation("pooler", words, CRITICAL, says=says, never=RESTART)
    def look(bed: Bed) -> Answer:
        port = bed.enter(refusing(packet))
        return ask(bed, f"postgresql://app:of-app-5d2e@127.0.0.1:{port}/shop?gssencmode=disable")


refused(
    "PostgreSQL behind PgBouncer has refused PgBouncer's own login for a while",
    error_packet(
        "08P01",
        "server login has been failing, cached error: FATAL: password authentication failed for "
        'user "app" (server_login_retry)',
    ),
    "PgBouncer at .* cannot log in to PostgreSQL behind it(?s:.*)auth_file",
)
refused(
    "Supabase's pooler does not know the project",
    error_packet("XX000", "Tenant or user not found"),
    "Supabase's pooler at .* does not know the project(?s:.*)USER.PROJECT",
)
refused(
    "Supabase's pooler is full",
    error_packet(
        "XX000",
        "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited "
        "to pool_size",
    ),
    "Supabase's pooler at .* out of client connections",
)
refused(
    "Neon's proxy gets no host name",
    error_packet("08P01", "Endpoint ID is not specified. Either please upgrade", "ERROR"),
    "Neon's proxy at .* which endpoint",
)
refused(
    "RDS Proxy has no secret for the role",
    error_packet("28000", "This RDS proxy has no credentials for the role app. Check the role"),
    "RDS Proxy at .* no credentials for role 'app'(?s:.*)Secrets Manager",
)
refused(
    "RDS Proxy wants TLS",
    error_packet("28000", "This RDS Proxy requires TLS connections"),
    "RDS Proxy at .* encrypted connections only(?s:.*)sslmode=require",
)
refused(
    "Odyssey has no route",
    error_packet("3D000", "odyssey: c5f4fbdc0bda5: route for 'shop.app' is not found", "ERROR"),
    "Odyssey at .* has no route",
)
refused(
    "Odyssey is full",
    error_packet("53300", "odyssey: c5f4fbdc0bda5: too many connections (global client_max 5)"),
    "Odyssey at .* out of connections",
)
refused(
    "PgCat has no pool",
    error_packet("58000", 'No pool configured for database: "shop", user: "app"'),
    "PgCat at .* no pool for database 'shop'",
)
refused(
    "a pooler of unknown make refuses the login",
    error_packet("28P01", "go away"),
    r"The pooler or proxy at .* refuses the login of role 'app' \(go away\)",
)
refused(
    "something refuses with words that nobody knows",
    error_packet("XX999", "the moon is in the wrong phase"),
    "the moon is in the wrong phase(?s:.*)log",
)
refused(
    "all slots are taken on a server that speaks German in Latin-1",
    error_packet(
        "53300",
        "die verbleibenden Verbindungen sind für Superuser reserviert",
        "SCHWERWIEGEND",
        "latin-1",
        "InitPostgres",
    ),
    "PostgreSQL at .* out of connection slots",
)
refused(
    "the database is invalid on a server that speaks German in Latin-1",
    error_packet(
        "55000",
        "kann nicht mit ungültiger Datenbank »shop« verbinden",
        "SCHWERWIEGEND",
        "latin-1",
        "CheckMyDatabase",
        "Verwenden Sie DROP DATABASE, um ungültige Datenbanken zu löschen.",
    ),
    'is invalid(?s:.*)DROP DATABASE "shop"',
)
refused(
    "pg_hba.conf has no line for the client on a server that speaks German in Latin-1",
    error_packet(
        "28000",
        "kein pg_hba.conf-Eintrag für Host »127.0.0.1«, Benutzer »app«, Datenbank »shop«",
        "SCHWERWIEGEND",
        "latin-1",
        "ClientAuthentication",
    ),
    "pg_hba.conf of PostgreSQL at .* does not allow role 'app'",
)
refused(
    "PostgreSQL is starting and speaks Russian in KOI8-R",
    error_packet(
        "57P03", "система баз данных запускается", "ВАЖНО", "koi8-r", "ProcessStartupPacket"
    ),
    "accepts no connections at the moment",
)


@situation(
    "pooler",
    "PgBouncer pools statements, so it allows no transactions",
    CRITICAL,
    says=r"pool_mode = statement(?s:.*)Use a URL of PostgreSQL itself",
    never=RESTART,
)
def statements_only(bed: Bed) -> Answer:
    return ask(bed, before(bed, pool_mode="statement").url())
