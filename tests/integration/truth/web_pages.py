"""Web: answers with a good status that are not the app's, or say that a part of it fails."""

from __future__ import annotations

from tests.support.throwaway import site
from tests.support.truth import Answer, Bed, situation
from tests.support.web import JSON
from tests.support.web_situations import ENDPOINT, ask, ask_site, nginx_of


def ask_page(bed: Bed, page: str) -> Answer:
    return ask_site(bed, (200, {}, page.encode()), kind="page")


@situation(
    "web",
    "a bot filter shows its own page with status 200",
    {ENDPOINT: "unknown"},
    says="(?s)bot filter answers.*Exempt the probe",
)
def challenge(bed: Bed) -> Answer:
    return ask_page(bed, "<title>Just a moment...</title>Checking your browser")


@situation(
    "web",
    "Next.js shows its error page with status 200",
    {ENDPOINT: "critical"},
    says="(?s)error page.*'500: Internal Server Error'.*error log",
)
def error_page(bed: Bed) -> Answer:
    return ask_page(bed, "<title>500: Internal Server Error</title><h1>500</h1>")


@situation(
    "web", "a page about errors is the app's", {ENDPOINT: "ok"}, never="error page|maintenance"
)
def about_errors(bed: Bed) -> Answer:
    return ask_page(bed, "<title>Error tracking for teams</title><h1>No more errors</h1>")


@situation(
    "web",
    "the domain was not paid for, and is for sale",
    {ENDPOINT: "critical"},
    says="(?s)registrar.*whois",
)
def parked(bed: Bed) -> Answer:
    return ask_page(bed, "<title>shop.test is for sale</title>Buy this domain")


@situation(
    "web",
    "a maintenance page in German, with status 200",
    {ENDPOINT: "critical"},
    says="maintenance page",
)
def german_maintenance(bed: Bed) -> Answer:
    return ask_page(bed, "<title>Wartungsarbeiten</title>Wir sind gleich wieder da")


@situation(
    "web",
    "a maintenance page under the app's own title",
    {ENDPOINT: "critical"},
    says="maintenance page.*undergoing",
)
def titled_maintenance(bed: Bed) -> Answer:
    return ask_page(bed, "<title>Shop</title><h1>We are currently undergoing maintenance</h1>")


@situation(
    "web",
    "a health URL says that it is well, and that its database is down",
    {ENDPOINT: "warning"},
    says='checks.db.status is "down"',
)
def failing_part(bed: Bed) -> Answer:
    body = b'{"status": "ok", "checks": {"db": {"status": "down"}, "redis": {"status": "up"}}}'
    return ask_site(bed, (200, JSON, body), json={})


@situation("web", "NestJS' health URL says that all is well", {ENDPOINT: "ok"})
def parts_well(bed: Bed) -> Answer:
    parts = b'{"db": {"status": "up"}}'
    body = b'{"status": "ok", "info": ' + parts + b', "error": {}, "details": ' + parts + b"}"
    return ask_site(bed, (200, JSON, body), json={})


@situation(
    "web",
    "a GraphQL URL answers 200 with errors",
    {ENDPOINT: "critical"},
    says="errors is .*db gone",
)
def graphql(bed: Bed) -> Answer:
    body = b'{"errors": [{"message": "db gone"}], "data": null}'
    return ask_site(bed, (200, JSON, body), json={})


@situation(
    "web",
    "Apache reaches no app, and speaks of a maintenance that nobody ordered",
    {ENDPOINT: "critical"},
    says="reaches no app",
    never="maintenance",
)
def apache(bed: Bed) -> Answer:
    page = b"The server is unable to service your\nrequest due to maintenance\n"
    return ask_site(bed, (503, {}, page + b"downtime or capacity\nproblems."))


@situation("web", "a redirect leads to a name that is not ASCII", {ENDPOINT: "ok"})
def redirect_in_utf8(bed: Bed) -> Answer:
    server = """
        location = / { return 302 /größe; }
        location = /größe { return 200 "home"; }
    """
    return ask(bed, nginx_of(bed, server))


@situation(
    "web",
    "a redirect leads with https to a plain port",
    {ENDPOINT: "critical"},
    says="(?s)does not speak TLS.*use http://",
    never="cert_check|Renew",
)
def https_to_plain(bed: Bed) -> Answer:
    web = bed.enter(site({"/x": (200, {}, b"home")}))
    return ask(bed, web.url("/x").replace("http:", "https:"))


@situation(
    "web",
    "an answer that redirects nowhere",
    {ENDPOINT: "critical"},
    says="no Location header",
    never="Request the URL",
)
def nowhere(bed: Bed) -> Answer:
    return ask_site(bed, (302, {}, b""))
