"""Whatever Vercel, the network or a colleague does, the module says truly what is live."""

from __future__ import annotations

import fcntl
import glob
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunModule, by_name, start_module
from tests.support.vercel import TOKEN, Fault, Vercel
from tests.support.vercel_answers import NAME, SLUG
from tests.support.web import DIRECT

from .conftest import Deployment as Run

POST = "POST .*/rollback/"


def nothing_moved(answer: dict[str, Any]) -> bool:
    return (
        answer["failed"]
        and not answer["changed"]
        and not answer["proven"]
        and [action["status"] for action in answer["actions"]] == ["failed"]
        and "Live now: gpt-agent-3ccc.vercel.app" in answer["msg"]
        and "Live now: gpt-agent-3ccc" in by_name(answer, "vercel.job")["summary"]
    )


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (402, "only to the production deployment before"),
        (403, "Give the token access to the team and the project"),
        (422, "Name another deployment"),
        (302, "status 302"),
    ],
)
def test_a_refusal_is_final(vercel: Vercel, deployment: Run, status: int, advice: str) -> None:
    vercel.faults.append(Fault(POST, status, {"Location": f"{vercel.address}/v2/user"}))
    answer = deployment("rolled_back")
    assert nothing_moved(answer), answer
    assert advice in answer["msg"]
    assert by_name(answer, "vercel.job")["status"] == "critical"
    assert len(vercel.posts()) == 1


def test_a_rate_limit_is_waited_for(vercel: Vercel, deployment: Run) -> None:
    vercel.faults += [Fault(POST, 429, {"Retry-After": "0.1"})] * 2
    vercel.faults.append(Fault("GET .*/domains", 429, {"Retry-After": "0.1"}))
    answer = deployment("rolled_back")
    assert (answer["proven"], len(vercel.posts())) == (True, 3)
    assert "Vercel's rate limit" in answer["actions"][0]["reason"]


def test_a_rate_limit_beyond_the_time_limit(vercel: Vercel, deployment: Run) -> None:
    vercel.faults.append(Fault(POST, 429, {"Retry-After": "3600"}))
    answer = deployment("rolled_back", time_limit=20)
    assert nothing_moved(answer), answer
    assert "the next request is allowed in 3600 s, after the time limit" in answer["msg"]
    assert len(vercel.posts()) == 1


@pytest.mark.parametrize("status", [503, 0])
def test_an_unclear_answer_of_a_request_that_was_carried_out(
    vercel: Vercel, deployment: Run, status: int
) -> None:
    vercel.faults.append(Fault(POST, status, carried_out=True))
    answer = deployment("rolled_back")
    assert (answer["proven"], len(vercel.posts())) == (True, 1)
    assert "without a clear answer" in answer["actions"][0]["reason"]


@pytest.mark.parametrize("status", [502, 0])
def test_an_unclear_answer_of_a_request_that_was_not(
    vercel: Vercel, deployment: Run, status: int
) -> None:
    vercel.faults.append(Fault(POST, status))
    answer = deployment("rolled_back")
    assert (answer["proven"], len(vercel.posts())) == (True, 2)
    first = vercel.requests.index(vercel.posts()[0])
    looks = vercel.requests[first + 1 :]
    assert looks[0].startswith("GET /v9/projects/"), "asked again without a look"


def test_vercel_is_down_for_good(vercel: Vercel, deployment: Run) -> None:
    vercel.faults += [Fault(POST, 503)] * 3
    answer = deployment("rolled_back")
    assert nothing_moved(answer), answer
    assert "3 times in a row, and no job has begun" in answer["msg"]


def test_an_outage_of_vercel_after_the_request(vercel: Vercel, deployment: Run) -> None:
    at_the_request(vercel, lambda: vercel.faults.extend([Fault("GET .*/projects/", 503)] * 4))
    answer = deployment("rolled_back")
    assert answer["failed"]
    assert "The rollback was requested, but then 127.0.0.1" in answer["msg"]
    assert "state=verified shows whether it was done since" in answer["msg"]


