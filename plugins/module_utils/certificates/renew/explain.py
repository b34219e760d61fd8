# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why certbot could not renew a certificate, and what to do about it. Pure.

The words are certbot's or the authority's; only the kind of trouble is recognised here.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Reason(NamedTuple):
    """What kept a certificate from being renewed."""

    kind: str
    """As people call it; empty if it was not recognised."""
    remedy: str


_UNKNOWN = Reason(
    "",
    "Read /var/log/letsencrypt/letsencrypt.log, correct the cause, and run this again with"
    " dry_run: true.",
)
#: The first that matches holds.
_REASONS = (
    (
        r"rateLimited|too many (certificates|failed authorizations|requests|new orders"
        r"|registrations)",
        "rate-limited",
        "Do not try again before the time that the authority names: each attempt counts. Until then"
        " the old certificate serves; rehearse with dry_run: true, which has limits of its own.",
    ),
    (
        r"No space left|Errno 28",
        "the disk is full",
        "Free space where certbot keeps its files and its log.",
    ),
    (
        r"Read-only file system|Errno 30",
        "certbot's folder is read-only",
        "Mount it read-write again; the kernel's log says why it is not.",
    ),
    (
        r"Permission denied|Errno 13|Either run as root",
        "certbot lacks permission",
        "Run this task with 'become: true'.",
    ),
    (
        r"Some challenges have failed|(unauthorized|connection|dns|tls|caa|malformed) for \S+:"
        r"|incorrectResponse|NXDOMAIN",
        "the challenge failed",
        "The authority must reach what certbot puts up: check that DNS leads to this host, that"
        " port 80 is open from outside, and that nginx serves /.well-known/acme-challenge/ from the"
        " folder in the certificate's renewal file (webroot_path). Then run this with dry_run:"
        " true.",
    ),
    (
        r"rejectedIdentifier|urn:ietf:params:acme:error:caa|CAA record|policy forbids",
        "the authority refuses the name",
        "Check the name and its CAA records in DNS, or get the certificate from another authority.",
    ),
    (
        r"accountDoesNotExist|externalAccountRequired|userActionRequired"
        r"|acme:error:unauthorized|Account .*not found|account is (deactivated|not valid)"
        r"|badSignatureAlgorithm|badPublicKey",
        "the authority refuses the account",
        "Check the account with 'certbot show_account'; register again ('certbot register') if the"
        " authority no longer knows it.",
    ),
    (
        r"ConnectionError|Max retries exceeded|NewConnectionError|Name or service not known"
        r"|Temporary failure in name resolution|timed out|Timeout|Connection refused"
        r"|CERTIFICATE_VERIFY_FAILED|SSLError|Requesting .* failed",
        "the authority was not reached",
        "Check DNS, the firewall for outgoing HTTPS, and the authority's status page; then run this"
        " again.",
    ),
    (
        r"serverInternal|Service Unavailable|\b50[0234]\b|internal error|badNonce",
        "the authority has trouble of its own",
        "Check its status page, and run this again later.",
    ),
    (
        r"Could not bind|already in use",
        "its port is taken",
        "certbot's own server needs port 80: stop what uses it in a pre-hook, or use the webroot.",
    ),
    (
        r"plugin does not appear|Could not choose appropriate plugin|authenticator could not be",
        "its plugin is missing",
        "Install the plugin that the certificate's renewal file names as authenticator.",
    ),
    (
        r"unexpected error|parsefail|names no certificate|expected .* to be a symlink|is broken",
        "certbot cannot read its renewal file",
        "Restore the file in certbot's folder 'renewal' and the links in 'live' from a backup, or"
        " get the certificate anew under the same name ('certbot certonly --cert-name').",
    ),
)


def explain(words: str) -> Reason:
    """The kind of trouble in what certbot says."""
    for pattern, kind, remedy in _REASONS:
        if re.search(pattern, words, re.IGNORECASE):
            return Reason(kind, remedy)
    return _UNKNOWN
