"""What a run draws of itself while it learns: the right pictures, at the right steps, and nothing of its training."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.faults.families import TRAININGS
from tests.training.runs import Start, small, timeless
from vaecore import album
from vaecore.album import Page, Row
from vaecore.files import BrokenFile
from vaecore.modalities import Modality
from vaecore.sharing.contents import part_of
from vaecore.training.checkpoints import CHECKPOINT, load_model, read_weights
from vaecore.training.pictures import NOISE_SEED
from vaecore.training.pictures import small as made_small

LONGER = {"epochs": 40, "batch_size": 64}  # 160 steps: twelve times


def bytes_of(x: torch.Tensor) -> np.ndarray:
    return (255 * x).round().clamp(0, 255).to(torch.uint8).numpy()


def test_pictures_at_a_step_are_what_the_weights_of_that_step_decode(start: Start, watch: Any) -> None:
    """By hand, of the weights in the checkpoint at which the training was stopped."""
    steps = [page.step for page in album.read(start(small(**LONGER), name="whole")).pages]
    assert steps == sorted(album.due(15, 160)) and steps[0] == 0 and steps[-1] == 160
    at = steps[6]
    folder = start(small(**LONGER), name="stopped", control=watch(stop_at=at))
    drawn = album.read(folder)
    assert [page.step for page in drawn.pages] == steps[:7] and drawn.given is not None
    model = load_model(folder)
    weights, step = read_weights(folder / CHECKPOINT)
    assert step == at
    model.load_state_dict(weights)
    model.eval()
    x = load_file(folder / "examples.safetensors")["image"][:10].float() / 255
    assert np.array_equal(drawn.given.rows[0].pixels, bytes_of(x))
    rows = {row.kind: row for row in drawn.pages[-1].rows}
    assert list(rows) == ["reconstructions", "samples", "traversal"]
    with torch.no_grad():
        mean = model.encode({"image": x})["z"].mean
        noise = torch.randn(10, 4, generator=torch.Generator().manual_seed(NOISE_SEED))
        decoded = [bytes_of(model.decode({"z": z})["image"].mean) for z in (mean, noise)]
        assert np.array_equal(rows["reconstructions"].pixels, decoded[0])
        assert np.array_equal(rows["samples"].pixels, decoded[1])
        dimension = int(rows["traversal"].note.removeprefix("z[").removesuffix("]"))
        spread = mean.std(0, correction=0)
        assert spread[dimension] > spread.max() / 2
        along = mean[:1].repeat(10, 1)
        along[:, dimension] = mean[:, dimension].mean() + torch.linspace(-2.5, 2.5, 10) * float(
            mean[:, dimension].double().std(correction=0))
        assert np.abs(rows["traversal"].pixels.astype(int) - bytes_of(model.decode({"z": along})["image"].mean)
                      ).max() <= 1


def test_training_is_the_same_whether_it_draws_or_not(start: Start) -> None:
    """Neither its noise nor its weights know of it; a killed run's file is held to the bit by test_resume."""
    values = small({"network": {"kind": "conv", "channels": [2, 4], "dense": 8}}, epochs=10)
    drawing, still = start(values, name="drawing"), start({**values, "training": {**values["training"], "pictures": 0}},
                                                          name="still")
    assert (drawing / album.FILE).stat().st_size > 0 and (still / album.FILE).stat().st_size == 0
    ours, theirs = (load_file(folder / CHECKPOINT) for folder in (drawing, still))
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert timeless(drawing) == timeless(still)


def test_a_run_that_patience_ends_draws_its_end(start: Start) -> None:
    folder = start(small(epochs=100, patience=1, learning_rate=0.0001, beta={"kind": "constant"}, evaluate_every=2.5))
    summary = json.loads((folder / "summary.json").read_text())
    pages = album.read(folder).pages
    assert pages[-1].step == summary["step"] <= 400


@pytest.mark.parametrize(("name", "kinds"), [
    ("ae", {"reconstructions", "traversal"}), ("pca", {"reconstructions", "traversal"}),
    ("language-model", {"samples"}), ("sentence-vae", {"reconstructions", "samples", "interpolation"}),
    ("mvae-mixture", {"reconstructions", "samples", "traversal"}),
    ("dmvae", {"reconstructions", "samples", "traversal"}),
    ("jive", {"reconstructions", "traversal"}), ("svg-lp", {"future"}), ("recurrent-predictor", {"future"}),
    ("conditional-wasserstein", {"future"})])
