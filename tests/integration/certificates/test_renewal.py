"""cert_renewal with the real certbot and nginx, and a small authority that checks all it gets."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.lock import exclusive_lock
from demo.processes import wait_until
from tests.conftest import RunModule, by_name, finish, start_module
from tests.support.acme import Acme, Problem, acme_server
from tests.support.certbot_host import NAME, CertbotHost, certbot_program, done
from tests.support.throwaway import Authority, unused_port

pytestmark = pytest.mark.skipif(
    not certbot_program(), reason="certbot is not installed (requirements/test.txt)"
)
HOOK = "renewal-hooks/deploy/gpt-agent-runbook"
RENEWED = [("renew", "done")]


@pytest.fixture(scope="module")
def acme(authority: Authority) -> Iterator[Acme]:
    with acme_server(authority) as server:
        yield server


@pytest.fixture(scope="module")
def first(
    acme: Acme, run_module: RunModule, ca_file: str, tmp_path_factory: pytest.TempPathFactory
) -> CertbotHost:
    """A host that has got its certificate."""
    host = CertbotHost(tmp_path_factory.mktemp("first"), acme, run_module, ca_file)
    pair = acme.authority.server(NAME)
    (host.folder / "fullchain.pem").write_bytes(pair.pem)
    (host.folder / "privkey.pem").write_bytes(pair.key_pem)
    (host.folder / "webroot").mkdir()
    host.configure(certificate=host.folder)
    acme.http_port = host.http
    with host.serving():
        host.get_certificate()
    return host


@pytest.fixture
def host(first: CertbotHost, acme: Acme, tmp_path: Path) -> Iterator[CertbotHost]:
    """Such a host of the test's own, 20 days before its certificate expires, with its hook."""
    own = CertbotHost(tmp_path / "host", acme, first.run_module, first.ca_file)
    shutil.copytree(first.folder, own.folder, symlinks=True)
    for file in (own.config_dir / "renewal").iterdir():
        file.write_text(file.read_text().replace(str(first.folder), str(own.folder)))
    own.age(left=20)
    own.configure()
    acme.http_port = own.http
    with own.serving():
        yield own
    acme.failures, acme.issuer, acme.starts = {}, None, None


def status(answer: dict[str, Any], name: str = "certificate.renewal") -> tuple[str, str]:
    check = by_name(answer, name)
    return check["status"], check["summary"]


def test_what_is_due_is_renewed_and_served_and_then_nothing_is_due(host: CertbotHost) -> None:
    orders = len(host.acme.orders)
    plan = host.renew(check=True, _ansible_diff=True)
    assert done(plan) == [("install_hook", "planned"), ("renew", "planned"), ("reload", "planned")]
    file, actions = plan["diff"]
    assert (file["before"], file["after_header"]) == ("", str(host.config_dir / HOOK))
    assert file["after"].startswith("#!/bin/sh\n")
    assert "#!/bin/sh" not in actions["before"] + actions["after"]
    assert (len(host.acme.orders), host.served_version()) == (orders, 1)
    assert not (host.config_dir / HOOK).exists()

    answer = host.renew()
    assert done(answer) == [("install_hook", "done"), *RENEWED], answer
    assert (answer["renewed"], answer["due"], host.served_version()) == ([NAME], [], 2)
    assert status(answer)[1].startswith("renewed: ")
    assert status(answer, "certificate.served_is_file")[0] == "ok"

    again = host.renew()
    assert (again["changed"], again["actions"], again["not_renewed"]) == (False, [], [])
    assert host.renew(check=True)["changed"] is False


def test_a_configuration_that_someone_broke_keeps_the_old_certificate(host: CertbotHost) -> None:
    host.configure(more="proxy_pas http://127.0.0.1;")
    answer = host.renew()
    assert done(answer)[1:] == [*RENEWED, ("run_hook", "failed"), ("reload", "failed")]
    assert 'unknown directive "proxy_pas" in' in answer["msg"]
    assert "nginx.conf:24" in answer["msg"]
    assert status(answer, "certificate.served_is_file")[0] == "critical"
    assert host.served_version() == 1
    host.configure()
    assert done(host.renew(check=True)) == [("reload", "planned")]
    repaired = host.renew()
    assert done(repaired) == [("reload", "done")]
    assert host.served_version() == 2


