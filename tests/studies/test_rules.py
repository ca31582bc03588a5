"""T8: the rule of a claim can refute each half of its sentence, one at a time, and asks for margins that are wider
than the spread between seeds. Rules are functions of the table alone, so that no experiment is run here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vaecore.studies import (
    CLAIMS,
    Bench,
    Finding,
    Result,
    c01_linear,
    c02_loadings,
    c04_product,
    c05_marginals,
    c06_unpaired,
    c07_jmvae,
    c08_swap,
    c09_jive,
    c12_learned_prior,
    c13_lagging,
    c14_gamma,
    c15_word_dropout,
    c16_cyclical,
    c17_vamp,
    c18_implicit,
    c19_wae,
    c20_ivae,
    c21_chains,
    c22_identity,
    c27_sentences,
)
from vaecore.studies.exhibit import Table as ShownTable

Table = list[dict[str, Any]]
SPREAD = (-1.0, 0.0, 1.0)  # by seed, times what a case says


def rows(names: Sequence[str], label: str, values: dict[str, dict[str, float]], spread: float = 0.001, count: int = 3
         ) -> Table:
    """Three seeds of each; by seed all values move together by a little, or the first name's alone by `spread`."""
    return [{label: name, "seed": seed, **{column: value + spread * SPREAD[seed] * (name == names[0] or spread < 0.01)
                                           for column, value in values[name].items()}}
            for name in names for seed in range(count)]


def refused(found: Finding, says: str) -> None:
    assert not found.reproduced
    assert says in found.summary.partition("What fails")[2] + found.summary.partition("Not shown")[2]


# -- C1, C2, C4: closed forms ----------------------------------------------------------------------


def closed(name: str = "", off: float = 0.0, spread: float = 0.001, count: int = 3) -> Table:
    """C1: all as the closed form says, but `name` at the last gamma off by the share `off`, in the mean or by seed."""
    table: Table = []
    for seed in range(count):
        for gamma in c01_linear.GAMMAS:
            row: dict[str, Any] = {"gamma": gamma, "seed": seed, "active": 3, "active, exact": 3}
            for column in ("KL", "distortion"):
                wrong = off + spread * SPREAD[seed] if (column, gamma) == (name, c01_linear.GAMMAS[-1]) else 0.0
                row |= {f"{column}, exact": 2.0, column: 2.0 * (1 + wrong)}
            table.append(row)
    return table


def test_c1_holds_where_every_half_does() -> None:
    found = c01_linear.finding(closed("KL", 0.001))
    assert found.reproduced and found.intervals["KL over its closed form less 1, where worst"].count == 3


@pytest.mark.parametrize(("table", "says"), [
    (closed("KL", 0.03), "that the KL is within 2%"), (closed("KL", -0.03), "that the KL is within 2%"),
    (closed("distortion", 0.03), "that the distortion is within 2%"),
    (closed("distortion", -0.03), "that the distortion is within 2%"),
    (closed("KL", 0.0, spread=0.015), "that the KL is within 2%"),  # each seed within 2 %, the interval is not
    (closed(count=1), "that the KL is within 2%"),
    ([*closed()[:-1], closed()[-1] | {"active": 4}], "exactly the eigenvalues")])
def test_c1_refuses_each_half(table: Table, says: str) -> None:
    refused(c01_linear.finding(table), says)


def loadings(with_: float = 0.9999, without: float = 0.2, subspace: float = 0.9999, spread: float = 0.00001,
             count: int = 3) -> Table:
    return [{"l2": l2, "seed": seed, c02_loadings.SINGULAR: value + spread * SPREAD[seed] * (not l2 or spread < 0.1),
             c02_loadings.INSIDE: 0.9999, c02_loadings.SUBSPACE: 0.9999 if l2 else subspace}
            for seed in range(count) for l2, value in zip(c02_loadings.PENALTIES, (without, with_), strict=True)]


def test_c2_holds_where_every_half_does() -> None:
    assert c02_loadings.finding(loadings()).reproduced


@pytest.mark.parametrize(("table", "says"), [
    (loadings(with_=0.998), "cosines of 0.999 with the penalty"), (loadings(without=0.95), "below 0.9 without"),
    (loadings(without=0.8, spread=0.15), "below 0.9 without"),  # below it on average, and within the spread of it
    (loadings(subspace=0.99), "the subspace without it"),  # was not in the rule
    (loadings(with_=0.998, without=0.9), "that the penalty gains as much"), (loadings(count=1), "with the penalty")])
def test_c2_refuses_each_half(table: Table, says: str) -> None:
    refused(c02_loadings.finding(table), says)


def subsets(precision: float = 0.001, mean: float = 0.001, spread: float = 0.0001, count: int = 3) -> Table:
    """C4: `precision` and `mean` are the errors of the last subset."""
    true = {"error from the true precision": 0.5, "error from the true mean": 0.5}
    return [{"given": f"subset {n}", "seed": seed, **true,
             "error of the precision": (precision if n == 6 else 0.001) + spread * SPREAD[seed],
             "error of the mean": (mean if n == 6 else 0.001) + spread * SPREAD[seed]}
            for seed in range(count) for n in range(7)]


