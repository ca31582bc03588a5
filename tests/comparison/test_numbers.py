"""Numbers of several runs: their intervals and pairs, and that nothing ranks or is paired that was found otherwise."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.comparison.made import made
from vaecore.comparison.numbers import compare
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.settings import Settings
from vaecore.library.found import numbers as library_numbers
from vaecore.probability.bootstrap import means
from vaecore.store import Run, Store

N = 500
RNG = np.random.default_rng(0)
BASE = -95 - RNG.gamma(4, 5, N)  # nats of each observation
BETTER = BASE + 0.4 + RNG.normal(0, 1, N)
SAME = BASE + RNG.normal(0, 1, N)
SAME += BASE.mean() + 0.02 - SAME.mean()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    return Store(tmp_path)


def test_a_mean_has_an_interval_and_says_what_it_is(store: Store) -> None:
    found = compare([made(store, "a", BASE, likelihood=BASE[:200] + 3, set=("data.pixels=binary-fixed",))])
    elbo, estimate = found["a"].numbers["elbo"], found["a"].numbers["log_p_is"]
    assert elbo.value == pytest.approx(BASE.mean()) and elbo.kind == "bound" and "Lower bound" in elbo.meaning
    assert elbo.error == pytest.approx(BASE.std(ddof=1) / math.sqrt(N), rel=1e-4)
    assert elbo.spread == pytest.approx(1.96 * elbo.error, rel=0.1) and elbo.low < elbo.value < elbo.high
    assert estimate.kind == "estimate" and estimate.settings["K"] == 500 and estimate.observations == 200
    assert found["a"].numbers["kl"].spread == pytest.approx(0, abs=1e-6) and found["a"].pointed


def test_an_interval_that_was_written_is_the_one_shown(store: Store) -> None:
    """Of an evaluation that told another than its values give now; what it told none of has that of its values."""
    [run] = compare([made(store, "a", BASE, likelihood=BASE[:200])]).runs
    told = run.evaluation.of(Likelihood).interval
    estimate, elbo = run.numbers["log_p_is"], run.numbers["elbo"]
    listed = library_numbers(run.headline, [run.evaluation])["log_p_is"]
    assert (estimate.low, estimate.high) == told == (listed.low, listed.high)
    [mean] = means(BASE.astype(np.float32)[:, None])
    assert (elbo.low, elbo.high) == pytest.approx((mean.low, mean.high), abs=1e-4)


def test_pairs_on_the_same_points_see_what_two_intervals_hide(store: Store) -> None:
    found = compare([made(store, "a", BASE), made(store, "b", BETTER), made(store, "c", SAME)])
    better, same = found.difference("elbo", "b"), found.difference("elbo", "c")
    assert better.paired and better.value == pytest.approx((BETTER - BASE).mean(), abs=1e-4)
    assert 0 < better.low < 0.4 < better.high and not better.inside
    assert same.paired and same.inside and same.value == pytest.approx(0.02, abs=1e-4)
    numbers = [found[name].numbers["elbo"] for name in ("a", "b")]
    assert numbers[0].high > numbers[1].low, "each for itself they are not told apart"
    assert found.ranked["elbo"] and not found.ranked["kl"]
    other = compare(found_runs(store, "a", "b", "c"), reference="b").difference("elbo", "a")
    assert other.value == pytest.approx(-better.value) and other.high == pytest.approx(-better.low, abs=0.02)


def found_runs(store: Store, *names: str) -> list[Run]:
    return [store.find(name) for name in names]


@pytest.mark.parametrize(("other", "key", "said"), [
    ({"settings": {"importance_samples": 100}}, "log_p_is", "K (100 and 500)"),
    ({"settings": {"observations": 100}, "likelihood": BETTER[:100]}, "log_p_is", "N (100 and 200)"),
    ({"settings": {"split": "validation"}}, "elbo", "split (validation and test)"),
    ({"settings": {"split": "train"}}, "mse", "split (train and test)"),
    ({"settings": {"seed": 3}}, "elbo", "seed (3 and 0)"),
    ({"observations": 400}, "elbo", "N (400 and 500)"),
    ({"set": ("data.pixels=binary-fixed",)}, "elbo", "kinds of pixels"),
    ({"set": ("data.pixels=binary-dynamic",)}, "mse", "kinds of pixels"),
    ({"set": ("data.binarisation_seed=7", "data.pixels=binary-fixed"), "first": ("data.pixels=binary-fixed",)}, "elbo",
     "binarisation_seed"),
    ({"set": ("data={name: fashion-mnist}",)}, "elbo", "data sets"),
    ({"set": ("model.likelihood.kind=gaussian-learned",)}, "elbo", "likelihoods"),
    ({"conditional": True}, "elbo", "given (u and nothing)"),
    ({"order": "second"}, "elbo", "observations, or their order")])
def test_what_was_found_otherwise_neither_ranks_nor_is_paired(store: Store, other: dict[str, Any], key: str, said: str
                                                              ) -> None:
    """Each kind of difference by itself."""
    first = made(store, "a", BASE, likelihood=BASE[:200], set=other.pop("first", ()))
    found = compare([first, made(store, "b", BETTER, **{"likelihood": BETTER[:200], **other})])
    what = found.difference(key, "b")
    assert any(said in each for each in what.refused), what.refused
    assert math.isnan(what.value) and not what.inside and not found.ranked[key]
    assert any(said in each for each in found.unlike(key, "b"))
    table = found.table(differences=True)
    assert table.cell(table.rows[1], key).value is None and said in table.cell(table.rows[1], key).note
    assert any(said in note and "does not compare" in note for note in table.notes)
    assert "**" not in column(found.table().markdown(), found["a"].numbers[key].declared.title)


def column(markdown: str, title: str) -> str:
    lines = [line.strip("|").split("|") for line in markdown.splitlines() if line.startswith("|")]
    [place] = [place for place, head in enumerate(lines[0]) if head.strip().replace("\\|", "|").startswith(title)]
    return "".join(line[place] for line in lines)


def test_a_squared_error_compares_under_any_likelihood(store: Store) -> None:
    found = compare([made(store, "a", BASE), made(store, "b", BETTER, set=("model.likelihood.kind=gaussian-learned",))])
    assert found.difference("elbo", "b").refused and found.difference("mse", "b").paired and found.ranked["mse"]


def test_exact_log_p_is_paired_too(store: Store) -> None:
    """Families without a bound."""
    exact: dict[str, Any] = {"preset_name": "made-mnist", "set": ("data.pixels=binary-fixed",)}
    found = compare([made(store, "a", BASE, **exact), made(store, "b", BETTER, **exact)])
    assert found["a"].numbers["log_p"].kind == "exact" and "elbo" not in found["a"].numbers
    assert found.difference("log_p", "b").paired and found.difference("log_p", "b").low > 0


def test_an_estimated_normaliser_widens_the_interval(store: Store) -> None:
    both: dict[str, Any] = {"preset_name": "rbm-mnist"}
    sure = made(store, "a", BASE, **both)
    found = compare([sure, made(store, "b", BETTER, log_z={"value": 3.0, "standard_error": 2.0}, **both)])
    numbers = {name: found[name].numbers["log_p"] for name in ("a", "b")}
    assert numbers["b"].kind == "estimate" and numbers["b"].spread > 1.96 * 2 > numbers["a"].spread
    assert found.difference("log_p", "b").inside, "2 nats of log Z hide 0.4"


def test_without_values_it_is_not_paired_but_has_its_standard_error(store: Store) -> None:
    runs = [made(store, "a", BASE, likelihood=BASE[:200]),
            made(store, "b", BETTER, likelihood=BETTER[:200], points=False)]
    found = compare(runs)
    estimate, elbo = found.difference("log_p_is", "b"), found.difference("elbo", "b")
    errors = [x[:200].std(ddof=1) / math.sqrt(200) for x in (BASE, BETTER)]
    assert not estimate.paired and estimate.spread == pytest.approx(1.96 * math.hypot(*errors), rel=0.02)
    assert not elbo.paired and elbo.spread is None and elbo.value == pytest.approx((BETTER - BASE).mean(), abs=1e-6)
    assert found["a"].pointed and not found["b"].pointed


def test_the_error_of_a_frechet_distance_is_that_of_its_interval(store: Store) -> None:
    """By Student's t with nine degrees of freedom, and the lower end is cut at 0."""
    judged = {"frechet": 0.5, "frechet_interval": [0.0, 1.7], "precision": 0.5, "recall": 0.5, "k": 3, "real": 100,
              "generated": 100, "features": "ours", "classifier_accuracy": 1.0,
              "floor": {"frechet": 0.1, "precision": 0.5, "recall": 0.5}}
    found = compare([made(store, "a", BASE, samples=judged)])
    assert found["a"].numbers["frechet"].error == pytest.approx(1.2 / 2.2622, rel=1e-4)


