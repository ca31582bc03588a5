"""Outside text is escaped on its way to what reads Markdown, as the source says it, where no hostile run came too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[3] / "pages").rglob("*.py"))
DRAWS = {"markdown", "caption", "write", "error", "warning", "info", "success", "title", "header", "subheader",
         "metric", "toast", "badge", "expander", "popover", "button", "checkbox", "toggle", "page_link",
         "download_button", "spinner", "progress", "status", "tabs", "radio", "pills", "segmented_control"}
# What a file of a run, a visitor or an error says; a page of ours has words of its own under these names too.
OUTSIDE = {"error", "detail", "note", "notes", "message", "path", "device", "torch", "vaecore", "processor", "source",
           "tag", "tags", "place", "called", "title", "id", "name", "judge", "features", "classifier_weights",
           "likelihood_name", "codes", "regression", "given", "date"}
OURS = {  # file and what stands in the braces: none of it comes from a file of a run
    ("claims/page.py", "claim.id"), ("claims/page.py", "claim.title"), ("experiments/page.py", "study.id"),
    ("lecture/page.py", "CLAIMS[name].title"), ("lecture/page.py", "found.place"), ("lecture/page.py", "name"),
    ("lecture/page.py", "one.id"), ("lecture/page.py", "one.title"), ("lecture/page.py", "other.title"),
    ("lecture/terms.py", "each.id"), ("lecture/terms.py", "error"), ("lecture/terms.py", "source.place"),
    ("lecture/terms.py", "way.name"),
    ("evaluate/asking.py", "PARTS[name].title"), ("evaluate/page.py", "part.title"), ("families/page.py", "name"),
    ("latent_map/lasso.py", "name"),
    ("monitor/lineage.py", "name"), ("runs/choosing.py", "wanted.title"), ("runs/controls.py", "title"),
    ("shared/evaluation.py", "each.title"), ("shared/evaluation.py", "name"), ("shared/taking.py", "title"),
    ("shared/tour.py", "here.title"),
    ("sweeps/showing.py", "place"), ("train/bring.py", "name"), ("train/bring.py", "title"), ("train/page.py", "place"),
    ("train/page.py", "model.title"), ("traverse/prior.py", "name"), ("video/page.py", "given")}


def unescaped(node: ast.AST) -> Iterator[ast.expr]:
    """What stands in the braces of texts below `node`, but of those that `escaped` is given."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("escaped", "html.escape"):
        return
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Attribute | ast.Name):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from unescaped(child)


def raw(tree: ast.AST) -> Iterator[str]:
    """What a file draws as Markdown without escaping it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DRAWS:
            for argument in [*node.args[:1], *(each.value for each in node.keywords if each.arg in ("label", "help"))]:
                yield from (ast.unparse(found) for found in unescaped(argument)
                            if (found.attr if isinstance(found, ast.Attribute) else found.id) in OUTSIDE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: "/".join(path.parts[-2:]))
def test_what_is_said_outside_is_drawn_escaped(path: Path) -> None:
    file = "/".join(path.parts[path.parts.index("pages") + 1:])
    found = {what for what in raw(ast.parse(path.read_text())) if (file, what) not in OURS}
    assert found == set(), f"pages/{file} draws {found} as Markdown: give it to `escaped`, or say here why it is ours"


def test_what_is_not_escaped_is_seen() -> None:
    source = "st.error(f'{run.note} failed: {error}', help=f'{escaped(run.title)}')\nst.write(escaped(f'{run.note}'))"
    assert list(raw(ast.parse(source))) == ["run.note", "error"]


@pytest.mark.parametrize("part", ["|", "\n", "\r\n", ":1", "::", "a@", "- ", "1. ", "www.", "`", " ", ",\n", "a=1,"])
def test_a_long_text_takes_no_more_than_its_length(part: str) -> None:
    """Where each sign looked for something behind all others, these would take hours."""
    from pages.shared.words import escaped
    from pages.sweeps.asking import split

    assert len(escaped(part * 200_000)) >= 200_000
    assert len(split(part * 200_000)) <= 200_000