def test_a_slow_answer(vercel: Vercel, deployment: Run) -> None:
    """The request is carried out after it was given up."""
    given_up = threading.Event()

    def wait(request: str) -> None:
        if request.startswith("POST"):
            given_up.wait(30)
        elif vercel.posts() == [] and len(vercel.requests) > 4 and "/v9/projects/" in request:
            given_up.set()

    vercel.on_request = wait
    answer = deployment("rolled_back", timeout=1)
    assert (answer["proven"], len(vercel.posts())) == (True, 1)


def test_vercel_does_not_answer_at_all(vercel: Vercel, deployment: Run) -> None:
    vercel.faults += [Fault("GET", 500)] * 4
    answer = deployment("rolled_back")
    assert answer["msg"].startswith("Nothing was changed: 127.0.0.1")
    vercel.address = "http://127.0.0.1:1"
    refused = deployment("rolled_back", time_limit=1)
    assert "nothing listens on 127.0.0.1:1" in refused["msg"]


def test_a_skipped_job(vercel: Vercel, deployment: Run) -> None:
    vercel.job_ends = "skipped"
    answer = deployment("rolled_back")
    assert nothing_moved(answer), answer
    assert "as skipped: it moved no domain" in answer["msg"]


def test_a_failed_job(vercel: Vercel, deployment: Run) -> None:
    vercel.job_ends = "failed"
    answer = deployment("rolled_back")
    assert nothing_moved(answer), answer
    assert by_name(answer, "vercel.job")["evidence"] == [
        {"domain": "your-domain.com", "status": "failed"},
        {"domain": "gpt-agent.vercel.app", "status": "failed"},
    ]


def test_a_job_that_never_ends(vercel: Vercel, deployment: Run) -> None:
    vercel.job_ends = None
    answer = deployment("rolled_back", time_limit=3)
    assert nothing_moved(answer), answer
    assert "the job is still in-progress after 3 s" in answer["msg"].lower()
    # The next run does not ask for it once more.
    planned = deployment("rolled_back", check=True)
    assert planned["actions"][0]["name"] == "vercel.wait"
    assert len(vercel.posts()) == 1
    busy = deployment("promoted", version="dpl_1first")
    assert "has not ended" in busy["msg"]
    assert by_name(busy, "vercel.job")["status"] == "critical"


def test_success_is_a_claim(vercel: Vercel, deployment: Run) -> None:
    vercel.domains_move = False
    answer = deployment("rolled_back", time_limit=4)
    assert nothing_moved(answer), answer
    assert "reports success, but your-domain.com still leads to gpt-agent-3ccc" in answer["msg"]


def test_a_queued_promotion(vercel: Vercel, deployment: Run) -> None:
    vercel.queues, vercel.job_questions = True, 3
    answer = deployment("promoted", version="dpl_1first")
    assert answer["proven"]
    assert "queued it behind a rolling release" in answer["actions"][0]["reason"]


def at_the_request(vercel: Vercel, do: Callable[[], object]) -> None:
    """Something happens between the plan and the first request."""
    pending = [do]

    def act(request: str) -> None:
        if request.startswith("POST") and pending:
            pending.pop()()

    vercel.on_request = act


def test_someone_else_was_quicker(vercel: Vercel, deployment: Run) -> None:
    at_the_request(vercel, lambda: vercel.start_job("rollback", "dpl_2second"))
    answer = deployment("rolled_back")
    assert (answer["proven"], vercel.live) == (True, "dpl_2second")
    assert "someone else requested the same" in answer["actions"][0]["reason"]


def test_someone_else_was_quicker_and_is_done(vercel: Vercel, deployment: Run) -> None:
    def move() -> None:
        vercel.project.domains = dict.fromkeys(vercel.project.domains, "dpl_2second")

    vercel.job_ends = "skipped"
    at_the_request(vercel, move)
    answer = deployment("rolled_back")
    assert answer["proven"], answer
    assert "the domains led there already" in answer["actions"][0]["reason"]


