"""The verdict: each sentence from the facts that make it true, and from none that do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vaecore.config import changed, preset
from vaecore.evaluate.verdict import Verdict, verdict
from vaecore.store import Metrics

PLAIN = preset("vae-mnist").model_dump(mode="json")
AGGRESSIVE = preset("lagging-aggressive").model_dump(mode="json")


def metrics(rows: list[tuple[int, list[float], list[float], float]], beta: float = 0.6,
            spreads: tuple[float, float] | None = None, method: str = "grid", effective: float = 0.5,
            epoch: float = 1e9) -> Metrics:
    """Evaluations of (step, KL, variance of means, mutual information), steps all at one beta, and a snapshot of the
    last; `epoch` is where that stands, after the end of any training unless given."""
    made = Metrics(Path("nowhere"))
    for step, kl, variance, information in rows:
        at = epoch * step / max(1, rows[-1][0])
        made.evaluations.append({"step": step, "epoch": at, "kl": {"z": kl}, "code_variance": {"z": variance},
                                 "active": 99, "information": {"z": {"mutual_information": information,
                                                                     "observations": 2000}}})
    steps = list(range(rows[-1][0]))
    made.steps = {"step": [float(s) for s in steps], "beta": [beta if s >= 100 else 0.1 for s in steps]}
    if spreads:
        model, inference = spreads  # two points at +-spread have that standard deviation
        made.snapshots.append({"step": rows[-1][0], "method": method, "effective": effective,
                               "model": {"z": [[model], [-model]]}, "inference": {"z": [[inference], [-inference]]}})
    return made


def told(found: Verdict) -> str:
    return " ".join(found.sentences)


def test_collapse_is_told_with_its_numbers() -> None:
    found = verdict(metrics([(0, [0.0, 0.0], [0.0, 0.0], 0.0), (200, [0.01, 0.0], [0.0, 0.0], 0.002)]), PLAIN)
    assert found.state == "collapsed"
    assert "0 of 2 dimensions active; KL 0.01 nats, mutual information 0.00 nats." in told(found)
    assert "No dimension was ever active." in told(found)


def test_a_dimension_dies_when_it_is_last_seen_active_and_beta_is_that_before() -> None:
    rows = [(0, [0.0, 0.0], [0.5, 0.5], 0.0), (100, [1.0, 1.0], [0.9, 0.9], 1.5),
            (200, [1.5, 0.004], [0.9, 0.001], 1.4), (300, [1.5, 0.3], [0.9, 0.002], 1.4)]
    found = verdict(metrics(rows), PLAIN)
    assert found.state == "partial" and "1 of 2 dimensions active" in told(found)
    assert "Dimension 1 died at step 200, while β was 0.6." in told(found)
    assert "Dimension 0" not in told(found)


def test_random_weights_and_a_dimension_that_comes_back_do_not_count_as_deaths() -> None:
    rows = [(0, [0.0], [0.9], 0.0), (100, [1.0], [0.9], 1.0), (200, [0.0], [0.001], 0.0), (300, [1.0], [0.9], 1.0)]
    assert "died" not in told(verdict(metrics(rows), PLAIN))
    assert "died" not in told(verdict(metrics([(0, [0.0], [0.9], 0.0), (100, [0.0], [0.0], 0.0)]), PLAIN))


@pytest.mark.parametrize(("spreads", "lags"), [((0.4, 0.02), True), ((0.4, 0.09), True), ((0.4, 0.11), False),
                                               ((0.05, 0.0), False)])
def test_the_encoder_lags_where_its_spread_is_under_a_quarter(spreads: tuple[float, float], lags: bool) -> None:
    found = verdict(metrics([(0, [0.0], [0.0], 0.0), (200, [1.0], [0.5], 0.9)], spreads=spreads), PLAIN)
    assert (found.state == "lagging") == lags
    assert ("spread ratio" in told(found)) == lags


def test_importance_weights_with_a_tiny_effective_share_argue_nothing() -> None:
    rows = [(0, [0.0], [0.0], 0.0), (200, [1.0], [0.5], 0.9)]
    poor = metrics(rows, spreads=(0.4, 0.0), method="importance", effective=0.02)
    good = metrics(rows, spreads=(0.4, 0.0), method="importance", effective=0.3)
    assert verdict(poor, PLAIN).state == "healthy" and verdict(good, PLAIN).state == "lagging"


def test_free_bits_that_are_paid_for_and_say_nothing_are_a_collapse() -> None:
    values = changed(preset("vae-mnist"), ["training.kl.kind=free-bits"]).model_dump(mode="json")
    found = verdict(metrics([(0, [0.0], [0.0], 0.0), (200, [2.0], [0.0], 0.01)]), values)
    assert found.state == "collapsed" and "as free bits allow" in told(found)
    assert "training.kl.kind=free-bits" not in str(found.remedies)


@pytest.mark.parametrize("values", [PLAIN, AGGRESSIVE, preset("lagging-basic").model_dump(mode="json"),
                                    preset("cyclical-mnist").model_dump(mode="json"),
                                    changed(preset("vae-mnist"), ["training.beta.kind=constant",
                                                                  "training.beta.value=4"]).model_dump(mode="json"),
                                    changed(preset("vae-mnist"), ["model.likelihood.kind=gaussian"]
                                            ).model_dump(mode="json")])
def test_every_remedy_can_be_applied_and_changes_something(values: dict[str, Any]) -> None:
    from vaecore.config import RunConfig
    from vaecore.schema import parse

    config = parse(RunConfig, values)
    found = verdict(metrics([(0, [0.0], [0.0], 0.0), (200, [0.0], [0.0], 0.0)]), values)
    assert found.remedies
    for remedy in found.remedies:
        assert changed(config, remedy.settings) != config
    already = values["training"]["inference"]["kind"] == "aggressive"
    assert any("aggressive" in str(remedy.settings) for remedy in found.remedies) != already


def test_what_cannot_be_told_is_unknown() -> None:
    nothing = Metrics(Path("nowhere"))
    assert verdict(nothing, PLAIN).state == "unknown"
    nothing.evaluations.append({"step": 10, "kl": {}, "code_variance": {"z": [1.0]}})
    assert "no KL" in told(verdict(nothing, PLAIN))
    assert verdict(metrics([(0, [0.0], [0.9], 0.0)]), PLAIN).state == "unknown", "untrained"


def test_damaged_lines_cost_themselves() -> None:
    made = metrics([(0, [0.0], [0.0], 0.0), (200, [1.0], [0.9], 0.9)], spreads=(1.0, 0.9))
    made.evaluations += [{"step": 300}, {"step": "x", "kl": {"z": [1.0]}}, {"step": 4, "kl": 3},
                         {"step": 5, "kl": {"z": [float("nan")]}, "code_variance": {"z": [1.0]}}]
    made.snapshots.append({"method": "grid", "model": 7})
    assert verdict(made, {"training": 3}).state == "healthy"


def test_an_estimate_at_its_ceiling_may_be_more() -> None:
    rows = [(0, [0.0], [0.0], 0.0), (200, [20.0], [0.9], 7.56)]
    assert "mutual information 7.56 nats or more." in told(verdict(metrics(rows), PLAIN)), "log 2,000 is 7.60"
    rows = [(0, [0.0], [0.0], 0.0), (200, [20.0], [0.9], 5.0)]
    assert "mutual information 5.00 nats." in told(verdict(metrics(rows), PLAIN))


def test_a_verdict_speaks_from_one_step_and_never_of_the_untrained_model() -> None:
    """A first training: the snapshot of step 0, whose encoder knows nothing, beside an evaluation of step 124."""
    rows = [(0, [0.0], [0.0], 0.0), (124, [4.0], [0.8], 3.0)]
    made = metrics(rows, beta=1.0, spreads=(0.4, 0.01), epoch=2.0)
    assert verdict(made, PLAIN).state == "lagging", "of the same step it would"
    for step in (0, 100):
        made.snapshots[0]["step"] = step
        assert verdict(made, PLAIN).state == "healthy" and "lags" not in told(verdict(made, PLAIN))
    later = {**made.snapshots[0], "step": 124, "inference": {"z": [[0.4], [-0.4]]}}
    made.snapshots += [later, {**made.snapshots[0], "step": 0}]
    assert verdict(made, PLAIN).state == "healthy", "whatever the order of the lines"


@pytest.mark.parametrize(("beta", "epoch", "early"), [(0.3, 1.0, True), (0.999, 1.0, True), (1.0, 1.0, False),
                                                      (0.3, 30.0, False)])
def test_it_is_too_early_while_beta_rises(beta: float, epoch: float, early: bool) -> None:
    rows = [(0, [0.0, 0.0], [0.0, 0.0], 0.0), (200, [0.01, 0.0], [0.0, 0.0], 0.002)]
    made = metrics(rows, beta=beta, spreads=(0.4, 0.0), epoch=epoch)
    found = verdict(made, PLAIN)  # beta rises to 1 in 3 of 30 epochs
    assert (found.state == "early") == early
    assert ("β is still rising, 0.3 of 1 at step 200" in told(found)) == (early and beta == 0.3)
    assert not (early and found.remedies) and "0 of 2 dimensions active; KL 0.01 nats" in told(found)
    constant = changed(preset("vae-mnist"), ["training.beta.kind=constant", f"training.beta.value={beta}"])
    assert verdict(made, constant.model_dump(mode="json")).state == "collapsed"
    points = changed(preset("vae-mnist"), ["training.beta.kind=points", "training.beta.points=[[0, 0], [0.5, 1]]"])
    assert (verdict(made, points.model_dump(mode="json")).state == "early") == early


def test_t3_a_prior_without_a_kl_by_dimension_has_as_many_dimensions_as_its_code() -> None:
    """One KL of a VampPrior's 16 dimensions: "16 of 1 dimension active", and healthy for any number of them."""
    rows = [(0, [0.0], [0.0] * 16, 0.0), (200, [20.4], [0.9] * 16, 6.0)]
    assert "16 of 16 dimensions active; KL 20.40 nats" in told(verdict(metrics(rows), PLAIN))
    rows[-1] = (200, [20.4], [0.9] * 4 + [0.0] * 12, 6.0)
    found = verdict(metrics(rows), PLAIN)
    assert found.state == "partial" and "4 of 16 dimensions active" in told(found)


