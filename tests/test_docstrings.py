"""What `help()` shows: the fields that a family declares, and first lines that say something out of their place."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vaecore
from vaecore import models, schema
from vaecore.data import DATASETS, MNIST
from vaecore.models import FAMILIES, Family

MODULES = [kind for name in models.__all__ if isinstance(kind := getattr(models, name), type)
           and issubclass(kind, Family) and kind is not Family]


@pytest.mark.parametrize("module", MODULES, ids=lambda kind: kind.__name__)
def test_help_of_a_family_shows_its_fields(module: type[Family]) -> None:
    words = module.__doc__ or ""
    first = words.split("\n")[0]
    assert len(first) > 15 and first[0].isupper() and first.endswith(".")
    [choice] = [name for name in dir(models) if f"fields of a `{name}`:" in words] or [""]
    declared = getattr(models, choice, None) or models.FAMILIES["svg-lp"].__mro__[1]  # shared by both priors
    for name, info in declared.model_fields.items():
        assert (f"- `{name}`: {info.description}" in words) == bool(info.description), name


def test_the_words_of_a_field_are_its_declaration() -> None:
    words = vaecore.VAE.__doc__ or ""
    assert "- `latent_size`: Size r of the latent z. In dimensions. Default 20, at least 1, at most 4,096.\n" in words
    assert "\n\nEquations of the lecture: 5–16.\n\n" in words
    assert "- `network`: Encoder and decoder. One of conv, resconv, mlp, linear. Default conv.\n" in words
    choice = vaecore.VAEConfig.__doc__ or ""
    assert choice.startswith("A variational autoencoder.\n\nFields:\n\n- `latent_size`: Size r of the latent z.")


def test_a_signature_is_read_at_a_glance() -> None:
    assert str(inspect.signature(vaecore.VAEConfig)) == (
        "(*, latent_size=20, network=ConvConfig(), likelihood=BernoulliConfig(), prior=StandardConfig(), "
        "divergence=KLConfig(), bound=ELBOConfig(), n_samples=1)")
    assert "pixels='grey'" in str(inspect.signature(MNIST))


@pytest.mark.parametrize("choice", [*FAMILIES.values(), *DATASETS.values()], ids=lambda kind: kind.__name__)
def test_help_of_a_choice_shows_its_fields(choice: type[schema.Strict]) -> None:
    assert (choice.__doc__ or "").count("\n- `") == sum(bool(info.description) for info in choice.model_fields.values())


# -- first lines: they are read alone, where an editor shows one or a page lists them ---------------

PACKAGE = Path(vaecore.__file__).parent
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file())
# What a line begins with that goes on from its neighbour, or stands for a name that only its file gives.
LEANING = re.compile(r"(Of|And|But|Or|So|As|With|From|In|On|To|Until|By|Its?|They|Them|Their|These|Those|This|That|"
                     r"The same|The others?|All of (the above|these|them)|Whether (it|its|they|there)|"
                     r"What (it|its|they|one of them|is in it)|Where (it|they)|Which|Whose|How (it|its|they)|Else|"
                     r"Likewise)\b")
NEIGHBOUR = re.compile(r"\b(so do (those|these)|(those|the) (above|below)|the former|the latter)\b")


def fault(line: str) -> str:
    """Why a docstring's first line does not stand alone; empty where it does."""
    if not re.search(r"[.?][)\"'`]?$", line):
        return "goes on in the next line"
    if re.match(r"(?!log |exp |tanh )[a-z]{2,} ", line):
        return "begins in the middle"
    if len(line.split()) < 3:
        return "is too short to say what it is"
    return "leans on something else" if LEANING.match(line) or NEIGHBOUR.search(line) else ""


def first_lines(tree: ast.Module | ast.ClassDef, inside: str = "") -> Iterator[tuple[str, str]]:
    """Name and first line of every public class and function of a file that has a docstring."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if words := ast.get_docstring(node):
                yield inside + node.name, words.split("\n")[0]
            if isinstance(node, ast.ClassDef):
                yield from first_lines(node, f"{inside}{node.name}.")


@pytest.mark.parametrize("room", ROOMS)
def test_first_lines_stand_alone(room: str) -> None:
    assert len(ROOMS) > 15
    place = PACKAGE / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    found = [f"{path.relative_to(PACKAGE)}: {name} {why}: {line}" for path in files
             for name, line in first_lines(ast.parse(path.read_text())) if (why := fault(line))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("line", "why"), [
    ("Of the first `limit` observations, by modality.", "leans on something else"),
    ("What is in it, in words.", "leans on something else"),
    ("The first of all, so do those below.", "leans on something else"),
    ("A sentence that is cut in the", "goes on in the next line"),
    ("the end of a sentence.", "begins in the middle"),
    ("R_l.", "is too short to say what it is"),
    ("log p(x|z) in nats a sentence, (B,).", ""), ("The user's runs, newest first.", "")])
def test_the_rule_tells_fragments_from_sentences(line: str, why: str) -> None:
    assert fault(line) == why
