"""PostgreSQL: who is let in, and what runs at each login or test write."""

from __future__ import annotations

import pytest

from tests.support.postgres import Server
from tests.support.postgres_truth import ask, follower, own_server
from tests.support.truth import Answer, Bed, situation

REACHABLE, WRITABLE = "postgres.reachable", "postgres.writable"
REPLICATION = "postgres.replication"
LOCKED = "postgres.connections database shop"
RESTART = "restart it|systemctl (re)?start"
RAISES = """
CREATE FUNCTION raises() RETURNS event_trigger LANGUAGE plpgsql AS
$$ BEGIN IF session_user = 'app' THEN INSERT INTO audit VALUES (1); END IF; END $$
"""


def after(bed: Bed, *statements: str, **options: object) -> Answer:
    """The app's answer after an administrator's statements."""
    server = own_server(bed)
    server.admin(*statements, database="shop")
    return ask(bed, server, server.url(), **options)


@situation(
    "postgres",
    "the password of the role has expired",
    {REACHABLE: "critical"},
    says="VALID UNTIL",
    never=RESTART,
)
def expired(bed: Bed) -> Answer:
    return after(bed, "ALTER ROLE app VALID UNTIL '2020-01-01'")


@situation("postgres", "the password of the role expires later", {REACHABLE: "ok"})
def not_expired(bed: Bed) -> Answer:
    return after(bed, "ALTER ROLE app VALID UNTIL '2120-01-01'")


@situation(
    "postgres",
    "a library that each session of the role loads is not installed",
    {REACHABLE: "critical"},
    says="cannot load a library.*pg_stat_gone(?s:.*)session_preload_libraries",
    never=f"{RESTART}|journalctl|backup",
)
def no_library(bed: Bed) -> Answer:
    return after(bed, "ALTER ROLE app SET session_preload_libraries = 'pg_stat_gone'")


@situation("postgres", "a library that each session of the role loads", {REACHABLE: "ok"})
def library(bed: Bed) -> Answer:
    return after(bed, "ALTER ROLE app SET session_preload_libraries = 'auto_explain'")


@situation(
    "postgres",
    "the files of the database are missing, as if their disk were not mounted",
    {REACHABLE: "critical"},
    says=r"files of database 'shop'.* are missing \(.*base/(?s:.*)mounted",
    never="has no database",
)
def no_files(bed: Bed) -> Answer:
    server = own_server(bed)
    [(oid,)] = server.admin("SELECT oid FROM pg_database WHERE datname = 'shop'")
    files = server.stack.home / "data" / "base" / str(oid)
    files.rename(files.with_name("away"))
    return ask(bed, server, server.url())


@situation(
    "postgres",
    "an event trigger that runs at each login fails",
    {REACHABLE: "critical"},
    says="code that runs at each login(?s:.*)ON login",
    never=RESTART,
)
def login_trigger(bed: Bed) -> Answer:
    server = own_server(bed)
    [(version,)] = server.admin("SELECT current_setting('server_version_num')::int")
    if version < 170000:
        pytest.skip("event triggers on login came with PostgreSQL 17")
    trigger = "CREATE EVENT TRIGGER t ON login EXECUTE FUNCTION raises()"
    server.admin(RAISES, trigger, database="shop")
    return ask(bed, server, server.url())


@situation(
    "postgres",
    "a test write that an event trigger refuses, while rows can be written",
    {WRITABLE: "unknown"},
    says="migrations fail as well",
    never="GRANT|lacks permission",
)
def ddl_trigger(bed: Bed) -> Answer:
    trigger = "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION raises()"
    return after(bed, RAISES, trigger, canary=True)


@situation(
    "postgres",
    "a test write of a role whose statement_timeout is a millisecond",
    {REACHABLE: "ok", WRITABLE: "critical"},
    says="in milliseconds unless a unit is given",
)
def statement_timeout(bed: Bed) -> Answer:
    timeout = "ALTER ROLE app SET statement_timeout = 1"
    return after(bed, timeout, *_slow_ddl(), canary=True)


def _slow_ddl() -> tuple[str, str]:
    sleeps = """CREATE FUNCTION sleeps() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.1); END $$"""
    return sleeps, "CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION sleeps()"


@situation(
    "postgres",
    "CONNECTION LIMIT 0 locks the app's database, seen by a superuser",
    {REACHABLE: "ok", LOCKED: "critical"},
    says="'shop' accepts no new connections(?s:.*)CONNECTION LIMIT -1",
)
def locked_database(bed: Bed) -> Answer:
    server = own_server(bed)
    server.admin("ALTER DATABASE shop CONNECTION LIMIT 0")
    return ask(bed, server)


@situation(
    "postgres",
    "CONNECTION LIMIT 0 locks the app's database, seen by the app",
    {REACHABLE: "critical"},
    says="With 0 only superusers can connect",
)
def locked_out(bed: Bed) -> Answer:
    return after(bed, "ALTER DATABASE shop CONNECTION LIMIT 0")


@situation(
    "postgres",
    "a primary where the inventory says there is a standby",
    {REPLICATION: "warning"},
    says="takes writes, but server_role says standby",
)
def promoted(bed: Bed) -> Answer:
    return ask(bed, own_server(bed), server_role="standby")


@situation(
    "postgres",
    "a standby where the inventory says there is one",
    {REPLICATION: "ok", WRITABLE: "ok"},
)
def standby(bed: Bed) -> Answer:
    server: Server = follower(bed, own_server(bed)).server
    return ask(bed, server, server_role="standby")