def test_c4_holds_where_every_subset_does() -> None:
    found = c04_product.finding(subsets())
    assert found.reproduced and found.intervals["error of the mean, worst subset"].high < 0.02


@pytest.mark.parametrize(("table", "says"), [
    (subsets(precision=0.03), "the precision given subset 6"), (subsets(mean=0.021), "the mean given subset 6"),
    (subsets(mean=0.015, spread=0.004), "the mean given subset 6"), (subsets(count=1), "the mean given"),
    ([row for row in subsets() if row["given"] != "subset 3"], "all 7 subsets")])
def test_c4_refuses_each_half(table: Table, says: str) -> None:
    refused(c04_product.finding(table), says)


# -- C5 --------------------------------------------------------------------------------------------


def crossings(with_: tuple[float, float] = (0.96, 0.97), without: tuple[float, float] = (0.12, 0.15),
              spread: float = 0.001, count: int = 3) -> Table:
    """Cross-modal accuracies of both trainings, image -> label first; with a wide spread of the first alone."""
    return [{"training": name, "seed": seed, "image -> label": values[0] + spread * SPREAD[seed],
             "label -> image": values[1] + 0.001 * SPREAD[seed]}
            for seed in range(count) for name, values in zip(c05_marginals.MODELS, (with_, without), strict=True)]


def test_c5_holds_where_every_half_does() -> None:
    assert c05_marginals.finding(crossings()).reproduced


@pytest.mark.parametrize(("table", "says"), [
    (crossings(with_=(0.89, 0.97)), "that image -> label is right in 90%"),
    (crossings(with_=(0.97, 0.89)), "that label -> image is right in 90%"),
    (crossings(without=(0.31, 0.1)), "that image -> label is near chance"),
    (crossings(without=(0.1, 0.31)), "that label -> image is near chance"),
    (crossings(with_=(0.93, 0.93), without=(0.27, 0.1), spread=0.02), "that image -> label is near chance"),
    (crossings(count=1), "that label -> image is near chance")])
def test_c5_refuses_each_half(table: Table, says: str) -> None:
    refused(c05_marginals.finding(table), says)


# -- C6 --------------------------------------------------------------------------------------------


def unpaired(spread: float = 0.001, count: int = 3, **change: float) -> Table:
    found = {c06_unpaired.ALL: 0.92, "MVAE": 0.88, "JMVAE, alpha 0.1": 0.13, "JMVAE, alpha 1": 0.3,
             "JMVAE, alpha 10": 0.54} | {name.replace("_", " "): value for name, value in change.items()}
    names = ["MVAE", *(name for name in found if name != "MVAE")]
    return rows(names, "method", {name: {"image -> label": value} for name, value in found.items()}, spread, count)


def test_c6_holds_where_mvae_recovers_and_jmvae_does_not() -> None:
    found = c06_unpaired.finding(unpaired())
    assert found.reproduced and "leads JMVAE, alpha 10 by 34.0%" in found.summary
    assert found.intervals["MVAE less JMVAE, alpha 10"].count == 3


def test_c6_what_was_found_of_it_before_is_refused() -> None:
    """MVAE with 44 % was said to recover 92 %, and JMVAE was tried at its worst alpha only."""
    refused(c06_unpaired.finding(unpaired(MVAE=0.4409)), "MVAE does not recover 90% of what all pairs give")


@pytest.mark.parametrize(("table", "says"), [
    (unpaired(MVAE=0.8), "does not recover"),
    ([row | ({"image -> label": 0.85} if row["method"] == "JMVAE, alpha 10" else {}) for row in unpaired()],
     "a JMVAE recovers it too"),
    ([row | ({"image -> label": 0.80} if row["method"] == "JMVAE, alpha 1" else {}) for row in unpaired()],
     "does not lead"),
    (unpaired(spread=0.05), "does not recover"), (unpaired(count=1), "does not recover")])
def test_c6_refuses_each_half(table: Table, says: str) -> None:
    refused(c06_unpaired.finding(table), says)


def test_c6_compares_the_same_seeds() -> None:
    with pytest.raises(ValueError, match="both need the same ones"):
        c06_unpaired.finding(unpaired()[:-1])


# -- C7 --------------------------------------------------------------------------------------------


def joint(zero: tuple[float, float] = (0.36, 0.39), ours: tuple[float, float] = (0.91, 0.85), gap: float = 19.0,
          spread: float = 0.001, count: int = 3) -> Table:
    """JMVAE-zero and JMVAE-kl by seed, image -> label first, and the other alphas once."""
    table: Table = []
    for seed in range(count):
        for alpha in (0.0, *c07_jmvae.ALPHAS):
            if alpha in (0.0, c07_jmvae.OURS) or not seed:
                a, b = ours if alpha else zero
                table.append({"alpha": alpha, "seed": seed, "image -> label": a + spread * SPREAD[seed] * (alpha > 0),
                              "label -> image": b, "ceiling of label": 1.0, "ceiling of image": 0.97,
                              c07_jmvae.GAP: gap + 1 / (1 + alpha) if alpha else 350.0 + seed,
                              **({} if seed else {c07_jmvae.NLL: 111.0})})  # only the first seed's is estimated
    return table