def test_a_run_without_an_evaluation_has_the_numbers_of_its_training(store: Store) -> None:
    found = compare([made(store, "a", BASE), made(store, "b", None)])
    assert found["b"].evaluation is None and found["b"].numbers["elbo"].value == -95.0
    assert found.difference("elbo", "b").value == pytest.approx(-95 - BASE.mean())
    assert not found.difference("elbo", "b").refused


def test_evaluations_with_the_settings_of_the_reference_are_taken(store: Store) -> None:
    a = made(store, "a", BASE, settings={"importance_samples": 100}, likelihood=BASE[:200])
    b = made(store, "b", BETTER, settings={"importance_samples": 100}, likelihood=BETTER[:200])
    from vaecore.evaluate.kept import evaluations, keep

    [facts] = evaluations(b)
    facts["settings"]["importance_samples"] = facts["likelihood"]["samples"] = 7
    keep(b, facts)
    found = compare([a, b])
    assert found["b"].numbers["log_p_is"].settings["K"] == 100 and found.difference("log_p_is", "b").paired
    assert compare([b, a])["b"].numbers["log_p_is"].settings["K"] == 7
    assert compare([a, b], settings=Settings(importance_samples=9))["b"].evaluation is None


def test_the_table_and_the_facts_say_the_same(store: Store) -> None:
    found = compare([made(store, "a", BASE), made(store, "b", BETTER)])
    table = found.table(differences=True)
    cell = table.cell(table.rows[1], "elbo")
    assert cell.value == found.difference("elbo", "b").value and "Paired" in cell.note
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    one = facts["runs"][1]["numbers"]["elbo"]
    assert one["difference"]["value"] == cell.value and one["kind"] == "bound" and facts["reference"] == "a"
    assert "±" in found.table().markdown() and "ELBO (nats) ±" in found.table().csv()
    best = column(found.table().markdown(), "ELBO")
    assert best.count("**") == 2 and f"**{BETTER.mean():.2f}" in best


