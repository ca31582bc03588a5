"""The collapse that is watched: what is predicted by the schedule alone, beside a linear VAE that is trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vaecore import lab
from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.gamma import Moments, linear_active, linear_kl, moments
from vaecore.store import Metrics, Run, Store
from vaecore.studies import EXPERIMENTS, Member, create
from vaecore.studies.exhibit import Survival, Table
from vaecore.studies.water_filling import PRESET, levels, lives, of_runs, survival

SERIES = EXPERIMENTS["water-filling"].series
assert SERIES is not None
TOTAL, SHORT, SIZE = 6_000, 4_000, 6


@pytest.fixture(scope="module")
def data() -> Moments:
    return moments(preset(PRESET).data.load())


def test_it_lasts_what_it_says() -> None:
    assert SERIES is not None
    [config] = SERIES.runs().values()
    assert config == preset(PRESET)
    per_epoch = len(config.data.load().splits["train"]) // config.training.batch_size
    assert per_epoch * config.training.epochs == TOTAL
    assert TOTAL / config.training.pace == SERIES.seconds == 40
    evaluations = TOTAL / (config.training.evaluate_every * per_epoch)
    assert evaluations / SERIES.seconds >= 4, "several looks a second"


def test_kl_of_the_optimum_is_reverse_water_filling() -> None:
    known = Moments(np.array([4.0, 1.0, 0.25]), 5.25)
    gamma = np.array([0.1, 0.25, 0.5, 2.0, 8.0])
    kl = linear_kl(gamma, known, 2)
    assert kl.shape == (5, 2)
    np.testing.assert_allclose(kl[0], [0.5 * np.log(40), 0.5 * np.log(10)])
    np.testing.assert_allclose(kl[3], [0.5 * np.log(2), 0])
    np.testing.assert_array_equal((kl > 0).sum(1), linear_active(gamma, known, 2))
    assert not kl[4].any()


def test_dimensions_die_from_the_smallest_and_come_back_from_the_largest(data: Moments) -> None:
    config = preset(PRESET)
    found = lives(config, data, TOTAL)
    dies, returns = ([step for life in found if (step := getattr(life, name)) is not None]
                     for name in ("dies", "returns"))
    assert len(dies) == len(returns) == len(found) == SIZE
    # Back is a mirror of there: the first to come back is the last that died.
    assert dies == sorted(dies, reverse=True) and returns == sorted(returns) and max(dies) < min(returns)
    for life, dying, coming in zip(found, dies, returns, strict=True):
        assert life.beta == pytest.approx(life.variance / 0.2**2)
        for step, dead in ((dying - 1, False), (dying, True), (coming - 1, True), (coming, False)):
            assert (config.training.beta(step, TOTAL) >= life.beta) == dead
        assert abs(dying + coming - TOTAL) <= 1, "up as slowly as down"
    gaps = np.diff(sorted([*dies, *returns]))
    assert gaps.min() > TOTAL / 40, "never two within a second"


def test_what_never_dies_never_comes_back(data: Moments) -> None:
    low = lives(changed(preset(PRESET), ["training.beta.top=20"]), data, TOTAL)
    assert [life.dies is None for life in low] == [life.returns is None for life in low] == [True] * 4 + [False] * 2
    up = lives(changed(preset(PRESET), ["training.beta={kind: linear, start: 1, end: 1000, fraction: 1}"]), data, TOTAL)
    assert all(life.dies is not None and life.returns is None for life in up)


@pytest.mark.parametrize("change", ["model.network.kind=mlp", "model.likelihood.kind=gaussian-learned"])
def test_only_a_linear_vae_of_fixed_sigma_has_an_optimum_in_closed_form(change: str) -> None:
    with pytest.raises(ValueError, match="closed form"):
        levels(changed(preset(PRESET), [change]), np.array([0]), TOTAL)


class Unwatched:
    def stop_requested(self) -> bool:
        return False

    def progress(self, step: int, total: int, epoch: float) -> None: ...


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The training that is watched, in two thirds of its steps, without its pace and with a fifth of its looks."""
    from vaecore.training import train

    config = changed(preset(PRESET), ["training.pace=0", "training.evaluate_every=10", "training.epochs=400"])
    run = Store(tmp_path_factory.mktemp("water")).create(config, "run", experiment="water-filling")
    assert train(run.path, Unwatched()) == "finished"
    (run.path / "exit.json").write_text(json.dumps({"attempt": 1, "state": "finished", "detail": ""}))
    return run


