"""What the files of a release say."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.source import variables
from tests.support.release_samples import Files

ENV = """# comment
export A=1
B=
C=''
D="x y"
E= # later
not a variable
"""


def test_variables_and_whether_they_have_a_value() -> None:
    found = variables(Files({".env": ENV}), [".env", ".env.local"])
    assert found == {"A": True, "B": False, "C": False, "D": True, "E": False}


def test_a_later_file_wins() -> None:
    files = Files({".env": "A=\n", ".env.local": "A=1\n"})
    assert variables(files, [".env", ".env.local"]) == {"A": True}