def test_c7_holds_where_every_half_does_and_says_what_the_other_alphas_do() -> None:
    found = c07_jmvae.finding(joint())
    assert found.reproduced and "nats, falling throughout" in found.summary


@pytest.mark.parametrize(("table", "says"), [
    (joint(zero=(0.51, 0.39)), "that zeros break image -> label"),  # was not in the rule
    (joint(zero=(0.36, 0.49)), "that zeros break label -> image"),
    (joint(ours=(0.6, 0.85)), "that the encoders mend image -> label"),  # was not in the rule
    (joint(ours=(0.91, 0.6)), "that the encoders mend label -> image"),
    (joint(ours=(0.41, 0.42)), "that they gain 10 points"), (joint(gap=360), "draws them to the joint"),
    (joint(ours=(0.8, 0.85), spread=0.15), "that the encoders mend image -> label"),
    (joint(count=1), "that they gain 10 points")])
def test_c7_refuses_each_half(table: Table, says: str) -> None:
    refused(c07_jmvae.finding(table), says)


# -- C8 --------------------------------------------------------------------------------------------


def swapped(spread: float = 0.001, count: int = 3, **change: dict[str, float]) -> Table:
    common = {"style R2, mixed pair": 0.98, "digit changed, mixed pair": 0.04, "digit -> styled": 0.8,
              "styled -> digit": 0.7, "chance": 0.08, "digit from shared": 0.96, "digit from private digit": 0.26,
              "digit from private styled": 0.15}
    found = {"DMVAE": common | {"style R2, swap": 0.97, "digit changed, swap": 0.91},
             "MVAE": common | {"style R2, swap": -0.95, "digit changed, swap": 0.9},
             "DMVAE without cross terms": common | {"style R2, swap": -0.9, "digit changed, swap": 0.36}}
    for name, values in change.items():
        found[name] = found[name] | values
    return rows(list(found), "model", found, spread, count)


def test_c8_holds_where_every_half_does() -> None:
    assert c08_swap.finding(swapped()).reproduced


@pytest.mark.parametrize(("table", "says"), [
    (swapped(DMVAE={"style R2, swap": 0.02}), "the style stays"),  # passed before: twice the 0.01 that MVAE has
    (swapped(DMVAE={"digit changed, swap": 0.7}), "the digit changes with DMVAE"),
    (swapped(MVAE={"digit changed, swap": 0.5}), "the digit changes with MVAE"),
    (swapped(MVAE={"style R2, swap": 0.45}), "the style changes with MVAE"),
    (swapped(DMVAE={"style R2, swap": 0.6}, MVAE={"style R2, swap": 0.15}), "lead in R2"),
    (swapped(MVAE={"digit changed, mixed pair": 0.9}), "given the styled image too"),
    (swapped(spread=0.3), "the style stays"), (swapped(count=1), "the style stays")])
def test_c8_refuses_each_half(table: Table, says: str) -> None:
    refused(c08_swap.finding(table), says)


# -- C9 --------------------------------------------------------------------------------------------


def ranked(right: int = 19, tumours: str | None = "2; 27, 26, 25") -> Table:
    """The first so many of 20 simulations of every setting have the planted ranks."""
    scores = dict.fromkeys((c09_jive.ERROR, c09_jive.JIVE_JOINT, c09_jive.JIVE_OWN, c09_jive.PCA_JOINT,
                            c09_jive.PCA_OWN), 0.5)
    table: Table = [{"individual strength": strength, "orthogonal": str(orthogonal), **scores,
                     c09_jive.RANKS: "1; 1, 1" if seed < right else "2; 1, 1"}
                    for strength, orthogonal in c09_jive.SETTINGS for seed in range(c09_jive.SEEDS)]
    return table if tumours is None else [*table, {"data": "348 tumours", c09_jive.RANKS: tumours}]


@pytest.mark.parametrize("tumours", ["2; 27, 26, 25", None])
def test_c9_holds_where_every_half_does_and_its_simulations_are_its_seeds(tumours: str | None) -> None:
    found = c09_jive.finding(ranked(18, tumours))
    assert found.reproduced and found.seeds == 20
    assert found.intervals["share of simulations with the planted ranks"].mean == pytest.approx(0.9)


@pytest.mark.parametrize(("table", "says"), [
    (ranked(17), "the planted ranks in 90%"), (ranked(tumours="3; 27, 26, 25"), "a joint rank of the tumours"),
    (ranked(tumours="2; 28, 27, 26"), "their individual ranks")])  # those were not in the rule