def test_a_proxy_that_does_not_work(vercel: Vercel, run_module: RunModule) -> None:
    options = {"state": "listed", "project": NAME, "token": TOKEN, "time_limit": 1}
    proxy = {**DIRECT, "http_proxy": "http://user:s3cret@127.0.0.1:1"}
    answer = run_module("vercel_deployment", {**options, "api_url": vercel.address}, env=proxy)
    assert "the proxy http://***@127.0.0.1:1 failed: connection refused" in answer["msg"]
    assert "s3cret" not in str(answer)


def test_someone_else_wants_something_else(vercel: Vercel, deployment: Run) -> None:
    at_the_request(vercel, lambda: vercel.start_job("rollback", "dpl_1first"))
    answer = deployment("rolled_back")
    assert answer["failed"]
    assert "a rollback to gpt-agent-1aaa.vercel.app" in answer["msg"]
    vercel.job_questions = 99
    vercel.faults.append(Fault(POST, 0))
    at_the_request(vercel, lambda: vercel.start_job("promote", "dpl_3third"))
    late = deployment("rolled_back", rollback_to="dpl_2second")
    assert "Someone else has requested a promote to gpt-agent-3ccc" in late["msg"]


@pytest.mark.parametrize("ends_before", [True, False])
def test_a_killed_run(vercel: Vercel, deployment: Run, tmp_path: Path, ends_before: bool) -> None:
    vercel.job_ends = None
    options = {
        "project": NAME,
        "team": SLUG,
        "api_url": vercel.address,
        "state": "rolled_back",
        "record_dir": str(tmp_path / "state"),
    }
    process = start_module("vercel_deployment", options, {"VERCEL_TOKEN": TOKEN})
    try:
        while not vercel.posts() and process.poll() is None:
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    vercel.job_ends = "succeeded"
    if ends_before:
        vercel.get_project({}, NAME)
        vercel.get_project({}, NAME)
    answer = deployment("rolled_back", bake=0)
    assert (answer["proven"], vercel.live, len(vercel.posts())) == (True, "dpl_2second", 1)
    assert answer["changed"] is not ends_before
    assert [action["name"] for action in answer["actions"]] == (
        ["vercel.switch"] if ends_before else ["vercel.wait"]
    )


def test_two_runs_on_one_host(vercel: Vercel, deployment: Run, tmp_path: Path) -> None:
    deployment("rolled_back")
    (lock,) = glob.glob(str(tmp_path / "state" / "*.lock"))
    with open(lock, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = deployment("promoted", version="dpl_3third")
    assert f"Another run (process {os.getpid()}" in answer["msg"]
    assert vercel.live == "dpl_2second"


def test_a_target_that_does_not_work(vercel: Vercel, deployment: Run) -> None:
    vercel.project.deployments[1].healthy = False
    answer = deployment("rolled_back", health_urls=[vercel.health_url()])
    assert (answer["failed"], answer["proven"], vercel.live) == (True, False, "dpl_2second")
    assert by_name(answer, "vercel.health")["status"] == "critical"
    assert "before it was gpt-agent-3ccc.vercel.app" in answer["msg"]


def test_a_version_that_users_do_not_get(vercel: Vercel, deployment: Run) -> None:
    other = vercel.health_url("elsewhere.example")
    vercel.project.domains["elsewhere.example"] = "dpl_1first"
    answer = deployment("rolled_back", version_url=other)
    assert "status 404" not in answer.get("msg", "")
    assert vercel.live == "dpl_2second"


def test_the_token_is_masked_in_what_vercel_says(vercel: Vercel, deployment: Run) -> None:
    vercel.faults.append(Fault(POST, 400, message=f"no such token {TOKEN} {'x' * 500}"))
    assert "no such token ***" in deployment("rolled_back")["msg"]
