"""The points of a sweep and how its fields are typed."""

from __future__ import annotations

import json
import math

import pytest

from vaecore.config import changed, preset
from vaecore.schema import ConfigError, parse
from vaecore.sweeps import Range, Search, Sweep, Values, points
from vaecore.sweeps.planning import configuration, declare, judged_from, plan, varied

DIGITS = preset("vae-digits")


def declared(over: dict[str, object], **more: object) -> Sweep:
    return declare(DIGITS, over, name="s", **more)[0]  # type: ignore[arg-type]


def test_a_grid_is_every_combination_the_last_field_changing_fastest() -> None:
    sweep = declared({"model.latent_size": "2,8", "training.learning_rate": "1e-3,0.01"}, seeds=3)
    assert points.known(sweep) == [
        {"model.latent_size": 2, "training.learning_rate": 1e-3}, {"model.latent_size": 2,
         "training.learning_rate": 0.01}, {"model.latent_size": 8, "training.learning_rate": 1e-3},
        {"model.latent_size": 8, "training.learning_rate": 0.01}]
    assert plan(sweep).trainings == 12


@pytest.mark.parametrize(("text", "values"), [
    ("0.1..10:log:5", (0.1, 0.316228, 1.0, 3.16228, 10.0)), ("0..1:3", (0.0, 0.5, 1.0)), ("0.1–0.3 : 2", (0.1, 0.3)),
    ("1e-4..1e-2:log:3", (1e-4, 1e-3, 1e-2)), ("adam, sgd", ("adam", "sgd")), ("[64],[64, 32]", ((64,), (64, 32))),
    ("1e-3, true", (1e-3, True)), ("010, 020", (10, 20))])
def test_a_range_and_a_list_as_they_are_typed(text: str, values: tuple[object, ...]) -> None:
    assert points.axis("f", text, whole=False).listed == values


def test_a_field_of_whole_numbers_has_whole_numbers() -> None:
    assert points.axis("f", "2..6", whole=True).listed == (2, 3, 4, 5, 6)
    assert points.axis("f", "2..32:log:5", whole=True).listed == (2, 4, 8, 16, 32)
    found = points.axis("f", "1..3:9", whole=True).listed
    assert found == (1, 2, 3) and all(isinstance(value, int) for value in found)


@pytest.mark.parametrize("text", ["", "10..1", "0..1:log", "1..2:often", "{a: 1}", "1..2:1", "2, 2", "1.5..3:whole",
                                  "0.1..1:" + "9" * 5_000, "&a [*a]", "&a [1],&b [*a,*a]"], ids=range(11))
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        points.axis("training.learning_rate", text, whole=False)


def test_a_share_of_a_range_and_back() -> None:
    for axis in (Range(field="f", low=0.1, high=10, log=True), Range(field="f", low=-2, high=3)):
        for share in (0.0, 0.25, 0.5, 1.0):
            assert axis.share(float(axis.at(share))) == pytest.approx(share, abs=1e-5)  # type: ignore[arg-type]
    assert Range(field="f", low=0.1, high=10, log=True).at(0.5) == pytest.approx(1.0)


def test_random_points_are_the_same_for_a_seed_spread_evenly_and_different() -> None:
    axes = (Range(field="a", low=0.01, high=100, log=True), Values(field="b", values=(1, 2)))
    found = points.drawn(axes, 400, 7)
    assert found == points.drawn(axes, 400, 7) != points.drawn(axes, 400, 8)
    assert len({json.dumps(point) for point in found}) == 400
    shares = [math.log10(point["a"]) for point in found]  # type: ignore[arg-type]
    assert abs(sum(shares) / 400) < 0.2 and min(shares) < -1.8 and max(shares) > 1.8
    assert 160 < sum(point["b"] == 1 for point in found) < 240
    assert len(points.drawn((Values(field="b", values=(1, 2)),), 10, 0)) == 2  # there are no more


def test_every_point_that_is_no_configuration_is_named_with_its_remedy() -> None:
    sweep = declared({"model.latent_size": "0,2", "training.batch_size": "64,1000000"})
    with pytest.raises(ConfigError) as refused:
        plan(sweep)
    text = str(refused.value)
    assert "model.latent_size: 0 is too small. (points 1, 2 of 4) Use at least 1." in text
    assert "training.batch_size" in text and "Use at most" in text
    with pytest.raises(ConfigError, match=r"training\.batch_size=9000"):  # more than there are observations
        plan(declared({"training.batch_size": "64,9000"}))


@pytest.mark.parametrize(("over", "words"), [
    ({"model.latnt": "1,2"}, "Did you mean 'latent_size'"), ({"seed": "1,2"}, "how many seeds"), ({}, "no field"),
    ({"training.beta.nothing": "1"}, "Known fields")])
def test_a_field_that_cannot_be_varied_is_refused(over: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        declared(over)


def test_a_sweep_has_at_most_a_thousand_trainings() -> None:
    with pytest.raises(ConfigError, match="1,200 trainings"):
        plan(declared({"model.latent_size": "1..30", "training.learning_rate": "0.1..1:log:10"}, seeds=4))


def test_a_field_of_another_choice_chooses_it_and_says_so() -> None:
    sweep, chosen = declare(DIGITS, {"training.beta.value": "1,4"}, name="s")
    assert chosen == ("training.beta.kind=constant, to which training.beta.value belongs",)
    assert configuration(sweep, {"training.beta.value": 4}, 3).training.beta.model_dump() == {
        "kind": "constant", "value": 4.0}
    assert configuration(sweep, {"training.beta.value": 4}, 3).seed == 3


def test_a_choice_is_made_before_the_fields_that_only_it_has() -> None:
    sweep = declared({"model.network.hidden": "[64],[32]", "model.network.kind": "mlp"})
    assert {configuration(sweep, point, 1).model.network.hidden for point in points.known(sweep)} == {  # type: ignore
        (64,), (32,)}


def test_what_makes_no_difference_is_said() -> None:
    notes = plan(declared({"model.latent_size": "2,4"}), ["first"]).notes
    assert notes == ("first",)
    pca = changed(DIGITS, ["model.family=pca"])
    sweep, _ = declare(pca, {"training.epochs": "1,2"}, name="s")
    assert any("training.epochs makes no difference" in note for note in plan(sweep).notes)


def test_a_sweep_survives_its_file() -> None:
    sweep = declared({"model.network.hidden": "[64],[32, 16]", "training.learning_rate": "1e-4..1e-2:log:3"},
                     method={"kind": "search", "trials": 6}, stopping={"kind": "median"})
    assert parse(Sweep, json.loads(json.dumps(sweep.model_dump(mode="json")))) == sweep
    assert isinstance(sweep.method, Search) and points.known(sweep) == [] and points.count(sweep) == 6


def test_numbers_compare_once_beta_has_arrived() -> None:
    annealed = changed(DIGITS, ["training.epochs=10", "training.beta.fraction=0.35"])
    assert judged_from(annealed, 20) == pytest.approx(3.5)
    assert judged_from(changed(DIGITS, ["training.beta.kind=constant"]), 20) == 0.0


def test_the_fields_that_can_be_varied_are_those_that_are_declared() -> None:
    found = varied(DIGITS)
    assert {"model.latent_size", "training.beta.kind", "training.beta.end", "model.network.hidden",
            "data.name"} <= set(found)
    assert "seed" not in found and "training.beta.value" not in found