def test_what_cannot_be_compared_is_said(store: Store) -> None:
    with pytest.raises(ValueError, match="no runs"):
        compare([])
    with pytest.raises(ValueError, match="b is none of the runs"):
        compare([made(store, "a", BASE)], reference="b")


def test_numbers_by_direction_and_latent_have_fields_of_their_own() -> None:
    """Two shipped models of image and label, evaluated alike."""
    gallery = Path(__file__).parents[2] / "trained" / "gallery"
    found = compare([Run(gallery / "dmvae"), Run(gallery / "mvae")])
    from vaecore.evaluate.kept import results

    told = results(Run(gallery / "dmvae"))[-1]
    across = told.found["coherence"]
    numbers = found["gallery/dmvae"].numbers
    assert {key: number.value for key, number in numbers.items() if key.startswith("coherence.")} == {
        f"coherence.{name}": share for name, share in across.crossings().items()}  # type: ignore[attr-defined]
    assert any(key.startswith("conditional.") for key in numbers)


def test_files_from_anywhere_end_no_comparison(store: Store) -> None:
    from tests.pages import hostile

    good = made(store, "a", BASE)
    for name in hostile.spoil(store.root, "runs/a", files=("summary.json", "evaluation.json")):
        found = compare([good, store.find(name)])
        assert found.table(differences=True).csv() and json.dumps(found.facts(), allow_nan=False)


def test_where_the_reference_has_none_the_first_that_has_one_is_the_standard(store: Store) -> None:
    exact: dict[str, Any] = {"preset_name": "made-mnist", "set": ("data.pixels=binary-fixed",)}
    found = compare([made(store, "a", BASE), made(store, "b", BASE, **exact),
                     made(store, "c", BASE, settings={"split": "train"}, **exact)])
    assert found.standard("elbo") == "a" and found.standard("log_p") == "b"
    assert found.unlike("log_p", "c") == ("split (train and test)",) and not found.unlike("log_p", "b")
    assert ("log_p", "c") not in found.differences