def test_c9_refuses_each_half(table: Table, says: str) -> None:
    refused(c09_jive.finding(table), says)


# -- C12 -------------------------------------------------------------------------------------------


def foreseen(count: int = 3, spread: float = 0.001, change: dict[tuple[str, str], dict[str, float]] | None = None
             ) -> Table:
    best = f"best of {c12_learned_prior.FUTURES}"
    table = []
    for data, metric, scores in ((c12_learned_prior.STATES, "squared error", (0.1, 0.2, 0.7)),
                                 (c12_learned_prior.PIXELS, "SSIM", (0.80, 0.75, 0.70))):
        for place, name in enumerate(c12_learned_prior.MODELS):
            values = {"-ELBO a frame": (-6.0, -5.0, -4.0)[place], "KL a frame": (1.0, 0.8, 0.0)[place],
                      f"{metric}, {best}": scores[place]}
            if place == 0:
                values |= {"AUC of the sd": 0.95, "ratio, best dimension": 4.0}
            values |= (change or {}).get((data, name), {})
            table += [{"frames": data, "model": name, "seed": seed,
                       **{column: value + spread * SPREAD[seed] * (place == 0) for column, value in values.items()}}
                      for seed in range(count)]
    return table


LEARNED, FIXED, SINGLE = c12_learned_prior.MODELS
STATES, PIXELS = c12_learned_prior.STATES, c12_learned_prior.PIXELS
SSIM = f"SSIM, best of {c12_learned_prior.FUTURES}"
ERROR = f"squared error, best of {c12_learned_prior.FUTURES}"


def test_c12_holds_where_every_half_does() -> None:
    found = c12_learned_prior.finding(foreseen(), {"a": [0.1]})
    assert found.reproduced and found.curves == {"a": [0.1]}


@pytest.mark.parametrize(("change", "says"), [
    ({(PIXELS, FIXED): {"KL a frame": 0.0009}}, "code is not in use"),  # passed before: the fixed prior had collapsed
    ({(PIXELS, FIXED): {SSIM: 0.795}}, "does not lead the fixed one on frames"),
    ({(PIXELS, FIXED): {SSIM: 0.705}}, "fixed prior does not lead no code on frames"),
    ({(STATES, FIXED): {ERROR: 0.09}}, "does not lead the fixed one on coordinates"),
    ({(STATES, FIXED): {ERROR: 0.71}}, "fixed prior does not lead no code on coordinates"),
    ({(PIXELS, FIXED): {"-ELBO a frame": -6.5}}, "bound is not the higher"),
    ({(STATES, FIXED): {"-ELBO a frame": -6.5}}, "bound is not the higher"),
    ({(STATES, LEARNED): {"AUC of the sd": 0.89}}, "AUC of 0.9 on coordinates"),
    ({(PIXELS, LEARNED): {"AUC of the sd": 0.79}}, "AUC of 0.8 on frames"),
    ({(PIXELS, LEARNED): {"ratio, best dimension": 1.1}}, "not wider where a digit bounces")])
def test_c12_refuses_each_half(change: dict[tuple[str, str], dict[str, float]], says: str) -> None:
    refused(c12_learned_prior.finding(foreseen(change=change)), says)


def test_c12_refuses_a_lead_within_the_spread_of_seeds_and_one_seed() -> None:
    refused(c12_learned_prior.finding(foreseen(spread=0.03)), "does not lead the fixed one on frames")
    refused(c12_learned_prior.finding(foreseen(count=1)), "does not lead the fixed one on frames")


# -- C13 -------------------------------------------------------------------------------------------


def lagged(one: dict[str, float] | None = None, kind: str = "aggressive") -> Table:
    """Five seeds each; `one` changes the last seed of a kind."""
    good = {"basic": {"KL": 0.002, "sd model, step 200": 0.28, "sd inference, step 200": 0.0001,
                      "correlation, end": 0.0},
            "aggressive": {"KL": 0.7, "sd model, step 200": 0.9, "sd inference, step 200": 0.8,
                           "correlation, end": 0.95}}
    table = [{"training": name, "seed": seed, **values, "KL": values["KL"] * (1 + 0.05 * seed)}
             for seed in range(5) for name, values in good.items()]
    return [row | (one or {}) if row["seed"] == 4 and row["training"] == kind else row for row in table]


def test_c13_holds_where_every_seed_does() -> None:
    assert c13_lagging.finding(lagged()).reproduced


@pytest.mark.parametrize(("one", "kind", "says"), [
    ({"KL": 0.05}, "aggressive", "aggressive training collapsed in a seed"),  # 4 of 5 passed before
    ({"correlation, end": 0.5}, "aggressive", "encoder does not keep up"),
    ({"KL": 0.3}, "basic", "plain training did not collapse"),
    ({"sd inference, step 200": 0.2}, "basic", "encoder did not stay"),
    ({"sd model, step 200": 0.0}, "basic", "model posterior did not move"),
    ({"KL": 3.5}, "aggressive", "KLs are not apart")])
