"""Variables by name: missing values are found, and none is kept."""

from __future__ import annotations

from ansible_collections.gpt_agent.runbook.plugins.module_utils.release.diagnosis import environment
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
    found = environment.variables(Files({".env": ENV}), [".env", ".env.local"])
    assert found == {"A": True, "B": False, "C": False, "D": True, "E": False}


def test_a_later_file_wins() -> None:
    files = Files({".env": "A=\n", ".env.local": "A=1\n"})
    assert environment.variables(files, [".env", ".env.local"]) == {"A": True}


def test_what_is_empty_and_what_is_extra() -> None:
    example = {"A": True, "B": True, "MAY_BE_EMPTY": False, "MISSING": True, "IN_APP": True}
    files = {"A": True, "B": False, "MAY_BE_EMPTY": False, "MINE": True, "IN_APP": False}
    found = environment.compare(example, files, {"IN_APP": "secret", "PATH": "/bin"})
    assert found.empty == ("B",)
    assert found.extra == ("MINE",)
    assert "secret" not in repr(found)
