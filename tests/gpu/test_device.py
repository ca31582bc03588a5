"""Where things lie on a GPU: data that fit and that do not, memory and its end, stacks, one rank of NCCL."""

from __future__ import annotations

import dataclasses
import os
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import torch.distributed as dist

from tests.gpu.needed import CUDA, course, needed, on, taken
from tests.training.runs import small
from tests.training.stacked.test_stacked_steps import alone, apart, configs, stacked
from vaecore.comparison.durations import estimate
from vaecore.config import RunConfig, Training
from vaecore.data import Dataset, Split
from vaecore.data.base import SPLITS
from vaecore.errors import OutOfMemory
from vaecore.modalities import END, PAD, Modality
from vaecore.nets.text import SentenceDecoder, trimmed
from vaecore.schema import parse
from vaecore.training import device as devices
from vaecore.training import feed as feeds
from vaecore.training import memory
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Feed
from vaecore.training.ranks.group import HEARD_EVERY, Ranks
from vaecore.training.ranks.step import SharedTrainer
from vaecore.training.stacked import tried

pytestmark = needed


def test_auto_is_the_gpu_in_bfloat16() -> None:
    assert devices.choose(Training()).type == devices.choose(Training(device="cuda")).type == "cuda"
    assert devices.found() == (torch.__version__, torch.cuda.get_device_name())
    found = devices.precision(Training(), CUDA)
    assert isinstance(found, torch.autocast) == torch.cuda.is_bf16_supported(including_emulation=False)
    assert not isinstance(devices.precision(Training(precision="float32"), CUDA), torch.autocast)


def test_peak_memory_is_the_devices() -> None:
    made = course(on("cuda", small()))
    taken(made, 3)
    before = devices.peak_memory(CUDA)
    assert before is not None and before == torch.cuda.max_memory_allocated() > 0
    held = torch.zeros(2**26, device=CUDA)
    assert devices.peak_memory(CUDA) >= 4 * held.numel()


@pytest.mark.parametrize("room", ["on the device", "in main memory", "in its file"])
def test_batches_are_the_same_wherever_the_data_lie(room: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (400, 1, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pictures)
    array = np.load(tmp_path / "pictures.npy", mmap_mode="c") if room == "in its file" else pictures
    if room == "in its file":
        monkeypatch.setenv("VAECORE_MEMORY", "1000")
    if room != "on the device":
        monkeypatch.setattr(feeds, "_room", Mock(return_value=0.0))
    dataset = Dataset("toy", "made", {"image": Modality("image", (1, 8, 8))},
                      dict.fromkeys(SPLITS, Split({"image": array}, np.arange(400) % 10)))
    config = parse(RunConfig, on("cuda", small(batch_size=50)))
    feed = Feed(dataset, "train", CUDA)
    assert feed.home.type == ("cuda" if room == "on the device" else "cpu")
    assert bool(feed.files) == (room == "in its file")
    made = Course(config, build(config, dataset), feed, CUDA)
    generator = torch.Generator(CUDA).manual_seed(0)
    try:
        for step in range(8):  # as many as an epoch has: what is read ahead is used again and again
            rows = made.indices(step)
            batch = feed.batch(rows, generator)
            assert batch["image"].device.type == "cuda"
            expected = torch.from_numpy(pictures[rows.cpu().numpy()]).float() / 255
            torch.testing.assert_close(batch["image"].cpu(), expected)  # a GPU multiplies by 1 / 255
        torch.testing.assert_close(torch.cat([part["image"] for part in feed.in_order(150)]).cpu(),
                                   torch.from_numpy(pictures).float() / 255)
        lines = taken(made, made.total)
        assert len(lines) == made.total
    finally:
        feed.close()
    redrawn = Feed(dataclasses.replace(dataset, dynamic=True), "train", CUDA)
    try:
        first, second = (redrawn.batch(redrawn.order(0, 0)[:20], generator)["image"] for _ in range(2))
        assert not torch.equal(first, second) and set(first.unique().tolist()) <= {0.0, 1.0}
    finally:
        redrawn.close()


def test_an_end_of_memory_says_which_batch_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    made = course(on("cuda", small()))
    each = memory.per_observation(made)
    assert each > 1000
    monkeypatch.setattr(memory, "free_bytes", Mock(return_value=int(20 * each)))
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(2**50, dtype=torch.uint8, device=CUDA)
    found = memory.advised(caught.value, made)
    assert isinstance(found, OutOfMemory) and "Out of memory on the cuda" in str(found) and "16 would fit" in str(found)
    monkeypatch.undo()
    assert 0 < memory.free_bytes(CUDA) <= torch.cuda.get_device_properties(CUDA).total_memory
    taken(made, 3)  # and it can go on


def test_what_is_counted_of_data_in_main_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "_room", Mock(return_value=0.0))
    assert memory.per_observation(course(on("cuda", small()))) > 1000