def test_t4_informations_of_several_latents_do_not_add() -> None:
    made = metrics([(0, [0.0], [0.0], 0.0), (200, [11.3], [0.9, 0.0], 6.84)])
    line = made.evaluations[-1]
    line["kl"] = {"shared": [6.0, 5.3], "private image": [8.2]}
    line["code_variance"] = {"shared": [0.9, 0.8], "private image": [0.7]}
    line["information"] = {"shared": {"mutual_information": 6.84, "observations": 2000},
                           "private image": {"mutual_information": 7.45, "observations": 2000}}
    words = told(verdict(made, PLAIN))
    assert "3 of 3 dimensions active; KL 19.50 nats; mutual information of shared 6.84 nats, of private image " \
           "7.45 nats or more." in words
    for part in line["information"].values():
        part["mutual_information"] = 0.06  # together they would not be near 0
    assert verdict(made, PLAIN).state == "collapsed"


def test_t7_under_a_prior_of_each_observation_the_kl_says_what_is_active() -> None:
    values = {**PLAIN, "model": {**PLAIN["model"], "prior": {"kind": "conditional"}}}
    rows = [(0, [0.0, 0.0], [0.0, 0.0], 0.0), (200, [1.2, 0.002], [4.3, 0.07], 1.0)]
    assert "1 of 2 dimensions active" in told(verdict(metrics(rows), values))
    assert "2 of 2 dimensions active" in told(verdict(metrics(rows), PLAIN))
    made = metrics(rows)
    made.evaluations[-1]["activity"] = {"z": [0.0, 0.0]}  # what the evaluation itself found counts
    assert "0 of 2 dimensions active" in told(verdict(made, PLAIN))


def test_t7_the_shipped_clips_have_one_dimension_that_tells_something() -> None:
    """Seven of eight means vary, six of them with the frames before: their KL is under 0.003 nats."""
    folder = Path(__file__).parents[2] / "trained/gallery/svg-lp-characters"
    made = Metrics(folder / "metrics.jsonl")
    made.update()
    summary = json.loads((folder / "summary.json").read_text())
    assert made.evaluations[-1]["active"] == summary["validation"]["active"] == summary["test"]["active"] == 1
    assert "1 of 8 dimensions active" in told(verdict(made, json.loads((folder / "config.json").read_text())))
