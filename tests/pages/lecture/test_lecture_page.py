"""The Lecture page: the map, its sections and equations, a search, and the terms of an objective one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import vaecore
from pages.lecture.terms import FIRST
from pages.shared import checkpoints
from tests.pages import demo
from vaecore import lecture
from vaecore.explore import Checkpoint, terms
from vaecore.store import Store

LOSS = "variational-autoencoder-loss-function"


def formulas(at: AppTest) -> list[str]:
    return [str(each.value).removeprefix("$$\n").removesuffix("\n$$") for each in at.latex]


def links(at: AppTest) -> list[str]:
    return [each.proto.label for each in at.get("page_link")]


def page_of(at: AppTest, label: str) -> str:
    [found] = [each.proto for each in at.get("page_link") if each.proto.label == label]
    return f"{found.page}?{found.query_string}"


def codes(at: AppTest) -> str:
    return "\n".join(str(each.value) for each in at.code)


def test_the_map_leads_to_every_section() -> None:
    at = demo.open_page("lecture")
    told = links(at)
    assert [label.partition(" :gray[")[0] for label in told] == [one.title for part in dict.fromkeys(
        one.part for one in lecture.SECTIONS) for one in lecture.SECTIONS if one.part == part]
    assert any("(37) E17 E19" in label for label in told) and not formulas(at)


def test_a_section_shows_its_equations_doors_code_claims_and_errata() -> None:
    at = demo.open_page("lecture", section=LOSS)
    assert [subheader.value for subheader in at.subheader] == ["Variational Autoencoder: Loss Function"]
    shown = formulas(at)
    for number in range(9, 17):
        assert any(each.endswith(rf"\qquad ({number})") and lecture.equation(number).latex in each for each in shown)
    [wrong] = lecture.errata(16)
    assert wrong.latex in shown and "**Erratum E3**" in demo.words(at)
    assert "def kl_from_standard(self) -> Tensor:" in codes(at) and "vaecore/probability/gaussian.py:" in demo.words(at)
    told = links(at)
    assert "vae in Traverse" in told and "C1 · A linear VAE is probabilistic PCA" in told
    assert page_of(at, "Next: Motivation").endswith("section=motivation")


def test_an_equation_has_an_address_of_its_own() -> None:
    at = demo.open_page("lecture", equation="36")
    assert len([each for each in formulas(at) if r"\qquad (" in each]) == 1 and "**Erratum E7**" in demo.words(at)
    assert page_of(at, "The claim, in closed form").endswith("claim=E7")
    assert page_of(at, "The whole section").endswith("section=svg-with-a-learned-prior-loss-function")


@pytest.mark.parametrize(("query", "said"), [
    ({"equation": "42"}, "There is no equation '42'"), ({"equation": "²"}, "There is no equation"),
    ({"equation": "00012345"}, "There is no equation '00012345'"),
    ({"equation": "<b>"}, "There is no equation '\\<b\\>'"), ({"section": "nothing"}, "has no section 'nothing'")])
def test_nonsense_in_the_address_falls_back_to_the_map_and_says_so(query: dict[str, str], said: str) -> None:
    at = demo.open_page("lecture", **query)
    assert said in at.warning[0].value and len(links(at)) == len(lecture.SECTIONS)


def test_words_find_equations() -> None:
    at = demo.open_page("lecture", find="vampprior")
    assert len(formulas(at)) == 1 and formulas(at)[0].endswith(r"\qquad (41)")
    at.text_input(key="find").set_value("(16)").run()
    assert formulas(at)[0].endswith(r"\qquad (16)")
    at.text_input(key="find").set_value("no such words").run()
    assert "Nothing in the lecture" in at.info[0].value and not at.exception


def test_click_a_term(root: Path) -> None:
    at = demo.open_page("lecture", equation="9", run="runs/vae", example="3", seed="5")
    opened = Checkpoint.load(Store(root).find("vae"))
    [reckoned] = terms.reckon(opened, 3, seed=5)
    assert reckoned.latex in formulas(at) and f"**−{-reckoned.total:.2f} nats**" in demo.words(at)
    pills = next(each for each in at.button_group if each.label == "Terms")
    assert pills.value == "reconstruction" and at.query_params["term"] == "reconstruction"
    fit, kl = reckoned.terms
    assert fit.ways[0].latex in formulas(at) and kl.ways[0].latex not in formulas(at)
    assert "def log_prob" in codes(at)

    pills.set_value("KL").run()
    assert not at.exception and at.query_params["term"] == "KL"
    assert kl.ways[0].latex in formulas(at) and f"{kl.ways[1].value:.3f} ±" in demo.words(at)
    assert at.dataframe[0].value["KL"].sum() == pytest.approx(kl.value, rel=1e-4)
    assert kl.code[0].text in codes(at).replace("\r", "") + "\n" and "Erratum E3" in demo.words(at)

    at = demo.open_page("lecture", equation="9", run="runs/vae", example="3", term="KL", code="Its mean")
    assert next(each for each in at.button_group if each.label == "Terms").value == "KL"


@pytest.mark.usefixtures("root")
def test_what_a_run_was_trained_by_stands_beside_its_elbo() -> None:
    at = demo.open_page("lecture", equation="38", run="runs/collapsed")
    objective = next(each for each in at.button_group if each.label == "Objective")
    assert objective.value == "elbo"
    objective.set_value("trained").run()
    assert at.query_params["objective"] == "trained"
    assert not at.exception and any(r"\beta \text{KL}" in each for each in formulas(at))


@pytest.mark.parametrize(("number", "run", "term", "part"), [
    ("9", "gallery/lagging-aggressive", "reconstruction", "the end"), ("35", "gallery/svg-lp-mnist", "KL", "1")])
def test_terms_of_sentences_and_clips(monkeypatch: pytest.MonkeyPatch, number: str, run: str, term: str, part: str
                                      ) -> None:
    monkeypatch.setenv("VAECORE_GALLERY", str(demo.ROOT / "trained" / "gallery"))
    at = demo.open_page("lecture", equation=number, run=run, term=term)
    reckoned = terms.reckon(vaecore.load(run))[0]  # type: ignore[arg-type]
    one = next(each for each in reckoned.terms if each.name == term)
    table = next(each.value for each in at.dataframe if "part" in each.value)
    assert table["nats"].sum() == pytest.approx(one.value, rel=1e-4) and part in list(table["part"])
    assert reckoned.latex in formulas(at) and one.code[0].text in codes(at) + "\n"


@pytest.mark.parametrize(("run", "equation"), [
    ("vae-binary", "9"), ("lagging-aggressive", "9"), ("svg-lp-mnist", "35"), ("jmvae", "19"), ("made", None),
    ("jive", None)])
def test_a_door_beside_a_checkpoint_leads_to_the_equation_of_its_elbo(monkeypatch: pytest.MonkeyPatch, run: str,
                                                                      equation: str | None) -> None:
    led: list[dict[str, str]] = []
    monkeypatch.setattr(checkpoints.st, "page_link", lambda *_, query_params, **__: led.append(query_params))
    monkeypatch.setenv("VAECORE_GALLERY", str(demo.ROOT / "trained" / "gallery"))
    checkpoints.terms_link(vaecore.load(f"gallery/{run}"))  # type: ignore[arg-type]
    assert led == ([] if equation is None else [{"equation": equation, "run": f"gallery/{run}"}])


def test_each_objective_has_an_equation_of_the_lecture_and_a_shipped_checkpoint() -> None:
    shipped = {path.name for path in (demo.ROOT / "trained" / "gallery").iterdir()}
    for number, (name, trained) in FIRST.items():
        assert lecture.equation(number) and name.removeprefix("gallery/") in shipped and isinstance(trained, bool)


@pytest.mark.usefixtures("root")
def test_its_address_holds_the_view() -> None:
    demo.keeps_its_view("lecture", "find")
    demo.keeps_its_view("lecture", "example", "code", "seed", equation="9", run="vae")
