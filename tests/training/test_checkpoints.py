"""Files of weights that are missing, cut, or made to hurt: each is refused by name, with a remedy."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vaecore.explore import Checkpoint
from vaecore.store import Run
from vaecore.training import session, train
from vaecore.training.checkpoints import BrokenCheckpoint, load_model

Start = Callable[..., Path]
VALUES = {"data": {"name": "digits", "train_limit": 128},
          "model": {"family": "vae", "latent_size": 3, "network": {"kind": "conv", "channels": [4], "dense": 8}},
          "training": {"epochs": 1, "batch_size": 64}}


@pytest.fixture
def folder(start: Start) -> Path:
    return start(VALUES)


def header(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return dict(json.loads(file.metadata()["vaecore"]))


def rewrite(path: Path, *, tensors: dict[str, torch.Tensor] | None = None, **changes: Any) -> None:
    values = {**header(path), **changes}
    save_file(tensors or load_file(path), path, {"vaecore": json.dumps(values)})


@pytest.mark.parametrize("model", [
    VALUES["model"],
    {"family": "vae", "latent_size": 3, "network": {"kind": "resconv", "channels": [4, 8], "dense": 8},
     "likelihood": {"kind": "gaussian-per-pixel"}},
    {"family": "ae", "latent_size": 3, "network": {"kind": "mlp", "hidden": [8, 4]}},
    {"family": "vae", "latent_size": 2, "network": {"kind": "linear"}, "likelihood": {"kind": "discretised-logistic"}},
    {"family": "linear-ae", "latent_size": 3}, {"family": "pca", "latent_size": 3}], ids=lambda m: m["family"])
def test_one_file_rebuilds_the_model(start: Start, model: dict[str, Any], tmp_path: Path) -> None:
    folder = start({**VALUES, "model": model, "training": {**VALUES["training"], "keep": "last"}})
    alone = tmp_path / "elsewhere.safetensors"
    alone.write_bytes((folder / "weights.safetensors").read_bytes())
    loaded = load_model(alone)
    assert not loaded.training
    kept = load_file(folder / "checkpoint.safetensors")
    state = loaded.state_dict()
    assert {f"model.{name}" for name in state} == {name for name in kept if name.startswith("model.")}
    assert all(torch.equal(tensor, kept[f"model.{name}"]) for name, tensor in state.items())
    x = Checkpoint.load(Run(folder)).examples
    with torch.inference_mode():
        evidence = loaded.elbo({"image": x}, torch.Generator().manual_seed(0))
    assert evidence.elbo().isfinite().all() and evidence.elbo().shape == (len(x),)
    assert header(folder / "weights.safetensors")["config"] == Run(folder).values()


def test_missing_weights(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(BrokenCheckpoint, match=r"weights\.safetensors is missing.*Train the run"):
        load_model(folder)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_truncated_weights(folder: Path, keep: int) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BrokenCheckpoint, match=r"weights\.safetensors is truncated.*Copy the run again"):
        load_model(folder)


@pytest.mark.parametrize("content", [
    struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2**40) + b"{" * 100, struct.pack("<Q", 10) + b"x" * 10,
    struct.pack("<Q", 60) + b'{"w":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}' + b"0000",
    b"PK\x03\x04 a zip or a pickle"], ids=range(5))
def test_an_absurd_header_is_refused(folder: Path, content: bytes) -> None:
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(BrokenCheckpoint, match=r"weights\.safetensors"):
        load_model(folder)


@pytest.mark.parametrize("modalities", [
    {}, [], None, {"image": {}}, {"image": {"kind": "image", "shape": []}}, {"image": {"kind": "film", "shape": [1]}},
    {"image": {"kind": "image", "shape": [1, 8, -8]}}, {"image": {"kind": "image", "shape": [1, 8, 0]}},
    {"image": {"kind": "image", "shape": [1, 65_537, 1]}}, {"image": {"kind": "image", "shape": [1, 65_536, 65_536]}},
    {"image": {"kind": "image", "shape": [65_536, 65_536, 65_536]}}, {"image": {"kind": "image", "shape": "abc"}},
    {"image": {"kind": "image", "shape": [1, float("inf"), 8]}}, {"image": {"kind": "image", "shape": [1, 8, "8e9"]}},
    {"image": {"kind": "image", "shape": [1, 9, 8]}}, {"image": {"kind": "vector", "shape": [64]}},
    {"a": {"kind": "image", "shape": [1, 8, 8]}, "b": {"kind": "image", "shape": [1, 8, 8]}},
    {"image": {"kind": [], "shape": [1, 8, 8]}}], ids=range(18))
def test_absurd_modalities_are_refused(folder: Path, modalities: Any) -> None:
    rewrite(folder / "weights.safetensors", modalities=modalities)
    if modalities == {"image": {"kind": "image", "shape": [1, 9, 8]}}:
        pass  # 9 and 8 rows shrink to different sizes: it cannot fit either
    with pytest.raises(BrokenCheckpoint, match=r"weights\.safetensors does not fit its own description"):
        load_model(folder)


@pytest.mark.parametrize("change", [{"latent_size": 4}, {"latent_size": 0}, {"family": "gan"}, {"extra": 1},
                                    {"network": {"kind": "conv", "channels": [2048] * 8, "dense": 8192}}])
def test_a_description_that_does_not_fit_is_refused(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "weights.safetensors"
    config = header(path)["config"]
    rewrite(path, config={**config, "model": {**config["model"], **change}})
    with pytest.raises(BrokenCheckpoint, match="does not fit its own description"):
        load_model(folder)


def test_other_tensors_are_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    good = load_file(path)
    name = next(iter(good))
    for bad in ({**good, name: good[name].double()}, {**good, name: good[name][:1].contiguous()},
                {k: v for k, v in good.items() if k != name}, {**good, "more": torch.zeros(1)}):
        rewrite(path, tensors=bad)
        with pytest.raises(BrokenCheckpoint, match="does not fit"):
            load_model(folder)
    rewrite(path, tensors=good)
    load_model(folder)


def test_a_file_of_weights_of_another_program_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    for metadata in (None, {"format": "pt"}, {"vaecore": "{"}, {"vaecore": "[" * 50_000}, {"vaecore": "[]"},
                     {"vaecore": "null"}):
        save_file({"w": torch.zeros(2)}, path, metadata)
        with pytest.raises(BrokenCheckpoint, match=r"weights\.safetensors"):
            load_model(folder)


def test_a_truncated_checkpoint_is_not_resumed_from(folder: Path, watch: Any) -> None:
    path = folder / "checkpoint.safetensors"
    weights, metrics = (folder / "weights.safetensors").read_bytes(), (folder / "metrics.jsonl").read_bytes()
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BrokenCheckpoint, match=r"checkpoint\.safetensors is truncated"):
        train(folder, watch())
    assert (folder / "weights.safetensors").read_bytes() == weights  # nothing lost
    assert (folder / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize("progress", [{}, [], None, {"step": 1}, {"step": "x", "metrics_bytes": 0, "best": None,
                                                                  "since_best": 0, "seconds": 0}], ids=range(5))
def test_a_checkpoint_that_does_not_say_where_it_stood_is_refused(folder: Path, watch: Any, progress: Any) -> None:
    path, metrics = folder / "checkpoint.safetensors", (folder / "metrics.jsonl").read_bytes()
    save_file(load_file(path), path, {"vaecore": json.dumps(progress)})
    with pytest.raises(BrokenCheckpoint, match=r"checkpoint\.safetensors"):
        train(folder, watch())
    assert (folder / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize(("field", "value", "goes_on"), [
    ("metrics_bytes", 10**15, True), ("pictures_bytes", 10**15, True), ("metrics_bytes", -1, False),
    ("pictures_bytes", -1, False), ("step", -1, False)])
def test_how_far_a_log_went_is_no_more_than_there_is(folder: Path, watch: Any, field: str, value: int,
                                                     goes_on: bool) -> None:
    """Memory for all of it was asked for: a copied run could not be resumed, and was said to want a smaller batch."""
    path, metrics = folder / "checkpoint.safetensors", (folder / "metrics.jsonl").read_bytes()
    rewrite(path, **{field: value})
    if goes_on:
        train(folder, watch())
    else:
        with pytest.raises(BrokenCheckpoint, match="does not say where training stood"):
            train(folder, watch())
    assert (folder / "metrics.jsonl").read_bytes() == metrics


@pytest.mark.parametrize("name", ["metrics.jsonl", "pictures.jsonl", "kept"])
def test_nothing_is_written_through_a_link(folder: Path, watch: Any, name: str, tmp_path: Path) -> None:
    """A colleague's folder may lead to any file of one's own, which was cut to nothing and written over."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.txt").write_text("all of it\n")
    (own / "weights.tmp-0").write_text("not yours")
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(own if name == "kept" else own / "thesis.txt")
    with pytest.raises((OSError, BrokenCheckpoint), match="link, and nothing is written through links"):
        train(folder, watch())
    assert (own / "thesis.txt").read_text() == "all of it\n" and (own / "weights.tmp-0").is_file()