def test_a_hook_that_fails_although_certbot_succeeds(host: CertbotHost) -> None:
    host.hook("mail", "echo cannot reach token=s3cr3t >&2; exit 3")
    answer = host.renew()
    assert done(answer)[1:] == [*RENEWED, ("run_hook", "failed")]
    assert "renewal-hooks/deploy/mail failed (exit code 3): cannot reach token=***" in answer["msg"]
    assert host.served_version() == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"order": Problem(429, "rateLimited", "too many certificates")}, "rate-limited"),
        ({"order": Problem(403, "unauthorized", "Account is deactivated")}, "refuses the account"),
        ({"order": Problem(400, "rejectedIdentifier", "by policy")}, "refuses the name"),
    ],
)
def test_an_authority_that_refuses(host: CertbotHost, fault: dict[str, Any], words: str) -> None:
    host.acme.failures = fault
    answer = host.renew(hook=False)
    assert done(answer) == [("renew", "failed")]
    assert words in answer["msg"]
    assert (answer["failed"], answer["not_renewed"]) == (True, [NAME])
    assert status(answer)[0] == "critical"
    assert status(answer)[1].startswith("not renewed, ")
    assert host.served_version() == 1


def test_a_challenge_that_fails(host: CertbotHost) -> None:
    host.acme.http_port = unused_port()
    answer = host.renew(hook=False)
    assert done(answer) == [("renew", "failed")]
    assert "the challenge failed" in answer["msg"]
    assert "Connection refused" in answer["msg"]
    assert "port 80" in by_name(answer, "certificate.renewal")["remedy"]


def test_an_authority_that_does_not_answer(host: CertbotHost) -> None:
    (file,) = (host.config_dir / "renewal").iterdir()
    there, gone = f":{host.acme.port}/", f":{unused_port()}/"
    file.write_text(file.read_text().replace(there, gone))
    accounts = host.config_dir / "accounts"
    (old,) = accounts.glob("*")
    old.rename(accounts / old.name.replace(there.strip("/"), gone.strip("/")))
    answer = host.renew(hook=False)
    assert "the authority was not reached" in answer["msg"], answer
    assert done(answer) == [("renew", "failed")]


def test_a_bad_certificate_that_the_hook_has_loaded_is_rolled_back(host: CertbotHost) -> None:
    host.acme.issuer = Authority.create("Other").intermediate
    answer = host.renew(serve_wait=2)
    assert done(answer)[1:] == [*RENEWED, ("roll_back", "done")], answer
    assert "is not trusted" in answer["msg"]
    assert host.versions() == {f"{kind}1.pem" for kind in ("cert", "chain", "fullchain", "privkey")}
    # Workers of the reload before this one still answer for a moment.
    assert wait_until(lambda: host.served_version() == 1, 30)
    assert status(answer)[0] == "warning"


def test_a_bad_certificate_is_not_loaded_at_all(host: CertbotHost) -> None:
    host.acme.issuer = Authority.create("Other").intermediate
    answer = host.renew(hook=False, serve_wait=1)
    assert done(answer) == [*RENEWED, ("roll_back", "done")]
    assert "so it was not loaded" in answer["msg"]
    assert host.served_version() == 1


def test_a_reload_after_which_nothing_answers(host: CertbotHost) -> None:
    """Someone has changed the port, and has not reloaded nginx yet."""
    elsewhere = CertbotHost(host.folder, host.acme, host.run_module, host.ca_file, http=host.http)
    elsewhere.configure()
    answer = host.renew(hook=False, serve_wait=1)
    assert done(answer) == [*RENEWED, ("reload", "done"), ("roll_back", "failed")], answer
    assert "does not answer after the reload" in answer["msg"]
    assert "so that is not the cause: check what else has changed" in answer["msg"]
    assert wait_until(lambda: elsewhere.served_version() == 2, 30)


def test_two_runs_at_once(host: CertbotHost) -> None:
    lock = str(host.config_dir / ".gpt-agent-runbook.lock")
    with exclusive_lock(lock, "them", owner="the weekly run"):
        answer = host.renew(lock_wait=0.1)
    assert "Another run" in answer["msg"]
    assert "'the weekly run'" in answer["msg"]
    assert answer["actions"] == []


