"""Experiments: what runs they make, under which names, and who belongs to them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from vaecore.config import RunConfig, preset
from vaecore.store import Store
from vaecore.studies import EXPERIMENTS, create, members
from vaecore.studies.c14_gamma import GAMMAS

SERIES = {name: study.series for name, study in EXPERIMENTS.items() if study.series}


def different(a: RunConfig, b: RunConfig) -> set[str]:
    from vaecore.config import differences

    return {name.rsplit(".", 1)[0] if name.startswith("training") else name for name in differences([a, b])}


def test_create_names_the_runs_and_says_where_they_belong(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = create(store, SERIES["lagging"])
    assert [run.id for run in runs] == ["lagging-basic", "lagging-aggressive"]
    for run, kind in zip(runs, ("basic", "aggressive"), strict=True):
        assert run.about()["experiment"] == "lagging"
        assert run.config() == preset(f"lagging-{kind}").resolve()


def test_a_second_time_finds_free_names(tmp_path: Path) -> None:
    store = Store(tmp_path)
    create(store, SERIES["lagging"])
    store.create(preset("vae-digits"), "lagging-basic-2")
    assert [run.id for run in create(store, SERIES["lagging"])] == ["lagging-basic-3", "lagging-aggressive-2"]


def test_labels_that_begin_with_the_experiment_are_not_doubled(tmp_path: Path) -> None:
    names = [run.id for run in create(Store(tmp_path), SERIES["gamma"])]
    assert names == [*(f"gamma-{gamma:g}" for gamma in GAMMAS), "gamma-learned"]


def test_members_are_the_shipped_ones_then_the_users_oldest_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = store.create(preset("vae-digits"), "other")
    runs = create(store, SERIES["lagging"])
    for age, run in enumerate([*reversed(runs), other]):  # the second of them is the older one
        os.utime(run.path / "config.json", (1_000 + age, 1_000 + age))
    (tmp_path / "gallery").mkdir()
    shutil.copytree(runs[0].path, tmp_path / "gallery" / "z-shipped")
    assert [run.id for run in members(store, SERIES["lagging"])] == [
        "gallery/z-shipped", "lagging-aggressive", "lagging-basic"]
    assert members(store, SERIES["gamma"]) == []


@pytest.mark.parametrize("about", ["[]", "{", '{"experiment": ["lagging"]}', ""])
def test_a_damaged_about_costs_the_membership_only(tmp_path: Path, about: str) -> None:
    store = Store(tmp_path)
    basic, aggressive = create(store, SERIES["lagging"])
    (basic.path / "about.json").write_text(about)
    assert members(store, SERIES["lagging"]) == [aggressive]


def test_gamma_runs_differ_in_gamma_alone() -> None:
    runs = SERIES["gamma"].runs()
    first = runs["gamma-0.003"]
    for gamma in GAMMAS:
        likelihood = runs[f"gamma-{gamma:g}"].model.model_dump()["likelihood"]
        assert likelihood["sigma"] ** 2 == pytest.approx(gamma, rel=1e-5)
        assert different(first, runs[f"gamma-{gamma:g}"]) <= {"model.likelihood.sigma"}
    assert all(name.startswith("model.likelihood") for name in different(first, runs["gamma-learned"]))


def test_the_two_by_two_changes_one_schedule_at_a_time() -> None:
    runs = SERIES["cyclical"].runs()
    assert set(runs) == {f"{beta}-{rate}" for beta in ("monotonic", "cyclical") for rate in ("constant", "restarts")}
    for rate in ("constant", "restarts"):
        assert different(runs[f"monotonic-{rate}"], runs[f"cyclical-{rate}"]) == {"training.beta"}
    for beta in ("monotonic", "cyclical"):
        assert different(runs[f"{beta}-constant"], runs[f"{beta}-restarts"]) == {"training.rate"}
    cyclical = runs["cyclical-restarts"].training
    assert cyclical.beta.model_dump()["cycles"] == cyclical.rate.model_dump()["cycles"]


def test_the_lagging_pair_differs_in_how_it_is_trained() -> None:
    basic, aggressive = SERIES["lagging"].runs().values()
    assert different(basic, aggressive) == {"training.inference"}
    assert [run.training.inference.kind for run in (basic, aggressive)] == ["together", "aggressive"]


def test_the_same_pairs_are_modelled_five_ways() -> None:
    runs = SERIES["same-data"].runs()
    assert list(runs) == ["separate-vaes", "concatenated-vae", "jmvae-zero", "jmvae-kl", "mvae"]
    first = runs["mvae"]
    for config in runs.values():
        assert config.data == first.data and config.training == first.training
        values, expected = config.model.model_dump(), first.model.model_dump()
        assert all(values[name] == expected[name] for name in ("latent_size", "weights", "networks") if name in values)
