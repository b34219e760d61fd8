"""What names of keys say about them, and how much of a name is shown."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.redis.keys import (
    OTHER,
    kind_of,
    shown,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bull:emails:wait", "queue"),
        ("{bull}:emails:wait", "queue"),
        ("celery", "queue"),
        ("queue:default", "queue"),
        ("_kombu.binding.celery", "queue"),
        ("sess:abc", "session"),
        (":1:django.contrib.sessions.cache8f2k", "session"),
        ("shop:2:django.contrib.sessions.cached_db8f2k", "session"),
        ("gpt_agent_database_queues:default", "queue"),
        ("gpt_agent_horizon:supervisors", "queue"),
        (":1:product.1", ""),
        ("spring:session:sessions:1", "session"),
        ("PHPREDIS_SESSION:1", "session"),
        ("cart:1", ""),
        ("sessionless:1", ""),
        ("bulletin:1", ""),
        ("celery_stats:1", ""),
    ],
)
def test_the_kind_of_data(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cart:4711", "cart:*"),
        ("user:john.doe@example.com", "user:*"),
        ("bull:emails:wait", "bull:emails:*"),
        ("bull:550e8400-e29b:wait", "bull:*"),
        ("celery", "celery"),
        ("hunter", OTHER),
        ("a8f5f167f44f4964e6c998dee827110c:cart", OTHER),
        ("sk_live_51H8xyzABC123:limits", OTHER),
        ("", OTHER),
    ],
)
def test_no_more_of_a_name_is_shown_than_its_first_word(name: str, text: str) -> None:
    assert shown(name) == text
