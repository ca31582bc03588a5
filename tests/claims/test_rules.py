"""T8: the rule of a claim can refute each half of its sentence, one at a time, and asks for margins that are wider
than the spread between seeds. Rules are functions of the table alone, so that no experiment is run here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from vaecore.claims import (
    CLAIMS,
    Finding,
    c01_linear,
    c02_loadings,
    c04_product,
    c06_unpaired,
    c08_swap,
    c12_learned_prior,
    c13_lagging,
    c16_cyclical,
    c17_vamp,
    c19_wae,
    c22_identity,
)

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


@pytest.mark.parametrize("name", ["C1", "C2", "C4", "C6", "C8", "C12", "C13", "C16", "C17", "C19", "C22"])
def test_t8_the_rule_speaks_of_seeds(name: str) -> None:
    assert "seed" in CLAIMS[name].rule