def test_c13_refuses_each_half(one: dict[str, float], kind: str, says: str) -> None:
    refused(c13_lagging.finding(lagged(one, kind)), says)


# -- C14 -------------------------------------------------------------------------------------------


def collapsing(change: dict[tuple[str, str], float] | None = None, spread: float = 0.001, count: int = 3) -> Table:
    """Linear VAEs as predicted, digits that collapse from gamma 1 to 10, gamma learned; `change` by (gamma, column)."""
    table: Table = []
    for seed in range(count):
        table += [{"model": "linear", "gamma": gamma, "seed": seed, "KL, exact": kl, "KL": kl, "active": kl,
                   "active, exact": kl} for gamma, kl in ((0.45, 3), (12.0, 0))]
        digits: dict[str, dict[str, float]] = {
            gamma: {c14_gamma.TRAINED: trained, c14_gamma.TRIVIAL: trivial, "active": active}
            for gamma, trained, trivial, active in (("0.01", -377.0, 1560.0, 16), ("1", 740.0, 746.0, 8),
                                                    ("10", 1625.7, 1625.7, 0))}
        digits["learned"] = {c14_gamma.TRAINED: -455.0, "active": 16, "learned gamma": 0.02, c14_gamma.BEST: 55.0,
                             c14_gamma.CROSSING: 0.47}
        table += [{"model": "digits", "gamma": gamma, "seed": seed, **values} for gamma, values in digits.items()]
    for row in table:
        for (gamma, column), value in (change or {}).items():
            if str(row["gamma"]) == gamma:
                row[column] = value + spread * SPREAD[row["seed"]] * (column not in ("active", c14_gamma.CROSSING))
    return table


def test_c14_holds_where_every_half_does() -> None:
    found = c14_gamma.finding(collapsing(), {"gamma": [1.0]})
    assert found.reproduced and found.curves == {"gamma": [1.0]} and "to none at γ = 10" in found.summary


@pytest.mark.parametrize(("table", "says"), [
    (collapsing({("0.45", "KL"): 3.1}), "linear case"), (collapsing({("0.45", "active"): 2}), "linear case"),
    (collapsing({("0.45", "KL"): 3.0}, spread=0.05), "linear case"),
    (collapsing({("1", "active"): 17}), "never rise"), (collapsing({("10", "active"): 1}), "reach 0"),
    (collapsing({("0.01", "cost, trained"): 1561.0}), "the code pays"),
    (collapsing({("0.01", "cost, trained"): 1500.0}, spread=100.0), "the code pays"),
    (collapsing({("10", "cost, trained"): 1625.6}), "costs no more at the largest"),
    (collapsing({("learned", "γ′"): 12.0}), "γ′ lies between"), (collapsing({("learned", "γ′"): 0.0}), "γ′ lies"),
    (collapsing({("learned", "cost, trained"): 56.0}), "avoids the collapse"),
    (collapsing({("learned", "cost, trained"): 0.0}, spread=50.0), "avoids the collapse"),
    (collapsing({("learned", "active"): 0}), "avoids the collapse"), (collapsing(count=1), "avoids the collapse")])
def test_c14_refuses_each_half(table: Table, says: str) -> None:
    refused(c14_gamma.finding(table, {}), says)


# -- C15 -------------------------------------------------------------------------------------------


def sentences(spread: float = 0.001, count: int = 3, change: dict[tuple[str, str], float] | None = None) -> Table:
    kls = dict(zip((f"vae-keep-{keep:g}" for keep in c15_word_dropout.KEEP), (0.3, 0.6, 1.2, 3.0), strict=True))
    words = {"vae-keep-1": 24.4, "vae-keep-0": 70.0, "lm-keep-1": 24.5, "lm-keep-0": 100.0}
    table: Table = [{"model": name, "seed": seed, "KL": {**kls, c15_word_dropout.PLAIN: 0.01}.get(name, 0.0),
                     "perplexity": words.get(name, 26.0)}
                    for seed in range(count) for name in (*kls, c15_word_dropout.PLAIN, "lm-keep-1", "lm-keep-0")]
    for row in table:
        for (name, column), value in (change or {}).items():
            if row["model"] == name:
                row[column] = value + spread * SPREAD[row["seed"]]
    return table


def test_c15_holds_where_every_half_does() -> None:
    assert c15_word_dropout.judged(sentences()).reproduced


@pytest.mark.parametrize(("table", "says"), [
    (sentences(change={("vae-no-annealing", "KL"): 0.1}), "goes to 0"),  # was not in the rule
    (sentences(change={("vae-keep-0.75", "KL"): 0.29}), "from keep rate 1 to 0.75"),
    (sentences(change={("vae-keep-0.5", "KL"): 0.59}), "from keep rate 0.75 to 0.5"),
    (sentences(change={("vae-keep-0", "KL"): 1.1}), "from keep rate 0.5 to 0"),
    (sentences(0.5, change={("vae-keep-0.75", "KL"): 0.6}), "from keep rate 1 to 0.75"),
    (sentences(change={("vae-keep-0", "perplexity"): 84.0}), "without previous words the perplexity"),
    (sentences(change={("vae-keep-1", "perplexity"): 26.0}), "standard one is within 5%"),
    (sentences(change={("vae-keep-1", "perplexity"): 23.0}), "standard one is within 5%"),
    (sentences(change={("vae-keep-1", "KL"): 0.005}), "annealing raises the KL"),
    (sentences(count=1), "annealing raises the KL")])
