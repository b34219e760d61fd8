"""What certbot says, as versions 2.1 and 5.8 word it."""

from __future__ import annotations

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.certbot import (
    parse,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.certificates.renew.program import (
    Ended,
)

LINE = "- " * 40
BEGUN = f"""Saving debug log to /var/log/letsencrypt/letsencrypt.log

{LINE}
Processing /etc/letsencrypt/renewal/a.example.conf
{LINE}
"""


def test_nothing_is_due() -> None:
    text = f"""{BEGUN}Certificate not yet due for renewal

{LINE}
The following certificates are not due for renewal yet:
  /etc/letsencrypt/live/a.example/fullchain.pem expires on 2027-02-26 (skipped)
No renewals were attempted.
{LINE}
"""
    answer = parse(Ended(0, text))
    assert (answer.error, answer.hooks, answer.attempts["a.example"].error) == ("", (), "")


def test_a_failed_hook_is_named_with_its_words_although_certbot_succeeds() -> None:
    text = f"""{BEGUN}Renewing an existing certificate for a.example
Running deploy-hook command: /etc/letsencrypt/renewal-hooks/deploy/nginx
Hook 'deploy-hook' ran with output:
 fine
Running deploy-hook command: /etc/letsencrypt/renewal-hooks/deploy/mail
Hook 'deploy-hook' reported error code 3
Hook 'deploy-hook' ran with error output:
 cannot log in:
   password=hunter2
{LINE}
Congratulations, all renewals succeeded:
  /etc/letsencrypt/live/a.example/fullchain.pem (success)
{LINE}
Running post-hook command: /bin/late
Hook 'post-hook' reported error code 1
"""
    answer = parse(Ended(0, text))
    (hook,) = answer.attempts["a.example"].hooks
    assert hook.command == "deploy-hook /etc/letsencrypt/renewal-hooks/deploy/mail"
    assert (hook.code, hook.words) == (3, "cannot log in: password=***")
    (late,) = answer.hooks
    assert (late.command, late.code, late.words) == ("post-hook /bin/late", 1, "")


@pytest.mark.parametrize("label", ["Domain: ", "Identifier:"])
def test_what_the_authority_says_of_a_challenge(label: str) -> None:
    text = f"""{BEGUN}Renewing an existing certificate for a.example

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority \
reported these problems:
  {label} a.example
  Type:   unauthorized
  Detail: 192.0.2.1: Invalid response from http://a.example/.well-known/acme-challenge/x: 404

Hint: The Certificate Authority failed to download the temporary challenge files.

Failed to renew certificate a.example with error: Some challenges have failed.

{LINE}
All renewals failed. The following certificates could not be renewed:
  /etc/letsencrypt/live/a.example/fullchain.pem (failure)
{LINE}
1 renew failure(s), 0 parse failure(s)
"""
    answer = parse(Ended(1, text))
    assert answer.error == ""
    assert answer.attempts["a.example"].error == (
        "Some challenges have failed. unauthorized for a.example: 192.0.2.1: Invalid response from"
        " http://a.example/.well-known/acme-challenge/x: 404"
    )


def test_one_of_several_fails() -> None:
    text = f"""{BEGUN}Certificate not yet due for renewal
{LINE}
Processing /etc/letsencrypt/renewal/b.example.conf
{LINE}
Failed to renew certificate b.example with error: urn:ietf:params:acme:error:rateLimited :: There \
were too many requests of a given type :: too many certificates already issued
{LINE}
Processing /etc/letsencrypt/renewal/c.example.conf
{LINE}
Renewal configuration file /etc/letsencrypt/renewal/c.example.conf (cert: c.example) produced an \
unexpected error: renewal config file {{}} is missing a required file reference. Skipping.
1 renew failure(s), 1 parse failure(s)
"""
    attempts = parse(Ended(1, text)).attempts
    assert [(name, one.error.split(" ")[0]) for name, one in attempts.items()] == [
        ("a.example", ""),
        ("b.example", "urn:ietf:params:acme:error:rateLimited"),
        ("c.example", "produced"),
    ]


def test_another_certbot_runs() -> None:
    text = "Another instance of Certbot is already running.\nAsk for help or search for solutions"
    answer = parse(Ended(1, text))
    assert answer.busy
    assert answer.error == "Another instance of Certbot is already running"


def test_a_run_that_says_nothing_and_one_that_does_not_end() -> None:
    assert parse(Ended(2, "")).error == "it gave no reason"
    assert parse(Ended(None, "")).error == "it did not end within the time limit"


def test_an_error_of_several_lines() -> None:
    text = f"""{BEGUN}Failed to renew certificate a.example with error: The manual plugin is missing
The error was: PluginError('An authentication script must be provided')

{LINE}
Processing /etc/letsencrypt/renewal/b.example.conf
{LINE}
Renewal configuration file /etc/letsencrypt/renewal/b.example.conf is broken.
The error was: expected cert.pem to be a symlink
Skipping.

{LINE}
All renewals failed. The following certificates could not be renewed:
"""
    attempts = parse(Ended(1, text)).attempts
    assert attempts["a.example"].error.endswith("An authentication script must be provided')")
    expected = "is broken. The error was: expected cert.pem to be a symlink"
    assert attempts["b.example"].error == expected
