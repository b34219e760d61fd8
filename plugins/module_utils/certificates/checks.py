# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of certificates: what each means, its thresholds and its remedy."""

from __future__ import annotations

from ..core.definition import Definition, below

CHECKS: dict[str, Definition] = {
    "certificate.expiry": Definition(
        "Days until the certificate expires. For short lifetimes the thresholds shrink to the"
        " shares in certificate.lifetime_left.",
        "Renew it ('certbot renew') and reload what serves it"
        " ('nginx -t && systemctl reload nginx').",
        "days",
        below(21, 7),
        "after the renewal that ACME clients start at a third of a 90-day lifetime",
    ),
    "certificate.lifetime_left": Definition(
        "Share of its lifetime that a certificate has left; gives certificate.expiry its"
        " thresholds for short lifetimes.",
        "See certificate.expiry.",
        "percent",
        below(25, 10),
        "ACME clients renew at a third, or at half for lifetimes up to ten days",
    ),
    "certificate.chain": Definition(
        "Clients can build a chain from the served certificates to a trusted root, as OpenSSL"
        " does.",
        "Follows OpenSSL's reason: serve the full chain (certbot's fullchain.pem, not cert.pem), a"
        " current intermediate, or a certificate of a CA that clients trust; then reload.",
    ),
    "certificate.hostname": Definition(
        "The certificate is issued for the name that clients use.",
        "Issue it for that name, or serve the right certificate for it (server_name, SNI), and"
        " reload.",
    ),
    "certificate.key": Definition(
        "Key and signature are strong enough, and the key file matches the certificate.",
        "Issue the certificate again with an ECDSA P-256 or RSA 2048 key or stronger, and SHA-256.",
    ),
    "certificate.served_is_file": Definition(
        "The endpoint serves the certificate that is on disk, and clients accept what the next"
        " reload brings.",
        "Reload what serves it: 'nginx -t && systemctl reload nginx'.",
    ),
    "certificate.renewal": Definition(
        "certbot renews the certificate in time; the value is what is left of it.",
        "Read certbot's words in the summary, correct the cause, and run"
        " playbooks/renew_certificates.yml again.",
        "days",
    ),
    "certificate.renewal_timer": Definition(
        "Something runs certbot regularly: a timer of systemd, or cron.",
        "Switch it on: 'systemctl enable --now certbot.timer'.",
    ),
    "certificate.rehearsal": Definition(
        "A dry run of the renewal succeeds, deploy hooks included.",
        "Correct the cause before the certificate is due.",
    ),
}
