"""Weights kept along the way, and the weights that a fork begins with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.captured import clips
from tests.training.runs import Start, read, small
from tests.training.test_resume import Patient
from vaecore.config import RunConfig, changed
from vaecore.library import records
from vaecore.schema import ConfigError, parse
from vaecore.store import Run, Store
from vaecore.training import session, train
from vaecore.training.build import build
from vaecore.training.checkpoints import (
    INITIAL,
    BrokenCheckpoint,
    inherit,
    kept_steps,
    kept_weights,
    load_model,
    read_weights,
    step_of,
    write_weights,
)
from vaecore.training.fork import can_begin_anew, fork


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(tensor, b[name]) for name, tensor in a.items())


@pytest.mark.parametrize(("checkpoints", "epochs", "steps"), [
    (2, 4, [8, 16]), (4, 4, [4, 8, 12, 16]), (100, 3, [4, 8, 12]), (1, 3, [12]), (2, 5, [12, 20]), (0, 3, [])])
def test_weights_are_kept_evenly_and_at_the_end(start: Start, monkeypatch: pytest.MonkeyPatch, checkpoints: int,
                                                epochs: int, steps: list[int]) -> None:
    """Four steps an epoch, an evaluation after each."""
    seen: dict[int, dict[str, torch.Tensor]] = {}
    true = session.Session._evaluate

    def look(self: Any) -> None:
        seen[self.step] = {name: tensor.clone() for name, tensor in self.course.model.state_dict().items()}
        true(self)

    monkeypatch.setattr(session.Session, "_evaluate", look)
    folder = start(small(epochs=epochs, checkpoints=checkpoints))
    assert kept_steps(folder) == steps
    for step in steps:
        path = kept_weights(folder, step)
        assert step_of(path) == step
        model = load_model(path)
        assert not model.training
        assert equal(model.state_dict(), seen[step])
        assert equal(read_weights(path)[0], seen[step])
    assert len(list(folder.glob("kept/*"))) == len(steps)


def test_kept_weights_are_evenly_spaced_however_often_is_evaluated(start: Start) -> None:
    """Every third of 20 steps and the last: seven evaluations, of which three are kept."""
    assert kept_steps(start(small(epochs=5, evaluate_every=0.75, checkpoints=3))) == [9, 18, 20]


def begun(folder: Path) -> dict[str, torch.Tensor]:
    """The weights evaluated at step 0."""
    assert train(folder, Patient(0)) == "stopped"
    assert step_of(folder / "weights.safetensors") == 0
    return load_file(folder / "weights.safetensors")


def test_a_fork_begins_with_its_initial_weights(start: Start) -> None:
    parent = start(small(epochs=4, checkpoints=2), name="parent")
    weights = read_weights(kept_weights(parent, 8))[0]
    fork = start(small(epochs=2), name="fork", train=False)
    write_weights(fork / INITIAL, weights, 8)
    plain = start(small(epochs=2), name="plain", train=False)
    assert equal(begun(fork), weights)
    assert not equal(begun(plain), weights)
    [first] = read(fork).evaluations
    there = next(line for line in read(parent).evaluations if line["step"] == 8)
    assert first["step"] == 0 and first["elbo"] == there["elbo"] and first["kl"] == there["kl"]
    # Only at the beginning: what was trained since is not put back.
    assert train(fork, Patient(3)) == "stopped"
    trained = read_weights(fork / "checkpoint.safetensors")[0]
    assert not equal(trained, weights)
    assert train(fork, Patient(0)) == "stopped"
    assert equal(read_weights(fork / "checkpoint.safetensors")[0], trained)
    assert train(fork, Patient(100)) == "finished"
    assert Run(fork).summary()["step"] == 8


@pytest.mark.parametrize(("was", "sigma"), [({"kind": "gaussian", "sigma": 0.1}, 1.0),
                                            ({"kind": "gaussian-learned", "initial_sigma": 0.1}, 2.0)])
def test_a_fixed_sigma_is_the_forks_own(start: Start, was: dict[str, Any], sigma: float) -> None:
    """It is a choice, not something learned: the parent's must not lie over it."""
    parent = start(small({"likelihood": was}, epochs=1), name="parent")
    fork = start(small({"likelihood": {"kind": "gaussian", "sigma": sigma}}, epochs=1), name="fork", train=False)
    write_weights(fork / INITIAL, read_weights(parent / "weights.safetensors")[0], 4)
    assert begun(fork)["likelihood.logvar"].exp().item() == pytest.approx(sigma**2)


def test_a_fork_that_lost_its_initial_weights_does_not_begin_afresh(start: Start) -> None:
    fork = start(small(), name="fork", train=False)
    (fork / "about.json").write_text(json.dumps({"parent": {"run": "mother", "weights": "best", "step": 4}}))
    with pytest.raises(BrokenCheckpoint, match=r"initial\.safetensors is gone.*fork of mother.*Fork again"):
        train(fork, Patient(100))


