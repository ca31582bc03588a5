"""What studies have to show of the shipped results: the numbers that are in them, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vaecore.lab import status
from vaecore.schema import ConfigError
from vaecore.store import Metrics, Run, Store
from vaecore.studies import CLAIMS, STUDIES, Result, Study, c14_gamma, kept
from vaecore.studies.exhibit import Costs, Exhibit, Grid, Spreads, Table
from vaecore.studies.series import Member

SHIPPED = Store(Path(__file__).parents[2] / "trained")
SHOWN = {study.id: study for study in STUDIES if study.exhibit and kept(SHIPPED, study.id)}


def seen(study: Study) -> tuple[Result, Exhibit]:
    result = kept(SHIPPED, study.id)
    assert result is not None
    exhibit = study.shown(result)
    assert exhibit is not None
    return result, exhibit


@pytest.mark.parametrize("study", SHOWN.values(), ids=SHOWN)
def test_numbers_that_are_none_cost_the_exhibit_alone(study: Study, tmp_path: Path) -> None:
    """Each ended the page Claims, with all claims after it."""
    values = json.loads((SHIPPED.claims / f"{study.id}.json").read_text())
    (tmp_path / "claims").mkdir()
    for number in ("1e999", "0", "-1e300", "null", '"x"'):
        spoilt = values | {"table": [{name: value if isinstance(value, str) else "@" for name, value in row.items()}
                                     for row in values["table"]]}
        for curves in (values["curves"], {name: [] for name in values["curves"]}, {}):
            text = json.dumps(spoilt | {"curves": curves}).replace('"@"', number)
            (tmp_path / "claims" / f"{study.id}.json").write_text(text)
            result = kept(Store(tmp_path), study.id)
            assert result is not None and len(result.table) == len(values["table"])
            study.shown(result)


def test_every_claim_has_a_kept_result() -> None:
    assert [name for name in CLAIMS if not kept(SHIPPED, name)] == []
    assert {"E7", *(f"C{number}" for number in range(1, 24))} <= set(CLAIMS)
    assert len({study.id for study in STUDIES}) == len(STUDIES)


@pytest.mark.parametrize(("claim", "page", "by", "number", "digits"), [
    ("C24", "priors", ("model", "prior"), "Frechet distance of samples", 0),
    ("C27", "collapse", ("remedy",), "perplexity", 1)])
def test_documents_say_what_was_found(claim: str, page: str, by: tuple[str, ...], number: str, digits: int) -> None:
    result, found = kept(SHIPPED, claim), dict[tuple[object, ...], list[float]]()
    assert result is not None
    for row in result.table:
        found.setdefault(tuple(row[name] for name in by), []).append(float(row[number]))
    text = (Path(__file__).parents[2] / "docs" / f"{page}.md").read_text()
    [said] = [part for part in text.split("\n\n") if f"{claim} is " in part or f"{claim} tried" in part]
    for key, values in found.items():
        if key not in {("WAE", "one Gaussian"), ("VAE", "one Gaussian"), ("masked free bits",)}:  # within what is told
            assert f"{sum(values) / len(values):.{digits}f}" in said, key


def test_basic_beside_aggressive_by_seed() -> None:
    result, exhibit = seen(SHOWN["C13"])
    table, picture = exhibit.figures
    assert isinstance(table, Table) and isinstance(picture, Spreads) and picture.early == "step 200"
    assert len(table.rows) == len(picture.points) == len(result.table) == 10
    for row, point in zip(table.rows, picture.points, strict=True):
        [of] = [each for each in result.table
                if (each["training"], f"seed {each['seed']}") == (row["Encoder"], row["Run"]) == (
                    point.training, point.name)]
        assert row["KL"] == pytest.approx(of["KL"], abs=1e-6)
        assert row["ELBO"] == pytest.approx(-float(of["-ELBO"]), abs=1e-6)
        assert point.early == (of["sd model, step 200"], of["sd inference, step 200"])
        assert point.late == (of["sd model, end"], of["sd inference, end"])
        assert row["Spread ratio"] == point.late[1] / point.late[0]
    assert [row["Encoder"] for row in table.rows] == ["basic"] * 5 + ["aggressive"] * 5


def test_costs_against_gamma() -> None:
    result, exhibit = seen(SHOWN["C14"])
    [costs] = exhibit.figures
    assert isinstance(costs, Costs)
    assert [[one.gamma, one.cost, one.active] for one in costs.fixed] == [
        list(each) for each in zip(*(result.curves[name] for name in ("gamma", "cost", "active")), strict=True)]
    learned = costs.learned
    assert learned is not None
    assert [learned.gamma, learned.cost, learned.rate, learned.error, learned.active] == result.curves["learned"]
    assert costs.data.eigenvalues.tolist() == result.curves["eigenvalues"] and costs.latent_size == 16


@pytest.mark.parametrize("foreign", [{"latent_size": "x"}, {"latent_size": -3}, {"latent_size": 2.5},
                                     {"family": "multimodal-vae"}, {"likelihood": {"kind": "bernoulli"}}])
def test_a_foreign_run_of_the_same_name_hides_no_costs(foreign: dict[str, Any], tmp_path: Path) -> None:
    settings = {"data": {"name": "digits"}, "training": {}}
    model = {"family": "vae", "latent_size": 2, "likelihood": {"kind": "gaussian", "sigma": 0.5}}
    numbers = {"step": 1.0, "neg_elbo": 30.0, "kl": 2.0, "active": 2.0}

    def member(values: dict[str, Any]) -> Member:
        return Member(Run(tmp_path), values, status(tmp_path), numbers, Metrics(tmp_path / "metrics.jsonl"))

    own = member({**settings, "model": model})
    exhibit = c14_gamma.of_runs([own, member({**settings, "model": {**model, **foreign}})])
    assert exhibit is not None
    [costs] = exhibit.figures
    assert isinstance(costs, Costs) and costs.latent_size == 2
    assert [(one.gamma, one.cost) for one in costs.fixed] == [(0.25, 30.0)]
    with pytest.raises(ConfigError, match="one image or one vector"):
        c14_gamma.moments_of(json.dumps({"data": {"name": "image-label", "source": "embedded"}}))


def test_two_by_two() -> None:
    result, exhibit = seen(SHOWN["C16"])
    for figure, column, sign in zip(exhibit.figures, ("KL", "-ELBO"), (1, -1), strict=True):
        assert isinstance(figure, Grid) and len(figure.found) == 4
        for beta, down in (("monotonic", "β rises once"), ("cyclical", "β rises in cycles")):
            for rate, across in (("constant", "constant learning rate"), ("restarts", "learning rate with restarts")):
                assert figure.found[down, across] == [sign * float(row[column]) for row in result.table if (
                    row["beta"], row["learning rate"]) == (beta, rate)]


@pytest.mark.parametrize("study", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("change", [{"table": [], "curves": {}},
                                    {"table": [{"KL": "x"}, {}], "curves": {"gamma": [1]}}])
def test_a_result_with_nothing_to_draw_has_no_view(study: Study, change: dict[str, Any]) -> None:
    result, _ = seen(study)
    assert study.exhibit is not None and study.exhibit(Result(**vars(result) | change)) is None
