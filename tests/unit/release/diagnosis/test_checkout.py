"""The state of a checkout, by the output of git."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.gpt_agent.runbook.plugins.module_utils.core.thresholds import Thresholds
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.checks import CHECKS
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.assess import (
    checkout,
)
from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis.checkout import (
    Checkout,
    parse,
)

CLEAN = (
    "# branch.oid 3f2a91c0\n# branch.head main\n# branch.upstream origin/main\n# branch.ab +0 -0\n"
)
CHANGED = "1 .M N... 100644 100644 100644 aaa aaa src/my file.js\n"
MOVED = "2 R. N... 100644 100644 100644 aaa aaa R100 new name.js\told.js\n"
CONFLICT = "u UU N... 100644 100644 100644 100644 a b c package.json\n"


def test_what_git_says_is_understood() -> None:
    found = parse(CLEAN.replace("+0 -0", "+1 -3") + CHANGED + MOVED + CONFLICT + "? dist/\n")
    assert found == Checkout(
        "3f2a91c0", "main", 1, 3, ("src/my file.js", "new name.js"), ("package.json",), 1
    )
    assert parse("# branch.oid 3f2a91c0\n# branch.head (detached)\n") == Checkout("3f2a91c0")


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        (parse(CLEAN), "ok", "commit 3f2a91c0, on main, without changes"),
        (Checkout("3f2a91c0"), "ok", "on a detached head, without changes"),
        (parse(CLEAN + CHANGED), "warning", "1 file changed by hand"),
        (parse(CLEAN.replace("-0", "-2")), "warning", "2 commits behind"),
        (replace(parse(CLEAN), newest="bbbb"), "warning", "behind: the repository has commit bbbb"),
        (parse(CLEAN + CONFLICT), "critical", "1 file with a conflict that is not resolved"),
        (None, "ok", "not judged: each release is a folder of its own"),
    ],
)
def test_verdicts(found: Checkout | None, status: str, said: str) -> None:
    check = checkout(found, "/srv/app", Thresholds(CHECKS))
    assert (check.status, said in check.summary) == (status, True), check
