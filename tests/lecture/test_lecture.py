"""The lecture's table: all is there, whatever it points to exists, and its errata are those of the docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

import vaecore
from pages.shared.checkpoints import PAGES
from scripts.recipes import RECIPES
from vaecore import cli, lecture, named
from vaecore.lecture import EQUATIONS, ERRATA, SECTIONS, Door
from vaecore.lecture.sources import source, source_of
from vaecore.schema import ConfigError
from vaecore.studies import CLAIMS, EXPERIMENTS

ROOT = Path(vaecore.__file__).parents[1]
LEVELS = re.compile(r"\\(?:begin|end)\{aligned\}|\\left|\\right|[{}]")
TABS = {"traverse": ROOT / "pages" / "traverse" / "page.py", "compare": ROOT / "pages" / "compare" / "page.py"}


def doors() -> Iterator[Door]:
    for each in (*EQUATIONS, *SECTIONS):
        yield from each.doors


def test_all_equations_are_there_once_in_the_lectures_order() -> None:
    assert [each.number for each in EQUATIONS] == list(range(1, 42))
    assert [n for section in SECTIONS for n in section.equations] == list(range(1, 42))
    assert len({section.name for section in SECTIONS}) == len(SECTIONS) == 57
    assert list(dict.fromkeys(section.part for section in SECTIONS)) == [
        "Variational autoencoder", "Multi-modal data", "Temporal data", "Posterior collapse", "More flexible priors",
        "Concluding remark"]
    assert r"\sum_{j=1}^p \sigma_{Z_j|\vec{X}}^2(\vec{x})" in lecture.equation(16).latex  # as printed, with p
    assert lecture.equation(9).latex.startswith(r"\begin{aligned} \text{ELBO}(\theta, \phi; \vec{x}) &:= \log p_")


@pytest.mark.parametrize("latex", [each.latex for each in (*EQUATIONS, *ERRATA) if each.latex])
def test_a_formula_closes_what_it_opens(latex: str) -> None:
    """Else a reader sees the letters of it. Its braces, environments and sizes pair; it has no line of its own."""
    assert "\n" not in latex and "  " not in latex and r"\tag" not in latex
    closes = {"}": "{", r"\right": r"\left", r"\end{aligned}": r"\begin{aligned}"}
    open_: list[str] = []
    for token in LEVELS.findall(latex.replace(r"\{", "").replace(r"\}", "")):
        if token in closes:
            assert open_ and open_.pop() == closes[token], latex
        else:
            open_.append(token)
    assert not open_, latex


@pytest.mark.parametrize("each", [*EQUATIONS, *SECTIONS], ids=lambda each: getattr(each, "name", None) or each.number)
def test_everything_leads_to_what_exists(each: lecture.Equation | lecture.Section) -> None:
    inner = [lecture.equation(n) for n in each.equations] if isinstance(each, lecture.Section) else []
    assert each.says.endswith(".") and (each.code or inner) and (each.doors or inner)
    for dotted in each.code:
        found = source(dotted)
        lines = (ROOT / found.path).read_text(encoding="utf-8").splitlines()
        assert lines[found.first - 1].strip() == found.text.splitlines()[0].strip()
        if found.first > 1:
            assert dotted.rpartition(".")[2] in "".join(found.text.splitlines()[:3])
    assert set(each.claims) <= set(CLAIMS)
    if isinstance(each, lecture.Section):
        assert set(each.errata) <= {one.id for one in ERRATA}


@pytest.mark.parametrize("door", sorted(set(doors()), key=str), ids=lambda door: door.address)
def test_a_door_opens_a_page_at_something_that_is_there(door: Door) -> None:
    index = (ROOT / "pages" / "index.py").read_text(encoding="utf-8")
    addresses = {*re.findall(r'url_path="([a-z-]+)"', index), *(each.address for each in PAGES.values())}
    at = urlsplit(door.address)
    page = at.path.removeprefix("/")
    assert door.address.startswith("/") and page in addresses
    shipped = {recipe.name for recipe in RECIPES}
    for name, value in parse_qsl(at.query, strict_parsing=bool(at.query)):
        match name:
            case "run" | "runs":
                folder, _, run = value.partition("/")
                assert folder == "gallery" and run in shipped and (ROOT / "trained" / "gallery" / run).is_dir()
            case "view" | "section":
                assert f'"{value}"' in TABS[page].read_text(encoding="utf-8")
            case "claim":
                assert value in CLAIMS
            case "experiment":
                assert value in EXPERIMENTS
            case "preset":
                assert value in named.presets()
            case _:
                pytest.fail(f"{name} is no parameter of {page} that is known here")


def test_the_errata_are_those_of_the_docs() -> None:
    lines = (ROOT / "docs" / "errata.md").read_text(encoding="utf-8").splitlines()
    rows = [tuple(cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            for line in lines if line.startswith("| E")]
    assert rows == [(each.id, each.where, each.printed, each.correct, each.code, each.severity) for each in ERRATA]
    assert [each.id for each in ERRATA] == [f"E{n}" for n in range(1, 27)]


def test_an_erratum_stands_where_it_says() -> None:
    """By the numbers in its own words; and each is met somewhere by who reads the lecture through."""
    for each in ERRATA:
        assert {int(n) for n in re.findall(r"\((\d+)\)", each.where)} <= set(each.equations), each.id
        for path in re.findall(r"`([\w/]+\.py)`", each.code):
            assert (ROOT / "vaecore" / path).is_file(), each.id
    met = {each.id for n in range(1, 42) for each in lecture.errata(n)} | {e for s in SECTIONS for e in s.errata}
    assert met == {each.id for each in ERRATA}
    assert [each.id for each in lecture.errata(16)] == ["E3"] and "p" in lecture.equation(16).latex
    [wrong] = lecture.errata(16)
    assert wrong.latex.count("^r") == 3 and "^p" not in wrong.latex and wrong.latex.endswith(r"- r \right)")


def test_a_severe_erratum_has_the_formula_that_is_right_or_is_no_formula() -> None:
    assert {each.id for each in ERRATA if each.severity == "H" and not each.latex} == {"E12"}  # an objective is missing


def test_words_find_sections_and_equations() -> None:
    assert [(section.title, numbers) for section, numbers in lecture.search("vampprior")] == [
        ("More Flexible Prior: Variational Mixture of Posterior Prior", (41,))]
    assert [numbers for _, numbers in lecture.search("(16)")] == [(16,)]
    assert len(list(lecture.search(""))) == len(SECTIONS) and not list(lecture.search("no such words"))
    assert lecture.section_of(37).name == "posterior-collapse" == lecture.section("posterior-collapse").name
    for bad in (0, 42):
        with pytest.raises(ConfigError, match="1 to 41"):
            lecture.equation(bad)


def test_source_is_what_python_finds() -> None:
    assert source_of(type(lecture.equation(1))).text.startswith("@dataclass(frozen=True)\nclass Equation:")
    assert source("vaecore.models.evidence").first == 1
    assert "self.total_reconstruction() - self.total_kl()" in source("vaecore.models.evidence.Evidence.elbo").text
    for gone in ("vaecore.models.single.vae.VAE.gone", "vaecore.gone", "gone"):
        with pytest.raises((ImportError, AttributeError)):
            source(gone)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        import json

        cli.command_line(["lecture", *arguments])(["lecture", *arguments], standalone_mode=False)
        out = capsys.readouterr().out
        return str(json.loads(out)) if "--json" in arguments else out

    told = said("16")
    assert lecture.equation(16).latex in told and "gaussian.py:" in told and "E3" in told and "claim  C1 " in told
    assert lecture.section("posterior-collapse").says in said("posterior-collapse")
    assert "'equation': 9" in said("9", "--json")
    whole = said()
    assert all(f"({n}) " in whole for n in range(1, 42)) and all(part in whole for part in ("Temporal data", "E7"))
    with pytest.raises(ConfigError, match="1 to 41"):
        said("42")
    assert lecture.section("posterior-collapse").title not in said("²")  # a digit, and a word to look for
    with pytest.raises(ConfigError, match="no section of that name"):
        said("9" * 5_000)
