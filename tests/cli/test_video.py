"""`vaecore rollout` and the evaluation of clips: what they print and save, and what they say of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.cli.test_cli import call, refused, said
from tests.explore import clip_runs
from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    for name in ("lp", "one", "states"):
        clip_runs.make(root, name)
    return root


def test_scores_are_those_of_the_model(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts: Any = said(capsys, "rollout", "lp", "--clip", "1", "--context", "4", "--futures", "6", "--seed", "3",
                      "--store", str(store))
    found = VideoCheckpoint.load(Store(store).find("lp"))
    clip = found.clip(1)
    frames = torch.cat([chunk.frames for chunk in found.roll(found.past(clip, 4), 6, 6, 3)])[:, :5]
    psnr = -10 * np.log10((frames - clip[4:]).square().flatten(2).mean(2).numpy())
    assert (facts["context"], facts["horizon"], facts["futures"], facts["rate"]) == (4, 6, 6, 10)
    assert facts["events"] == [clip_runs.BOUNCE] and facts["branch"] is None and facts["clip"] == 1
    assert facts["scores"]["psnr"]["best"] == int(psnr.mean(1).argmax())
    np.testing.assert_allclose(facts["scores"]["psnr"]["mean_by_frame"], psnr.mean(0), rtol=1e-4)
    assert len(facts["kl_by_frame"]) == len(facts["prior_sd_by_frame"]) == 8 and len(facts["diversity"]) == 6


def test_a_branch_ends_where_the_clip_did(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts: Any = said(capsys, "rollout", "lp", "--futures", "2", "--branch-at", "5", "--branch-future", "1",
                      "--store", str(store))
    assert (facts["context"], facts["horizon"], facts["branch"]) == (6, 3, {"at": 5, "future": 1})
    assert facts["scores"] == {}, "nobody knows what would have followed"
    facts = said(capsys, "rollout", "lp", "--futures", "2", "--branch-at", "5", "--store", str(store))
    assert (facts["context"], facts["horizon"]) == (6, 3)
    assert len(facts["scores"]["psnr"]["mean_by_frame"]) == 3, "the true clip goes on"
    facts = said(capsys, "rollout", "lp", "--futures", "2", "--branch-at", "1", "--branch-future", "1",
                 "--store", str(store))
    assert (facts["context"], len(facts["scores"]["psnr"]["mean_by_frame"])) == (2, 7), "no future had begun there"


def test_it_goes_on_where_the_truth_ends(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts: Any = said(capsys, "rollout", "states", "--horizon", "40", "--futures", "2", "--store", str(store))
    assert facts["horizon"] == 40 and len(facts["scores"]["error"]["mean_by_frame"]) == 6
    assert call(["rollout", "one", "--store", str(store)]) == 0
    captured = capsys.readouterr()
    assert "1 future, seed 0" in captured.out and "PSNR" in captured.out and "one future" in captured.err


@pytest.mark.parametrize("ending", [".gif", ".png", ".mp4"])
def test_what_is_saved_can_be_opened(store: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"clip{ending}"
    assert call(["rollout", "states" if ending == ".png" else "lp", "--futures", "3", "--out", str(path),
                 "--store", str(store)]) == 0
    if ending == ".mp4":
        assert path.read_bytes()[4:8] == b"ftyp"
    else:
        with Image.open(path) as image:
            assert getattr(image, "n_frames", 1) == (9 if ending == ".gif" else 1)


def test_all_frames_as_an_array(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.npz"
    assert call(["rollout", "lp", "--futures", "4", "--out", str(path), "--store", str(store)]) == 0
    with np.load(path) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
        assert arrays["futures"].dtype == np.uint8
        np.testing.assert_array_equal(arrays["past"], clip_runs.clips("lp")[0, :3].numpy())
    assert shapes == {"past": (3, 1, 16, 16), "futures": (4, 6, 1, 16, 16), "truth": (6, 1, 16, 16)}


def test_a_clip_of_ones_own(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.gif"
    frames = [Image.new("L", (40, 20), 40 * t) for t in range(5)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)
    facts: Any = said(capsys, "rollout", "lp", "--file", str(path), "--futures", "2", "--store", str(store))
    assert facts["rate"] == 20 and len(facts["scores"]["psnr"]["mean_by_frame"]) == 2 and facts["clip"] is None
    frames[0].save(path, save_all=True, append_images=frames[1:2])
    assert "this clip has 2" in refused(capsys, "rollout", "lp", "--file", str(path), "--store", str(store))
    frames[0].save(path)
    assert "one frame" in refused(capsys, "rollout", "lp", "--file", str(path), "--store", str(store))


@pytest.mark.parametrize(("arguments", "words"), [
    (["lp", "--horizon", "10000"], "horizon: 10,000 frames"), (["lp", "--futures", "1001"], "Use 1 to 1000"),
    (["lp", "--horizon", "0"], "Use 1 to 500"), (["lp", "--clip", "7"], "keeps 3 test clips"),
    (["lp", "--context", "20"], "this clip has 9"), (["lp", "--context", "0"], "Use 1 or more"),
    (["lp", "--seed", "-1"], "seed"), (["lp", "--out", "a.avi"], "--out"),
    (["lp", "--branch-future", "1"], "--branch-at"), (["lp", "--branch-at", "8"], "nothing would be left"),
    (["one", "--branch-at", "4", "--branch-future", "2"], "no such future"),
    (["lp", "--branch-at", "4", "--branch-future", "5000"], "--branch-future: there is no such future"),
    (["lp", "--branch-at", "4", "--horizon", "10000"], "horizon: 10,000 frames"),
    (["lp", "--branch-at", "0", "--horizon", "500"], "Use at least 2"),
    (["lp", "--out", "nowhere/a.gif"], "there is no folder 'nowhere'"),
    (["states", "--file", "a.gif"], "test clip with --clip"), (["lp", "--clip", "0", "--file", "a.gif"], "Leave one"),
    (["lp", "--file", "nowhere.gif"], "nowhere.gif"),
    (["lp", "--futures", "1000", "--horizon", "500", "--context", "1", "--out", "a.npz"], None)])
def test_what_is_wrong_is_told(store: Path, arguments: list[str], words: str | None, tmp_path: Path,
                               monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    if words is None:  # 128 MB of small frames are still fine; a bound of less is not
        monkeypatch.setattr("vaecore.cli.video.MAX_ARRAY_BYTES", 2**20)
        words = "at most 1,048,576 bytes"
    told = refused(capsys, "rollout", *arguments, "--store", str(store))
    assert words in told and not list(tmp_path.iterdir())


def test_an_evaluation_prints_what_is_of_clips(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["evaluate", "states", "--parts", "video,probe", "--futures", "3", "--video-clips", "2", "--horizon",
                 "4", "--store", str(store)]) == 0
    told = capsys.readouterr().out
    assert "best of 3" in told and "of 2 clips, 3 frames given, 4 predicted" in told and "  ELBO " in told
    assert "squared error, last frame" in told and "of copying the last frame given" in told
    assert "AUC of prior's sd" in told and "roll-out" in told and "Linear probe does not apply" in told