def test_c15_refuses_each_half(table: Table, says: str) -> None:
    refused(c15_word_dropout.judged(table), says)


# -- C16, C17, C19 ---------------------------------------------------------------------------------


def annealed(kl: float = 0.45, loss: float = 45.2, spread: float = 0.001) -> Table:
    return [{"beta": beta, "learning rate": rate, "seed": seed, "-ELBO": value,
             "KL": code + spread * SPREAD[seed] * (beta == "cyclical")}
            for seed in range(3) for rate in ("constant", "restarts")
            for beta, code, value in (("cyclical", kl, loss), ("monotonic", 0.08, 45.2))]


@pytest.mark.parametrize(("change", "holds"), [
    ({}, True), ({"kl": 0.1}, False), ({"loss": 45.4}, False), ({"spread": 0.3}, False)])
def test_c16_refuses_each_half_and_a_lead_within_the_spread(change: dict[str, float], holds: bool) -> None:
    assert c16_cyclical.judged(annealed(**change)).reproduced is holds


def test_c16_says_what_contradicts_it() -> None:
    """Only values that were read in their source; those quoted from memory (PTB 107.25, 108.09) are not printed."""
    said = CLAIMS["C16"].published
    assert all(word in said for word in ("OPTIMUS, table 1", "not the setting here", "108.81 against 101.40",
                                         "66.93 against 61.21", "23.67 against 21.50", "1.27 against 0.00"))
    assert not any(word in said for word in ("107.25", "108.09"))


def remedies(told: float = 1.2, paid: float = 62.0, spread: float = 0.001, count: int = 3) -> Table:
    """Mutual information and perplexity of both schedules, monotone 0.1 nats and 60; `spread` moves one alone."""
    return [{"remedy": remedy, "seed": seed, "mutual information": information, "-ELBO": 40.0,
             "perplexity": perplexity + spread * SPREAD[seed] * (remedy == "cyclical")}
            for seed in range(count) for remedy, information, perplexity in (
                ("cyclical", told, paid), ("monotone", 0.1, 60.0))]


@pytest.mark.parametrize(("table", "says"), [
    (remedies(), ""), (remedies(told=0.15), "raises the mutual information by 0.1 nats"),
    (remedies(paid=59.0), "raises the perplexity"), (remedies(paid=61.0, spread=3.0), "raises the perplexity"),
    (remedies(count=1), "raises the mutual information")])
def test_c27_refuses_each_half(table: Table, says: str) -> None:
    found = c27_sentences.judged(table)
    assert found.reproduced is not bool(says)
    if says:
        refused(found, says)


def test_c27_shows_means_of_each_remedy_and_nothing_of_what_it_has_not() -> None:
    table = [*({**row, "KL": 1.0 + row["seed"], "active": 3, "CPU seconds": 60.0} for row in remedies()),
             {"remedy": c27_sentences.LANGUAGE_MODEL, "seed": 0, "perplexity": 58.0}]
    result = Result("C27", "reproduced", "", table, {}, "", "", 0.0, "", "", "")
    exhibit = c27_sentences.of_result(result)
    assert exhibit is not None
    [shown] = exhibit.figures
    assert isinstance(shown, ShownTable)
    assert [row["Remedy"] for row in shown.rows] == ["cyclical", "monotone", "language model"]
    assert shown.rows[0]["KL"] == 2.0 and shown.rows[0]["Perplexity"] == pytest.approx(62.0)
    assert shown.rows[2]["Perplexity"] == 58.0 and shown.rows[2]["Mutual information"] is None


