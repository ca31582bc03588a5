"""Sorting, grouping and what does not compare."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from tests.library.made import made
from vaecore.library import QueryError, grouped, records, sorted_by, unlike
from vaecore.library.order import counts
from vaecore.library.tables import facts_of_group, table, table_of_groups
from vaecore.store import Store


def test_the_best_comes_first_and_what_is_missing_last(store: Store) -> None:
    for name, elbo in (("a", -100.0), ("b", None), ("c", -90.0), ("d", -100.0), ("e", -110.0)):
        made(store, name, elbo=elbo)
    found = sorted(records(store), key=lambda each: each.id)
    assert [each.id for each in sorted_by(found, "elbo")] == ["c", "a", "d", "e", "b"]
    assert [each.id for each in sorted_by(found, "elbo", descending=False)] == ["e", "a", "d", "c", "b"]
    assert [each.id for each in sorted_by(found, "mse")] == ["a", "c", "d", "e", "b"]  # equal ones keep their order
    assert [each.id for each in sorted_by(found, "title", descending=True)] == ["e", "d", "c", "b", "a"]
    assert [each.id for each in sorted_by(found, "training.epochs")] == ["a", "b", "c", "d", "e"]
    with pytest.raises(QueryError, match="elbo"):
        sorted_by(found, "eblo")


def test_the_newest_comes_first(store: Store) -> None:
    for place, name in enumerate(("a", "b", "c")):
        made(store, name, made_at=1.79e9 + place)
    assert [each.id for each in sorted_by(records(store), "made")] == ["c", "b", "a"]


def test_seeds_of_a_configuration_are_a_group_with_the_interval_of_numpy_and_scipy(store: Store) -> None:
    draws = np.random.default_rng(0)
    values = {z: draws.normal(-100, 3, size=count) for z, count in ((8, 5), (16, 3), (32, 1))}
    for z, elbos in values.items():
        for seed, elbo in enumerate(elbos):
            made(store, f"z{z}-{seed}", elbo=float(elbo), seed=seed, settings={"model.latent_size": z})
    groups = {group.shared("model.latent_size"): group for group in grouped(records(store))}
    assert set(groups) == {8, 16, 32}
    for z, elbos in values.items():
        mean = groups[z].interval("elbo")
        assert mean is not None and groups[z].seeds == tuple(range(len(elbos)))
        assert mean.count == len(elbos) and mean.mean == pytest.approx(np.mean(elbos), rel=1e-12)
        if len(elbos) > 1:
            half = student.ppf(0.975, len(elbos) - 1) * np.std(elbos, ddof=1) / np.sqrt(len(elbos))
            assert mean.half == pytest.approx(half, rel=1e-9)
        else:
            assert math.isinf(mean.half)
    told = facts_of_group(groups[8])
    assert told["numbers"]["elbo"]["count"] == 5 and told["seeds"] == [0, 1, 2, 3, 4] and len(told["runs"]) == 5


def test_a_run_made_twice_counts_once(store: Store) -> None:
    """The same configuration with the same seed is no second draw."""
    for name, seed, elbo in (("a", 0, -90.0), ("b", 0, -90.0), ("c", 1, -92.0)):
        made(store, name, seed=seed, elbo=elbo)
    [group] = grouped(records(store))
    mean = group.interval("elbo")
    assert mean is not None and (mean.mean, mean.count) == (-91.0, 2) and len(group.records) == 3


def test_groups_are_called_by_what_their_runs_share(store: Store) -> None:
    made(store, "a", seed=1, about={"title": "vae-mnist z8 s1"})
    made(store, "b", seed=2, about={"title": "vae-mnist z8 s2"})
    made(store, "c", "ae-mnist", elbo=100.0)
    assert {group.title for group in grouped(records(store))} == {"vae-mnist z8", "c"}
    by_family = {group.title: len(group.records) for group in grouped(records(store), "family")}
    assert by_family == {"VAE": 2, "Autoencoder": 1}
    with pytest.raises(QueryError):
        grouped(records(store), "famly")


def test_a_number_that_does_not_compare_is_marked_with_the_reason(store: Store) -> None:
    made(store, "a", elbo=-100.0)
    made(store, "b", elbo=-101.0)
    made(store, "drawn", elbo=-90.0, settings={"data.pixels": "binary-dynamic"})
    made(store, "other", elbo=700.0, settings={"model.likelihood": {"kind": "gaussian", "sigma": 0.1}})
    made(store, "given", elbo=-90.0, settings={"model.prior": {"kind": "conditional"}})
    found = records(store)
    told = unlike(found, "elbo")
    assert set(told) == {"drawn", "other", "given"} and "given (nothing and u)" in told["given"]
    assert "kinds of pixels" in told["drawn"] and "likelihoods" in told["other"]
    assert set(unlike(found, "mse")) == {"drawn"}  # an error in pixels knows no likelihood
    assert unlike(found, "seconds") == {} and unlike(found[:0], "elbo") == {}
    [group] = grouped(found, "family")
    assert group.interval("elbo") is None and group.interval("seconds") is not None
    shown = table(found, ["id", "elbo"])
    marks = {row["id"].value: row["elbo"].note for row in shown.rows}  # type: ignore[union-attr]
    assert marks["a"] == "" and marks["other"].startswith("Other likelihoods")
    assert shown.columns[1].better == "" and "3 of 5" in shown.notes[0]


def test_what_most_are_knows_no_likelihood_where_the_number_knows_none(store: Store) -> None:
    """Of six runs of one data set, three and three of unlike likelihoods, all have an MSE that compares."""
    for place in range(3):
        made(store, f"bernoulli-{place}", elbo=-100.0)
        made(store, f"gaussian-{place}", elbo=700.0, settings={"model.likelihood": {"kind": "gaussian", "sigma": 0.1}})
    others = {made(store, f"drawn-{place}", elbo=-90.0, settings={"data.pixels": "binary-dynamic"}).id
              for place in range(4)}
    found = records(store)
    assert set(unlike(found, "mse")) == others
    assert set(unlike(found, "elbo")) == {each.id for each in found} - others


def test_estimates_compare_only_with_the_same_samples(store: Store) -> None:
    def evaluation(samples: int) -> list[dict[str, object]]:
        return [{"settings": {"importance_samples": samples}, "split": "test", "seed": 0, "has_kl": True,
                 "evidence": {}, "likelihood": {"log_likelihood": -90.0, "samples": samples, "observations": 10}}]

    for name, samples in (("a", 500), ("b", 500), ("c", 5000)):
        made(store, name, evaluation=evaluation(samples))
    told = unlike(records(store), "log_p_is")
    assert set(told) == {"c"} and "K = 500" in told["c"] and "K = 5,000" in told["c"]


def test_tables_of_groups_hold_means_and_their_halves(store: Store) -> None:
    for seed, elbo in enumerate((-90.0, -92.0)):
        made(store, f"s{seed}", seed=seed, elbo=elbo)
    shown = table_of_groups(grouped(records(store)), ["elbo", "family"])
    [row] = shown.facts()
    assert (row["runs"], row["seeds"], row["elbo"], row["family"]) == (2, 2, -91.0, "VAE")
    assert row["elbo_spread"] == pytest.approx(student.ppf(0.975, 1) * 1.0)


def test_how_many_runs_have_each_value(store: Store) -> None:
    made(store, "a", marks={"tags": ["x", "y"]})
    made(store, "b", "ae-mnist", elbo=1.0, marks={"tags": ["x"]})
    found = counts(records(store), ["family", "tags"])
    assert found["family"] == {"VAE": 1, "Autoencoder": 1} and found["tags"] == {"x": 2, "y": 1}