def test_a_run_that_waited_for_another_one_sees_what_that_has_done(host: CertbotHost) -> None:
    lock = host.config_dir / ".gpt-agent-runbook.lock"
    with exclusive_lock(str(lock), "them"):
        module = start_module("cert_renewal", host.options(hook=False))
        files = Path(f"/proc/{module.pid}/fd")
        assert wait_until(lambda: lock in map(Path.resolve, files.iterdir()), 60)
        host.certbot("renew", "--no-random-sleep-on-renew")
    answer = json.loads(finish(module, 60)[0])
    assert done(answer) == [("reload", "done")], "it has renewed nothing itself"
    assert (answer["renewed"], host.served_version()) == ([], 2)


def test_renewed_but_another_file_is_served(host: CertbotHost) -> None:
    copy = host.folder / "copy"
    shutil.copytree(host.live, copy)
    host.configure(certificate=copy)
    answer = host.renew(serve_wait=1)
    assert done(answer)[1:] == [*RENEWED, ("reload", "done")]
    assert "still serves the old certificate after a reload" in answer["msg"]
    assert "nginx -T" in answer["msg"]


def test_a_killed_run_leaves_certbot_to_end_and_the_next_one_goes_on(
    host: CertbotHost, tmp_path: Path
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    os.mkfifo(begun)
    os.mkfifo(go_on)
    host.hook("slow", f"echo > {begun}; cat {go_on}")
    module = start_module("cert_renewal", host.options(hook=False))
    begun.read_text()  # certbot has renewed it, and waits for its hook
    module.send_signal(signal.SIGKILL)
    finish(module, 10)
    busy = host.renew(hook=False, lock_wait=0.1)
    assert "Another instance of Certbot is already running" in busy["msg"]
    assert "Wait until it has ended" in busy["msg"]
    assert done(busy) == [("renew", "failed"), ("reload", "done")], "what there is is deployed"
    assert host.served_version() == 2
    go_on.write_text("")
    answer = host.renew(hook=False)
    assert (answer.get("msg"), answer["actions"]) == (None, [])


def test_links_of_a_roll_back_that_was_interrupted(host: CertbotHost) -> None:
    host.renew()
    link = host.live / "privkey.pem"
    link.unlink()
    link.symlink_to(f"../../archive/{NAME}/privkey1.pem")
    answer = host.renew()
    assert (answer.get("msg"), answer["actions"]) == (None, [])
    assert "privkey2.pem" in host.versions()


def test_a_rehearsal_saves_nothing(host: CertbotHost) -> None:
    answer = host.renew(check=True, dry_run=True)
    assert status(answer, "certificate.rehearsal")[0] == "ok", answer
    assert (answer["changed"], host.served_version()) == (False, 1)
    assert len(list(host.archive.iterdir())) == 4
    if "cannot rehearse its deploy hooks" in status(answer, "certificate.rehearsal")[1]:
        return  # an old certbot
    host.hook("mail", "exit 3")
    failed = host.renew(check=True, dry_run=True)
    assert status(failed, "certificate.rehearsal")[0] == "critical"
    assert "deploy/mail failed (exit code 3)" in failed["msg"]


def test_a_certificate_is_renewed_early_by_its_name_only(host: CertbotHost) -> None:
    host.age(left=80)
    wrong = host.renew(names=["b.example.test"])
    assert wrong["msg"] == f"names: certbot has no certificate 'b.example.test'; it has {NAME}"
    assert host.renew(force=True)["msg"].startswith("force: name the certificates")
    assert done(host.renew(names=[NAME], force=True, hook=False)) == [*RENEWED, ("reload", "done")]


def test_endpoints_without_a_file_belong_to_what_they_serve(host: CertbotHost) -> None:
    endpoint = {"host": "127.0.0.1", "port": host.https, "server_name": NAME}
    answer = host.renew(hook=False, endpoints=[endpoint])
    assert done(answer) == [*RENEWED, ("reload", "done")]
    assert status(answer, "certificate.served_is_file")[0] == "ok"


def test_no_certbot_or_none_of_its_certificates(host: CertbotHost, tmp_path: Path) -> None:
    none = host.renew(config_dir=str(tmp_path / "none"))
    assert (none["changed"], status(none)[0]) == (False, "ok")
    assert "nothing here renews a certificate" in status(none)[1]
    assert f"{NAME}:{host.https} at 127.0.0.1 serves one until" in status(none)[1]
    gone = host.renew(command=["/nowhere/certbot"])
    assert status(gone)[0] == "critical"
    assert status(gone)[1] == f"'/nowhere/certbot' is not installed, so nothing renews {NAME}"