def test_c27_trains_all_that_its_table_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole experiment on a few sentences of a few words."""
    lines = [f"{a} {b} {c}" for a in ("the cat", "a dog", "my bird") for b in ("sees", "hears") for c in ("me", "you")]
    (tmp_path / "text.txt").write_text("\n".join(10 * lines))
    monkeypatch.setattr(c27_sentences, "SEEDS", (0,))
    monkeypatch.setattr(c27_sentences, "SETTINGS", (
        *c27_sentences.SETTINGS, "data.name=text-file", f"data.path={tmp_path / 'text.txt'}", "data.train_limit=64",
        "model.hidden=8", "model.embedding=4", "training.epochs=3", "training.batch_size=8",
        "training.evaluate_every=3"))
    monkeypatch.setattr(c27_sentences, "SAMPLES", 2)
    found = c27_sentences.run(Bench(tmp_path / "store", progress=lambda _: None))
    assert [row["remedy"] for row in found.table] == [
        c27_sentences.LANGUAGE_MODEL, *c27_sentences.REMEDIES, c27_sentences.PRETRAINED]
    assert all(1 < float(row["perplexity"]) < 30 for row in found.table)
    assert all({"KL", "mutual information", "active"} <= row.keys() for row in found.table[1:])
    assert not found.reproduced, "of one seed there is no interval"


def priors(vamp: Sequence[float], standard: Sequence[float] = (95.0, 95.2, 95.4)) -> Table:
    table = [{"prior": name, "seed": seed, "-log p(x)": value} for name, values in (
        ("standard", standard), ("VampPrior", vamp)) for seed, value in enumerate(values)]
    return [*table, {"prior": "mixture", "seed": 0, "-log p(x)": 92.0}]


@pytest.mark.parametrize(("vamp", "holds"), [
    ((92.3, 92.6, 92.6), True),  # 2.7, 2.6, 2.8
    ((94.4, 94.5, 94.8), False),  # 0.6, 0.7, 0.6: below one nat
    ((90.0, 94.8, 94.6), False),  # 2.1 on average, but 0.4 to 5
    ((96.0, 96.0, 96.0), False)])
def test_c17_needs_a_gain_beyond_the_error_of_the_difference(vamp: tuple[float, ...], holds: bool) -> None:
    found = c17_vamp.finding(priors(vamp))
    assert found.reproduced is holds and "3.00 with mixture" in found.summary


def test_c17_does_not_pass_by_one_seed_or_by_others_or_by_the_better_of_two() -> None:
    assert not c17_vamp.finding(priors((92.0,), (95.0,))).reproduced
    with pytest.raises(ValueError, match="both need the same ones"):
        c17_vamp.finding(priors((92.0, 92.0)))
    table = priors((95.0, 95.2, 95.4))
    table += [{"prior": "VampPrior from data", "seed": seed, "-log p(x)": 90.0} for seed in range(3)]
    assert not c17_vamp.finding(table).reproduced


def implicit(gains: Sequence[float], log_z: float = 2.0) -> Table:
    """Gains with log Z subtracted, by seed."""
    table: Table = []
    for seed, gain in enumerate(gains):
        nll = {"standard": 95.0 + 0.2 * seed, "implicit": 95.0 + 0.2 * seed - gain}
        table += [{"prior": name, "seed": seed, c18_implicit.NLL: value, "log Z": log_z * (name == "implicit"),
                   c18_implicit.WITHOUT: value - log_z * (name == "implicit")} for name, value in nll.items()]
    return table


@pytest.mark.parametrize(("gains", "holds"), [
    ((1.5, 1.6, 1.5), True), ((0.5, 0.5, 0.6), False), ((1.0, 3.0, 1.4), False), ((1.5,), False)])
def test_c18_needs_a_gain_after_log_z_beyond_the_error_of_the_difference(gains: tuple[float, ...], holds: bool) -> None:
    found = c18_implicit.finding(implicit(gains))
    assert found.reproduced is holds
    if not holds:
        refused(found, "that it gains 1 nat")


def test_c18_counts_log_z() -> None:
    found = c18_implicit.finding(implicit((0.5, 0.5, 0.6)))  # with log Z left out it would have gained 2.5
    assert not found.reproduced and "gains 0.53 ± 0.14 nats" in found.summary
    assert "2.53 ± 0.14 if it is left out" in found.summary


def wae(spread: float = 0.001, count: int = 3, **change: float) -> Table:
    names = ("MMD(q(z), p(z))", "squared error", "Frechet distance of samples")
    found = {"WAE-MMD": dict(zip(names, (0.012, 20.4, 190.0), strict=True)),
             "VAE": dict(zip(names, (0.0105, 25.3, 221.0), strict=True)),
             "autoencoder": dict(zip(names, (1.96, 18.4, 720.0), strict=True))}
    short = {"mmd": names[0], "error": names[1], "frechet": names[2]}
    found["WAE-MMD"] |= {short[name]: value for name, value in change.items()}
    table = rows(list(found), "model", found, spread, count)
    return [*table, {"model": "W2 of each x", "seed": 0, "active": 8}]


def test_c19_holds_where_every_half_does() -> None:
    found = c19_wae.finding(wae())
    assert found.reproduced and "W2 of each x leaves 8 of 8" in found.summary


@pytest.mark.parametrize(("table", "says"), [
    (wae(mmd=0.3), "not within 0.1"), (wae(mmd=0.04), "further from the prior than the VAE's"),
    (wae(error=25.4), "reconstructions are not better"),
    (wae(frechet=225.0), "samples are not better"),  # was not in the rule
    (wae(spread=20.0), "samples are not better"), (wae(count=1), "samples are not better")])
def test_c19_refuses_each_half(table: Table, says: str) -> None:
    refused(c19_wae.finding(table), says)


# -- C20 -------------------------------------------------------------------------------------------


def identified(change: dict[tuple[str, int], float] | None = None, spread: float = 0.001, count: int = 3) -> Table:
    found = {("iVAE", 2): 0.96, ("VAE", 2): 0.7, ("iVAE", 5): 0.95, ("VAE", 5): 0.65} | (change or {})
    table: Table = [{"model": name, "sources": size, "seed": seed, "MCC": value + spread * SPREAD[seed] * (
        (name, size) in (change or {}))} for seed in range(count) for (name, size), value in found.items()]
    return [*table, {"model": "iVAE, 3 segments", "sources": 5, "seed": 0, "MCC": 0.77}]


def test_c20_holds_where_every_half_does() -> None:
    found = c20_ivae.finding(identified())
    assert found.reproduced and "iVAE, 3 segments: 0.77" in found.summary


@pytest.mark.parametrize(("table", "says"), [
    (identified({("iVAE", 2): 0.85}), "that p(z|u) finds 2"), (identified({("iVAE", 5): 0.89}), "that p(z|u) finds 5"),
    (identified({("VAE", 2): 0.9}), "that without it 2 are not found"),
    (identified({("VAE", 5): 0.76}), "that without it 5 are not found"),
    (identified({("VAE", 5): 0.7}, spread=0.1), "that without it 5 are not found"),  # poor on average only
    (identified({("iVAE", 2): 0.9, ("VAE", 2): 0.76}), "apart for 2"),
    (identified(count=1), "that both are 0.15 apart for 2")])
def test_c20_refuses_each_half(table: Table, says: str) -> None:
    refused(c20_ivae.finding(table), says)


# -- C21 -------------------------------------------------------------------------------------------


def chains(spread: float = 0.1, count: int = 3, sweeps: float = 25.0, cost: float = 0.4, **change: float) -> Table:
    found = {"CD_1": -176.0, "CD_25": -160.0, "PCD_1": -159.0, "VAE": -119.0} | change
    table = [{"model": name.replace("_", "-"), "seed": seed, c21_chains.LOG_P: value + spread * SPREAD[seed] * (
                  name != "CD_1"), c21_chains.PASSES: 1 if name == "VAE" else sweeps + seed,
              c21_chains.COST: 0.008 if name == "VAE" else cost * (1 + 0.01 * seed)}
             for seed in range(count) for name, value in found.items()]
    return [*table, {"model": "CD-5", "seed": 0, c21_chains.LOG_P: -165.0, c21_chains.PASSES: 60.0,
                     c21_chains.COST: 0.9}]


def test_c21_holds_where_every_half_does() -> None:
    found = c21_chains.finding(chains())
    assert found.reproduced and "in one seed -165.0 with CD-5" in found.summary


@pytest.mark.parametrize(("table", "says"), [
    (chains(CD_25=-177.0), "that CD-25 learns better"), (chains(PCD_1=-177.0), "that PCD-1 learns better"),
    (chains(spread=8.0), "that CD-25 learns better"),  # 8 to 24 nats by seed
    (chains(VAE=-180.0), "without a chain a VAE"),  # was not in the rule
    (chains(sweeps=1.0, count=2), "several sweeps a sample"), (chains(cost=0.007), "a sample of the VAE costs less"),
    (chains(count=1), "that CD-25 learns better")])
def test_c21_refuses_each_half(table: Table, says: str) -> None:
    refused(c21_chains.finding(table), says)


# -- C22 -------------------------------------------------------------------------------------------


def measured(full: float = 8.19, **change: float) -> Table:
    small = {"seed": 0, "code": "1 dimension", "identity error": 0.0004, "mass of q(z)": 1.0} | {
        name.replace("_", " "): value for name, value in change.items() if name == "identity_error"}
    lift = change.get("lift", -0.002)
    return [small, *({"seed": 0, "code": "20 dimensions", "mutual information": full, "log N": 8.294, "log batch": top,
                      "minibatch estimate": top + lift} for top in (3.466, 3.912))]


def test_c22_a_saturated_estimate_is_a_bound_and_no_measurement() -> None:
    found = c22_identity.finding(measured())
    assert found.reproduced
    assert "I is at least 8.19 nats, where that estimate meets its own ceiling, log 4,000 = 8.29" in found.summary
    assert "ceiling" not in c22_identity.finding(measured(full=6.0)).summary


@pytest.mark.parametrize("change", [{"full": 4.5}, {"identity_error": 0.02}, {"lift": -0.1}, {"lift": 0.1}])
def test_c22_refuses_each_half(change: dict[str, float]) -> None:
    assert not c22_identity.finding(measured(**change)).reproduced


@pytest.mark.parametrize("name", ["C1", "C2", "C4", "C5", "C6", "C7", "C8", "C9", "C12", "C13", "C14", "C15", "C16",
                                  "C17", "C18", "C19", "C20", "C21", "C22"])
def test_t8_the_rule_speaks_of_seeds(name: str) -> None:
    assert "seed" in CLAIMS[name].rule
