"""What gives a database its owner, settings and grants."""

from __future__ import annotations

from typing import Any

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.restore.properties import (
    creation,
    statements,
)

PROPERTIES: dict[str, Any] = {
    "owner": "app",
    "encoding": "UTF8",
    "collate": "C",
    "ctype": "C",
    "provider": "c",
    "locale": None,
    "connection_limit": 40,
    "acl": ["=T/app", "app=CTc/app", '"a ""reader"=c*/app'],
    "settings": [
        {"role": None, "settings": ['search_path="$user", public, "a, b"', "work_mem=7MB"]},
        {"role": "reader", "settings": ["myapp.level=it's"]},
    ],
}


def test_everything_becomes_a_statement() -> None:
    assert [each.sql for each in statements("shop", PROPERTIES)] == [
        'ALTER DATABASE "shop" OWNER TO "app"',
        'ALTER DATABASE "shop" CONNECTION LIMIT 40',
        """ALTER DATABASE "shop" SET "search_path" TO '$user', 'public', 'a, b'""",
        """ALTER DATABASE "shop" SET "work_mem" TO '7MB'""",
        """ALTER ROLE "reader" IN DATABASE "shop" SET "myapp"."level" TO 'it''s'""",
        'REVOKE ALL ON DATABASE "shop" FROM PUBLIC',
        'GRANT TEMPORARY ON DATABASE "shop" TO PUBLIC',
        'GRANT CREATE ON DATABASE "shop" TO "app"',
        'GRANT TEMPORARY ON DATABASE "shop" TO "app"',
        'GRANT CONNECT ON DATABASE "shop" TO "app"',
        'GRANT CONNECT ON DATABASE "shop" TO "a ""reader" WITH GRANT OPTION',
    ]


def test_the_roles_that_must_exist_are_known() -> None:
    roles = {each.role for each in statements("shop", PROPERTIES)}
    assert roles == {"", "app", "reader", 'a "reader'}


def test_default_grants_stay_default() -> None:
    plain = {**PROPERTIES, "acl": None, "settings": None, "connection_limit": -1}
    assert [each.what for each in statements("shop", plain)] == ["owner 'app'"]


def test_a_new_database_has_the_collation_of_the_old_one() -> None:
    libc = (
        'CREATE DATABASE "x" TEMPLATE template0 ALLOW_CONNECTIONS false '
        "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    assert creation("x", PROPERTIES, 140000) == libc
    assert creation("x", PROPERTIES, 150000) == f"{libc} LOCALE_PROVIDER libc"
    icu = {**PROPERTIES, "provider": "i", "locale": "de", "icu_rules": "&a<b"}
    assert creation("x", icu, 150000) == f"{libc} LOCALE_PROVIDER icu ICU_LOCALE 'de'"
    assert creation("x", icu, 160000).endswith("ICU_LOCALE 'de' ICU_RULES '&a<b'")
    builtin = {**PROPERTIES, "provider": "b", "locale": "C.UTF-8"}
    assert creation("x", builtin, 170000).endswith("builtin BUILTIN_LOCALE 'C.UTF-8'")
