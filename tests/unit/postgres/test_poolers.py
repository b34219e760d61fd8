"""Refusals of poolers and proxies: who says it, and that no template is left unfilled."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.postgres.errors import (
    Said,
    explain,
)


@pytest.mark.parametrize(
    ("state", "text", "who"),
    [
        ("08P01", "unsupported startup parameter: search_path", "PgBouncer"),
        ("08P01", "unsupported startup parameter in options: geqo", "PgBouncer"),
        ("53300", "client connections exceeded (max_db_client_connections)", "PgBouncer"),
        ("08P01", "SASL authentication failed", "PgBouncer"),
        ("08P01", 'database "shop" is disabled', "PgBouncer"),
        ("08P01", "query_wait_timeout", "PgBouncer"),
        ("XX000", "Max client connections reached", "Supabase's pooler"),
        ("XX000", "(ENOTFOUND) tenant/user app.x not found", "Supabase's pooler"),
        ("08P01", "Endpoint ID is not specified.", "Neon's proxy"),
        ("28000", "This RDS proxy has no credentials for the role app", "RDS Proxy"),
        ("3D000", "odyssey: c1: route for 'a.b' is not found", "Odyssey"),
        ("08006", "odyssey: c1: failed to connect to remote server s2", "Odyssey"),
        ("58000", "could not get connection from the pool - AllServersDown", "PgCat"),
        ("28P01", 'password authentication failed for user "app"', "The pooler or proxy"),
        ("53300", "no room", "The pooler or proxy"),
        ("57P01", "bye", "The pooler or proxy"),
        ("ZZ999", "something {new}", "The pooler or proxy"),
    ],
)
def test_a_pooler_is_named_with_its_own_remedy(state: str, text: str, who: str) -> None:
    said = Said(state, text, by_server=False)
    refusal = explain(text, "db:6432", "app", "shop", said=said)
    assert str(refusal).startswith(f"{who} at db:6432 ")
    assert refusal.remedy
    words = f"{refusal} {refusal.remedy}".replace("something {new}", "")
    assert "restart" not in words
    assert "{" not in words


def test_what_a_pooler_passes_on_is_postgresqls() -> None:
    said = Said("53300", "sorry, too many clients already", by_server=False)
    assert str(explain("", "db:6432", "app", "shop", said=said)).startswith("PostgreSQL at")
