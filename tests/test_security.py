"""`docs/security.md` names a test for each threat: it is there, so that no row speaks of what nobody tries any more."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = re.findall(r"`(tests/[\w/]+\.py)((?:::\w+)?)`", (ROOT / "docs" / "security.md").read_text())


@cache
def functions(file: str) -> set[str]:
    """The names of the tests in a file."""
    return {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_row_of_the_table_names_a_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.partition("## Threats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!---|threat).+\|$", table, re.MULTILINE)
    assert len(rows) >= 10
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize(("file", "name"), sorted(set(ROWS)))
def test_the_tests_it_names_are_there(file: str, name: str) -> None:
    assert (ROOT / file).is_file()
    assert not name or name.removeprefix("::") in functions(file)