def test_each_kind_of_model_draws_what_it_has(start: Start, name: str, kinds: set[str]) -> None:
    values = copy.deepcopy(TRAININGS[name])
    values["training"]["epochs"] = min(values["training"]["epochs"], 4 if "svg" in name or "rec" in name else 2)
    if values["data"]["name"] == "synthetic-text":
        values["data"]["size"] = 2_000
    folder = start(values)
    drawn = album.read(folder)
    assert drawn.given is not None and drawn.pages
    modalities = {row.modality for row in drawn.given.rows}
    for page in drawn.pages:
        assert {row.kind for row in page.rows} == kinds
        assert {row.modality for row in page.rows} == modalities
        assert all(len(row) == len(drawn.given.rows[0]) for row in page.rows)
    if name == "sentence-vae":  # between two sentences: its ends are their reconstructions
        for page in drawn.pages:
            found = {row.kind: row.words for row in page.rows}
            assert (found["interpolation"][0], found["interpolation"][-1]) == found["reconstructions"][:2]
    if name == "svg-lp":  # the frames that are given stand at the beginning of each future
        assert all(np.array_equal(row.pixels[:2], drawn.given.rows[0].pixels[:2]) for row in drawn.pages[-1].rows)


def test_what_takes_a_pass_for_each_pixel_is_drawn_seldom_or_not_at_all(start: Start) -> None:
    values = copy.deepcopy(TRAININGS["made"])
    values["training"]["epochs"] = 1
    assert not album.read(start(values, name="short")).pages
    values["training"] |= {"epochs": 200, "evaluate_every": 50}
    pages = album.read(start(values, name="long")).pages
    assert len(pages) == 2 and {row.kind for row in pages[-1].rows} == {"samples"}


# -- the file --------------------------------------------------------------------------------------


def test_steps_lie_as_squares_with_the_first_and_the_last() -> None:
    assert sorted(album.due(4, 100)) == [0, 7, 25, 57, 100]
    assert album.due(0, 100) == frozenset() and album.due(1, 7) == {0, 7} and album.due(3, 0) == {0}
    assert len(album.due(32, 496)) >= 30


def test_large_pictures_become_small_by_their_means() -> None:
    x = torch.arange(128 * 128, dtype=torch.float32).view(1, 1, 128, 128) / 128**2
    pixels = made_small(Modality("image", (1, 128, 128)), x, 64)
    assert pixels.shape == (1, 1, 64, 64)
    assert np.array_equal(pixels, bytes_of(x.view(1, 1, 64, 2, 64, 2).mean((3, 5))))
    vector = made_small(Modality("vector", (3,)), torch.tensor([[0.0, 3.0, float("nan")]]))
    assert vector.tolist() == [[[[128, 255, 128]]]]


def page(step: int | None, *rows: Row) -> bytes:
    return album.line(Page(step, rows or (Row("samples", "image", np.zeros((1, 1, 2, 2), np.uint8)),)))


def test_what_was_written_is_read_from_any_line_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = (Row("samples", "image", rng.integers(0, 256, (2, 3, 4, 5), np.uint8), note="z[1]"),
            Row("given", "words", words=("a", "ü")))
    lines = [page(None), page(0, *rows), page(5, *rows)]
    (tmp_path / album.FILE).write_bytes(b"".join(lines) + b'{"step":9,"ro')  # which is being written
    found = album.read(tmp_path)
    assert found.given is not None and [each.step for each in found.pages] == [0, 5]
    assert np.array_equal(found.pages[1].rows[0].pixels, rows[0].pixels) and found.pages[1].rows[1] == rows[1]
    assert found.end == sum(map(len, lines))
    rest = album.read(tmp_path, len(lines[0]) + len(lines[1]))
    assert rest.given is None and [each.step for each in rest.pages] == [5] and rest.end == found.end
    assert album.read(tmp_path, 10**9).end == found.end, "cut back since: all anew"
    assert album.read(tmp_path / "nowhere").pages == ()


@pytest.mark.parametrize(("data", "words"), [
    (b'{"step":1}\n', "rows"), (b"[]\n", "no page"), (b'{"step":-1,"rows":[]}\n', "step"),
    (page(5) + page(5), "ascend"), (page(None) + page(None), "ascend"),
    (page(0).replace(b"[1,1,2,2]", b"[1,1,2,3]"), "6 bytes"), (page(0).replace(b"[1,1,2,2]", b"[1,1,1,2]"), "2 bytes"),
    (page(0).replace(b"[1,1,2,2]", b"[64,4,4096,4096]"), "numbers"), (page(0).replace(b"samples", b"<script>"), "kind"),
    (page(0).replace(b'"pixels":"eJ', b'"pixels":"!!'), "damaged"),
    (b'{"step":0,"rows":[{"kind":"given","modality":"a","words":["' + b"x" * 301 + b'"]}]}\n', "words"),
    (b" " * (album.MAX_LINE_BYTES + 1) + b"\n", "bytes"), (b"".join(map(page, range(251))), "lines")])
def test_what_is_no_such_file_is_refused_in_words_here_and_in_a_zip(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / album.FILE).write_bytes(data)
    with pytest.raises(BrokenFile, match=words):
        album.read(tmp_path)
    part = part_of(album.FILE)
    assert part is not None and part.most == album.MAX_ALBUM_BYTES
    with pytest.raises(BrokenFile, match=words):
        part.check(tmp_path / album.FILE)
