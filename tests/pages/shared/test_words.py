"""One word for each thing: what pages say is scanned for the words that mean the same as another one."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "pages"
# What a page calls a run is "run", and what draws again with other random numbers is "Draw again". A checkpoint is
# what resuming needs, which only the queue has to speak of.
FORBIDDEN = {
    r"(?i)\bcheckpoints?\b": "run",
    r"\b(Redraw|Resample|Draw new ones|New (seed|noise|samples|draw)|Others|Reroll|Shuffle)\b": "Draw again",
    r"^(Other (samples|examples|observations)|Next (sample|example))$": "Another",
    r"(?i)\bhyper-?parameters?\b": "settings", r"(?i)\bexperiments? run\b": "run",
    r"(?i)\bnegative ELBO\b": "−ELBO", r"(?i)\bNLL\b": "−log p(x)",
}
ALLOWED = {("shared/queue.py", "run")}


@functools.cache
def said(path: Path) -> list[tuple[int, str]]:
    """The texts of a script that are no docstring, no key and no address, by their lines."""
    if path.suffix == ".js":
        return [(number, text) for number, line in enumerate(path.read_text().splitlines(), 1)
                if not line.lstrip().startswith(("//", "*", "/*")) for text in re.findall(r'"[^"]*"|`[^`]*`', line)]
    tree = ast.parse(path.read_text())
    docs = {id(node.body[0].value) for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and node.body
            and isinstance(node.body[0], ast.Expr)}
    return [(node.lineno, node.value) for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
            and re.search(r"[A-Z ]", node.value)]


NUMBERS = {"metric": "help", "NumberColumn": "help", "slider": "help", "number_input": "help", "plotly_chart": "alt"}
FILES = [path for ending in ("py", "js") for path in sorted(PAGES.rglob(f"*.{ending}"))]


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_a_thing_has_one_word(forbidden: str) -> None:
    instead = FORBIDDEN[forbidden]
    found = [f"{path.relative_to(PAGES)}:{line}: say '{instead}' in: {text[:80]}" for path in FILES
             for line, text in said(path) if re.search(forbidden, text)
             and (str(path.relative_to(PAGES)), instead) not in ALLOWED]
    assert not found, "\n".join(found)


def test_every_number_has_a_sentence_and_every_chart_a_text() -> None:
    """Behind the button that Streamlit sets beside a label with `help`, which the keyboard reaches."""
    found = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())) if path.suffix == ".py" else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NUMBERS:
                given = {each.arg: each.value for each in node.keywords}
                told = given.get(NUMBERS[node.func.attr], given.get(None))
                if told is None or (isinstance(told, ast.Constant) and not told.value):
                    found.append(f"{path.relative_to(PAGES)}:{node.lineno}: {node.func.attr} without "
                                 f"{NUMBERS[node.func.attr]}")
    assert not found, "\n".join(found)