def member(run: Run, config: RunConfig | None = None) -> Member:
    if config is not None:
        (run.path / "config.json").write_text(config.to_json())
    metrics = Metrics(run.path / "metrics.jsonl")
    metrics.update()
    return Member(run, run.values(), lab.status(run.path), {"step": 1.0}, metrics)


def test_a_trained_linear_vae_dies_and_comes_back_where_it_is_predicted(trained: Run, data: Moments) -> None:
    """All dead at the top, nearly all back at the end; on the way it is late, and at first two may share a direction.
    """
    lines = member(trained).metrics.evaluations
    steps, active = (np.array([line[name] for line in lines]) for name in ("step", "active"))
    level = levels(preset(PRESET), steps, SHORT)
    learned = steps >= 0.1 * SHORT  # until then beta is level
    off = (active - linear_active(level, data, SIZE))[learned]
    assert np.abs(off).max() <= 2 and np.abs(off).mean() <= 0.5
    assert active[learned][0] == SIZE and active[steps == SHORT // 2] == 0 and active[-1] >= SIZE - 1
    assert set(range(SIZE + 1)) <= set(active[learned & (steps <= SHORT // 2)]), "one after another"
    for place, life in enumerate(lives(preset(PRESET), data, SHORT), 1):
        assert life.dies is not None and life.returns is not None
        dead = steps[learned & (active < place)]
        assert -SHORT / 40 <= dead[0] - life.dies <= SHORT / 16, f"dimension {place} dies"
        if place < SIZE:  # the smallest has little time to be found again
            back = steps[(steps > dead[0]) & (steps > SHORT / 2) & (active >= place)]
            assert -SHORT / 10 <= back[0] - life.returns <= SHORT / 8, f"dimension {place} comes back"
    kl = sorted(lines[-1]["kl"]["z"], reverse=True)
    np.testing.assert_allclose(kl[:SIZE - 1], linear_kl(level[[-1]], data, SIZE)[0, :SIZE - 1], atol=0.15)


# -- what is shown ---------------------------------------------------------------------------------


def test_a_run_is_shown_beside_the_optimum_and_at_its_end_when_each_died(trained: Run, data: Moments) -> None:
    exhibit = of_runs([member(trained, preset(PRESET))])
    assert exhibit is not None
    shown, table = exhibit.figures
    assert isinstance(shown, Survival) and isinstance(table, Table)
    assert not shown.live and (shown.total, shown.seconds) == (SHORT, pytest.approx(SHORT / 150))
    assert shown.kl.shape == (len(shown.steps), SIZE) == (41, SIZE)
    assert (np.diff(shown.kl, axis=1) <= 0).all(), "the largest first"
    np.testing.assert_allclose(shown.plan, linear_kl(shown.level, data, SIZE))
    assert shown.plan_steps[-1] == SHORT and shown.level[0] == pytest.approx(0.04)
    for row, life in zip(table.rows, lives(preset(PRESET), data, SHORT), strict=True):
        assert (row["Dies at step"], row["Comes back at step"]) == (life.dies, life.returns)
        found, back = row["Found"], row["Found back"]
        assert isinstance(found, float) and abs(found - float(life.dies or 0)) < SHORT / 10
        assert back is None or (isinstance(back, float) and back > found)
    assert sum(row["Found back"] is not None for row in table.rows) >= SIZE - 1


def test_what_is_damaged_costs_itself_alone(trained: Run, tmp_path: Path) -> None:
    whole = member(trained, preset(PRESET))
    lines = [dict(line) for line in whole.metrics.evaluations]
    lines[3]["kl"] = {"z": [1.0, float("nan"), *[0.0] * (SIZE - 2)]}
    lines[4]["kl"], lines[5]["kl"], lines[6]["active"] = {"z": [1.0]}, {}, "many"
    whole.metrics.evaluations[:] = lines
    shown = survival(whole)
    assert shown is not None and len(shown.steps) == len(lines) - 4

    store = Store(tmp_path)
    assert SERIES is not None
    [fresh] = create(store, SERIES)
    assert of_runs([member(fresh)]) is None and of_runs([]) is None, "not begun"
    (fresh.path / "config.json").write_text("{")
    metrics = Metrics(fresh.path / "metrics.jsonl")
    assert of_runs([Member(fresh, {}, lab.status(fresh.path), {}, metrics)]) is None