@pytest.mark.parametrize(("change", "name"), [
    ("shape", "decoder.0.weight"), ("dtype", "decoder.0.bias"), ("missing", "encoder.1.bias"), ("more", "extra")])
def test_initial_weights_that_do_not_fit_are_refused_by_name(start: Start, change: str, name: str) -> None:
    parent = start(small(epochs=1), name="parent")
    weights = read_weights(parent / "weights.safetensors")[0]
    if change == "shape":
        weights[name] = weights[name].T.contiguous()
    elif change == "dtype":
        weights[name] = weights[name].double()
    elif change == "missing":
        del weights[name]
    else:
        weights[name] = torch.zeros(1)
    fork = start(small(), name="fork", train=False)
    write_weights(fork / INITIAL, weights, 4)
    with pytest.raises(BrokenCheckpoint, match=rf"initial\.safetensors does not fit .*differs in {name}\."):
        train(fork, Patient(100))
    assert not (fork / "checkpoint.safetensors").exists() and not (fork / "weights.safetensors").exists()


def test_initial_weights_that_are_cut_are_refused(start: Start) -> None:
    fork = start(small(), name="fork", train=False)
    write_weights(fork / INITIAL, {"a": torch.zeros(100)}, 4)
    (fork / INITIAL).write_bytes((fork / INITIAL).read_bytes()[:-50])
    with pytest.raises(BrokenCheckpoint, match=r"initial\.safetensors is truncated"):
        train(fork, Patient(100))


def test_without_a_file_there_is_nothing_to_inherit(start: Start) -> None:
    folder = start(small(epochs=1))
    model = load_model(folder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    inherit(folder, model)
    assert equal(model.state_dict(), before)


@pytest.mark.parametrize("model", [{"likelihood": {"kind": "gaussian-learned"}}, {"prior": {"kind": "mixture"}}],
                         ids=["learned sigma", "mixture"])
def test_a_fork_whose_decoder_begins_anew_keeps_all_else(start: Start, model: dict[str, Any]) -> None:
    """p(x|z) is drawn from the fork's seed as a training of its own draws it; encoder and prior are the parent's."""
    parent = Run(start(small(model, epochs=2), name="parent"))
    store, config = Store(parent.path.parents[1]), changed(parent.config(), ["seed=7", "training.epochs=1"])
    first, again = (fork(store, parent, "best", config, name, anew="decoder") for name in ("first", "again"))
    begins, theirs = begun(first.path), read_weights(parent.weights)[0]
    drawn = build(config, config.data.load()).state_dict()
    decoder = {name for name in theirs if name.startswith(("decoder.", "likelihood."))}
    assert decoder and all(name.startswith(("encoder.", "latent_prior.")) for name in theirs.keys() - decoder)
    assert equal(begins, {name: (drawn if name in decoder else theirs)[name] for name in theirs})
    assert not equal(begins, theirs)
    assert equal(begun(again.path), begins)
    assert first.about()["parent"] == {"run": "parent", "weights": "best", "step": step_of(parent.weights),
                                       "anew": "decoder"}
    plain = fork(store, parent, "best", config, "plain")
    assert equal(begun(plain.path), theirs)
    same = {record.id: record.same for record in records(store)}
    assert same["first"] == same["again"] != same["plain"], "what began otherwise is no repetition"


@pytest.mark.parametrize(("name", "parts"), [("lp", {"decoder", "predictor"}), ("fp", {"decoder", "predictor"}),
                                             ("one", {"decoder", "predictor"}), ("sv2p", {"generator"})])
def test_what_predicts_the_next_frame_is_of_the_decoder(name: str, parts: set[str]) -> None:
    """What draws it from the last one and a code: without it an old predictor went on before a new decoder."""
    config = parse(RunConfig, clips(name))
    model = build(config, config.data.load())
    assert {each.partition(".")[0] for each in model.decoder_tensors()} - {"likelihood"} == parts
    assert can_begin_anew(model)


def test_a_fork_is_never_seen_without_its_weights(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = Run(start(small(epochs=1), name="parent"))
    store = Store(parent.path.parents[1])

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vaecore.training.fork.write_weights", ended)
    with pytest.raises(KeyboardInterrupt):
        fork(store, parent, "best", parent.config(), "child")
    assert {run.id for run in store.runs()} == {"parent"}


def test_a_model_without_an_encoder_has_no_decoder_to_begin_anew(start: Start) -> None:
    made = {**small(epochs=1), "model": {"family": "made", "hidden": [8]}}
    parent = Run(start(made, name="parent"))
    store = Store(parent.path.parents[1])
    with pytest.raises(ConfigError, match=r"anew: .* no decoder apart from an encoder"):
        fork(store, parent, "best", parent.config(), "child", anew="decoder")
    assert {run.id for run in store.runs()} == {"parent"}
