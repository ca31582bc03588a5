"""What an evaluation found of each observation: the values of its numbers, tied to it, and read from anywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.pages import demo
from vaecore.data.base import Split
from vaecore.evaluate import points as values_of
from vaecore.evaluate.kept import evaluations, keep, points, points_file
from vaecore.evaluate.points import Points, agreeing, digest, order_of, read, write
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.store import Run

QUICK = Settings(parts=("likelihood", "reconstruction"), importance_samples=10, observations=60)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any], Points]:
    """An evaluation, kept."""
    path = tmp_path_factory.mktemp("points") / "runs" / "vae"
    shutil.copytree(demo.store() / "runs" / "vae", path)
    (path / "evaluation.json").unlink(missing_ok=True)
    run, values = Run(path), Points()
    facts = evaluate_run(run, QUICK, points=values)
    keep(run, facts, values)
    return run, facts, values


def test_their_means_are_the_numbers(found: tuple[Run, dict[str, Any], Points]) -> None:
    _, facts, values = found
    means = {name: float(each.mean(dtype=np.float64)) for name, each in values.values.items()}
    evidence = facts["evidence"]
    assert means == pytest.approx({
        "elbo": evidence["elbo"], "reconstruction": sum(evidence["reconstruction"].values()),
        "kl": sum(evidence["kl"]["z"]), "mse.image": evidence["mse"]["image"],
        "log_likelihood": facts["likelihood"]["log_likelihood"], "psnr.image": facts["reconstruction"]["image"]["psnr"],
        "ssim.image": facts["reconstruction"]["image"]["ssim"]}, rel=1e-5)
    assert len(values.values["elbo"]) == 250 and len(values.values["log_likelihood"]) == 60
    np.testing.assert_allclose(values.values["elbo"], values.values["reconstruction"] - values.values["kl"], rtol=1e-4)
    assert (values.values["log_likelihood"].mean() > values.values["elbo"][:60].mean())


def test_they_are_kept_and_read_to_the_last_bit(found: tuple[Run, dict[str, Any], Points]) -> None:
    run, _, values = found
    [facts] = evaluations(run)
    again = points(run, facts)
    assert again is not None and again.values.keys() == values.values.keys()
    assert all(np.array_equal(again.values[name], each) for name, each in values.values.items())


@pytest.mark.parametrize(("field", "value"), [
    ("settings", {}), ("split", "train"), ("identity", "0"), ("order", "0"), ("step", 1), ("date", "2020-01-01 00:00"),
    ("observations", 3)])
def test_they_are_those_of_one_evaluation_alone(found: tuple[Run, dict[str, Any], Points], field: str, value: Any
                                                ) -> None:
    run, _, _ = found
    [facts] = evaluations(run)
    assert points(run, {**facts, field: value}) is None


def test_the_same_data_in_another_order_is_another() -> None:
    x = np.arange(24, dtype=np.uint8).reshape(6, 4)
    split = Split({"image": x})
    assert order_of(split) == order_of(Split({"image": x.copy()}))
    others = [Split({"image": x[::-1]}), Split({"image": x[:5]}), Split({"other": x}),
              Split({"image": x.astype(np.float32)}), Split({"image": x}, observed=np.array([[True]] * 5 + [[False]]))]
    assert len({order_of(split), *map(order_of, others)}) == 6


def test_a_new_evaluation_keeps_those_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "runs" / "vae").mkdir(parents=True)
    run = Run(tmp_path / "runs" / "vae")

    def kept(k: int, value: float) -> None:
        one = Points({"elbo": np.full(5, value, np.float32)}, np.arange(5))
        keep(run, {"settings": Settings(importance_samples=k).model_dump(mode="json"), "date": str(value),
                   "partial": False, "evidence": {"elbo": value}}, one)

    for k, value in ((1, -1.0), (2, -2.0), (1, -3.0)):
        kept(k, value)
    read_back = [points(run, facts) for facts in evaluations(run)]
    assert [float(each.values["elbo"][0]) for each in read_back if each] == [-2.0, -3.0]
    assert len(read(points_file(run))) == 2  # those of the one that was replaced are gone
    assert read_back[0] is not None and np.array_equal(read_back[0].clusters(5), np.arange(5))  # type: ignore[arg-type]


def test_of_a_run_that_is_only_read_they_lie_in_ones_own_store(tmp_path: Path) -> None:
    (tmp_path / "gallery" / "vae").mkdir(parents=True)
    run = Run(tmp_path / "gallery" / "vae")
    facts = {"settings": Settings().model_dump(mode="json"), "partial": False, "evidence": {"elbo": -1.0}}
    keep(run, facts, Points({"elbo": np.full(5, -1, np.float32)}))
    assert points_file(run) == tmp_path / "evaluations" / "vae.points.safetensors"
    [back] = evaluations(run)
    assert points(run, back) is not None and not list(run.path.iterdir())


def test_what_has_no_room_is_left_out_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values_of, "MAX_POINTS_BYTES", 2**20 + 50)
    write(tmp_path / "p", {name: Points({"elbo": np.zeros(10, np.float32)}) for name in ("new", "old")})
    assert set(read(tmp_path / "p")) == {"new"}
    many = Points()
    monkeypatch.setattr(values_of, "MAX_KEPT_VALUES", 5)
    many.add("elbo", np.zeros(6))
    many.add("other", np.zeros((2, 2)))
    assert not many.values


def test_a_file_from_anywhere_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "points.safetensors"
    assert read(path) == {}
    for content in (b"", b"no", b"\xff" * 100, (2**40).to_bytes(8, "little") + b"{}"):
        path.write_bytes(content)
        assert read(path) == {}
    save_file({"d/elbo": np.zeros((2, 3), np.float32), "d/kl": np.zeros(4), "d/mse": np.zeros(4, np.float32),
               "d/sources": np.zeros(4, np.float32), "e": np.zeros(4, np.int64)}, path)
    found = read(path)
    assert set(found["d"].values) == {"mse"} and found["d"].sources is None
    monkeypatch.setattr(values_of, "MAX_POINTS_BYTES", 10)
    assert read(path) == {}


def test_values_of_another_number_are_not_used() -> None:
    x = np.array([1, 3, np.nan], np.float32)
    assert agreeing(x, 2.0) is x and agreeing(x, 2.1) is None and agreeing(None, 2.0) is None
    small = np.array([1e-3, 1.1e-3], np.float32)  # as errors of frames are
    assert agreeing(small, 1.05e-3) is small and agreeing(small, 1.5e-3) is None
    assert agreeing(np.full(3, np.nan, np.float32), 2.0) is None and agreeing(x, float("nan")) is None


def test_the_digest_is_of_what_json_keeps() -> None:
    facts = {"settings": {"parts": ["likelihood"]}, "date": "2026", "step": 3}
    assert digest(json.loads(json.dumps(facts))) == digest(facts) != digest({**facts, "step": 4})