def test_models_of_the_size_of_mnist_are_stacked() -> None:
    given = [config.model_copy(update={"training": config.training.model_copy(update={
        "precision": "float32", "device": "cuda"})}) for config in configs(small({"network": {
            "kind": "mlp", "hidden": [400], "activation": "tanh"}}))]
    for one, other in zip(stacked(given, device="cuda"), alone(given, device="cuda"), strict=True):
        assert apart(one, other) < 1e-4
    trial = tried(given, budget=0.5)
    assert trial.stacked and trial.seconds > 0


def test_a_stack_in_bfloat16_agrees_with_its_members() -> None:
    given = [config.model_copy(update={"training": config.training.model_copy(update={"device": "cuda"})})
             for config in configs(small({"network": {"kind": "mlp", "hidden": [64], "activation": "tanh"}}))]
    for each in stacked(given, steps=20, device="cuda"):
        assert all(p.isfinite().all() for p in each.model.parameters())


def test_how_long_it_will_take_is_measured_on_the_device() -> None:
    config = parse(RunConfig, on("cuda", small()))
    assert estimate(config).seconds > 0


def test_log_z_is_annealed_on_the_device() -> None:
    values = {"data": {"name": "digits", "train_limit": 256}, "training": {"epochs": 1, "batch_size": 64}, "model": {
        "family": "rbm", "hidden": 24, "chains": 10, "temperatures": 300, "ais_chains": 50}}
    made = course(on("cuda", values)).model
    log_z, error = made.annealed()  # type: ignore[operator]
    assert log_z.device.type == "cuda" and log_z.dtype == torch.float64
    made.calibrate()
    here, _ = made.cpu().annealed()  # type: ignore[operator]
    assert float(log_z) == pytest.approx(float(here), abs=max(0.5, 6 * float(error)))


def test_sentences_are_not_looked_at_on_a_gpu() -> None:
    x = torch.zeros(3, 7, dtype=torch.long, device=CUDA)
    assert trimmed(x).shape == (3, 7)
    decoder = SentenceDecoder(20, 8, 16, 4, dropout=0.0, word_keep=1.0).eval()
    written = torch.tensor([[5, 6, END, PAD, PAD, PAD], [7, END, PAD, PAD, PAD, PAD], [4, 9, 8, 7, 5, END]])
    z = torch.zeros(3, 4)
    with torch.no_grad():
        here = decoder.log_prob(written, z)
        there = decoder.to(CUDA).log_prob(written.to(CUDA), z.to(CUDA))
    assert there.tolist() == pytest.approx(here.tolist(), rel=1e-4), "padding is scored there, and counts for nothing"


def test_one_rank_of_nccl_trains_as_none_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(20_000 + os.getpid() % 20_000)}.items():
        monkeypatch.setenv(name, value)
    own, other = course(on("cuda", small())), course(on("cuda", small()))
    training = other.config.training
    with Ranks.join(training) as ranks:
        assert dist.get_backend() == ("nccl" if dist.is_nccl_available() else "gloo")
        ranks.say({"step": 3})
        assert ranks.greatest(7) == 7
        shared = SharedTrainer(other.model, training, CUDA, other.config.seed, ranks)
        for step in range(HEARD_EVERY + 2):
            terms = [made.update(made_course.feed.batch(made_course.indices(step % 12), made.generator), 1.0, 1e-3)
                     for made, made_course in ((own.trainer, own), (shared, other))]
            assert torch.stack(terms[1]).tolist() == pytest.approx(torch.stack(terms[0]).tolist(), rel=1e-4)
        assert not ranks.stopping