def test_a_log_longer_than_a_block_is_cut_back_to_its_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                  ) -> None:
    monkeypatch.setattr(session, "BLOCK", 4)
    data = b"first\n" + b"x" * 40 + b"\nlast"
    for end in range(len(data) + 3):
        (tmp_path / "log").write_bytes(data)
        with session._cut_back(tmp_path / "log", end) as log:
            assert log.tell() == data[:end].rfind(b"\n") + 1
        assert (tmp_path / "log").read_bytes() == data[:data[:end].rfind(b"\n") + 1]


def test_a_checkpoint_of_another_configuration_is_refused(folder: Path, watch: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["model"]["latent_size"] = 5
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BrokenCheckpoint, match=r"model\.latent_size = 3, but config\.json says 5"):
        train(folder, watch())


@pytest.mark.parametrize("damage", ["missing", "truncated", "other", "empty"])
def test_examples_that_cannot_be_used(folder: Path, damage: str) -> None:
    path = folder / "examples.safetensors"
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        save_file({"image": torch.zeros(*((2, 1, 7, 7) if damage == "other" else (0, 1, 8, 8)))}, path)
    with pytest.raises(BrokenCheckpoint, match=r"examples\.safetensors of run .*Copy the run again"):
        Checkpoint.load(Run(folder))


def test_leftovers_of_a_kill_are_swept(folder: Path, watch: Any) -> None:
    (folder / "weights.safetensors.tmp-0123456789ab").write_bytes(b"half")
    train(folder, watch())
    assert not list(folder.glob("*.tmp*"))
