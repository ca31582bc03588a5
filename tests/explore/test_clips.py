"""What a model of clips is asked on the page: futures, branches, scores, pictures, files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.explore import clip_runs
from vaecore.explore.clips import films
from vaecore.explore.clips.checkpoint import VideoCheckpoint
from vaecore.explore.clips.films import Strip, contact_sheet, gif, mp4
from vaecore.explore.clips.scoring import Gathered
from vaecore.explore.clips.states import draw_states
from vaecore.lab.previews import write_preview
from vaecore.schema import ConfigError
from vaecore.store import Run, Store
from vaecore.training.checkpoints import BrokenCheckpoint


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("store")
    for name in ("lp", "fp", "one", "states", "sv2p"):
        clip_runs.make(root, name)
    return Store(root)


@pytest.fixture(scope="module")
def lp(store: Store) -> VideoCheckpoint:
    return VideoCheckpoint.load(store.find("lp"))


def opened(store: Store, name: str) -> VideoCheckpoint:
    return VideoCheckpoint.load(store.find(name))


# -- what it is ------------------------------------------------------------------------------------


def test_what_a_checkpoint_is(lp: VideoCheckpoint, store: Store) -> None:
    assert (lp.count, lp.length, lp.learned, lp.context, lp.horizon, lp.size) == (3, 9, 6, 3, 6, 3)
    assert lp.title(1) == "Clip 1 · 9 frames, 1 unforeseen move" and lp.events_of(2) == [clip_runs.BOUNCE]
    assert lp.stochastic and lp.learned_prior and not lp.one_code and lp.metrics == ("psnr", "ssim")
    assert lp.rate == 10, "nothing says another one"
    assert float(lp.clip(0).max()) == pytest.approx(200 / 255)
    fp, one, states, sv2p = (opened(store, name) for name in ("fp", "one", "states", "sv2p"))
    assert not fp.learned_prior and not one.stochastic and one.size == 0
    assert states.metrics == ("error",) and not states.pixels
    assert sv2p.one_code and sv2p.one_length
    short = VideoCheckpoint(sv2p.run, sv2p.model, sv2p.clips[:, :4])
    assert short.one_code, "though its posterior can read none of these clips"


def test_the_rate_is_that_of_the_data(monkeypatch: pytest.MonkeyPatch, lp: VideoCheckpoint) -> None:
    for told, rate in ((25, 25.0), ("fast", 10.0), (-1, 10.0), (float("nan"), 10.0), (1e9, 10.0)):
        monkeypatch.setattr(Run, "summary", lambda _self, told=told: {"rate": told})
        lp.__dict__.pop("rate", None)  # it is kept
        assert lp.rate == rate


@pytest.mark.parametrize(("tensors", "words"), [
    ({"frames": torch.zeros(2, 9, 1, 8, 8, dtype=torch.uint8)}, "clips of shape"),
    ({"frames": torch.zeros(2, 1, 1, 16, 16, dtype=torch.uint8)}, "clips of 1 frames"),
    ({"frames": torch.zeros(2, 9, 1, 16, 16)}, "no frames"),
    ({"frames": torch.tensor(1, dtype=torch.uint8)}, "cannot be used"),
    ({"frames": torch.zeros(2, 9, 1, 16, 16, dtype=torch.uint8), "events": torch.tensor(True)}, "cannot be used"),
    ({"image": torch.zeros(2, 9, 1, 16, 16, dtype=torch.uint8)}, "cannot be used"), (None, "cannot be used")])
def test_damaged_examples_say_so(tmp_path: Path, tensors: dict[str, torch.Tensor] | None, words: str) -> None:
    run = clip_runs.make(tmp_path, "lp")
    path = run.path / "examples.safetensors"
    path.write_bytes(b"none") if tensors is None else save_file(tensors, path)
    with pytest.raises(BrokenCheckpoint, match=words):
        VideoCheckpoint.load(run)


# -- futures ---------------------------------------------------------------------------------------


def test_futures_of_a_seed_are_always_the_same(lp: VideoCheckpoint) -> None:
    past = lp.past(lp.clip(0))
    ten, three = (torch.cat([chunk.frames for chunk in lp.roll(past, futures=n, seed=4)]) for n in (10, 3))
    assert ten.shape == (10, 6, 1, 16, 16)
    torch.testing.assert_close(ten[:3], three)
    torch.testing.assert_close(lp.future(past, seed=4, number=8), ten[8])
    longer = next(lp.roll(past, 20, 1, seed=4)).frames
    torch.testing.assert_close(longer[0, :6], ten[0])
    other = next(lp.roll(past, futures=1, seed=5))
    assert not torch.allclose(other.frames[0], ten[0])
    assert other.codes is not None and other.codes.shape == (1, 6, 3) and other.first == 0


def test_another_checkpoint_gets_the_same_noise(lp: VideoCheckpoint, store: Store,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.Tensor] = []
    for found in (lp, opened(store, "fp")):
        roll_out = found.model.roll_out
        with monkeypatch.context() as patch:
            patch.setattr(found.model, "roll_out", lambda past, horizon, noise, *rest, roll_out=roll_out:
                          (given.append(noise), roll_out(past, horizon, noise, *rest))[1])
            next(found.roll(found.past(found.clip(0)), seed=3))
    assert (given[0].shape[2], given[1].shape[2]) == (3, 5)
    torch.testing.assert_close(given[0], given[1][..., :3])


def test_a_branch_keeps_what_was_and_draws_the_rest_anew(lp: VideoCheckpoint) -> None:
    past = lp.past(lp.clip(0))
    future = lp.future(past, seed=1, number=2)
    kept = lp.branch(past, future, 5)
    torch.testing.assert_close(kept, torch.cat([past, future[:3]]))
    torch.testing.assert_close(lp.branch(past, future, 0), past[:1])
    [chunk] = lp.roll(kept, 3, 1, seed=9)
    assert chunk.frames.shape == (1, 3, 1, 16, 16) and not torch.allclose(chunk.frames[0], future[3:])
    with pytest.raises(ConfigError, match="0 to 8"):
        lp.branch(past, future, 9)


def test_moving_through_the_one_code_of_a_clip(store: Store) -> None:
    sv2p = opened(store, "sv2p")
    past = sv2p.past(sv2p.clip(0))
    found = sv2p.traverse(past, 4, 1, [-2.0, 0.0, 2.0])
    zero = sv2p.model.roll_out(past[None], 4, torch.zeros(1, 4, sv2p.size)).frames[0, 0]
    assert found.shape == (3, 4, 1, 16, 16)
    torch.testing.assert_close(found[1], zero)
    assert not torch.allclose(found[0], found[2])
    with pytest.raises(ConfigError, match="Use 0 to 3"):
        sv2p.traverse(past, 4, 4, [0.0])


@pytest.mark.parametrize(("field", "value", "remedy"), [
    ("horizon", 10_000, "1 to 500"), ("horizon", 0, "1 to 500"), ("futures", 1001, "1 to 1000"),
    ("futures", 0, "1 to 1000"), ("seed", -1, "0 to 2,147,483,647")])
def test_limits_are_told_at_once(lp: VideoCheckpoint, field: str, value: int, remedy: str) -> None:
    with pytest.raises(ConfigError) as error:
        lp.roll(lp.past(lp.clip(0)), **{field: value})
    [problem] = error.value.problems
    assert (problem.field, problem.value) == (field, value) and remedy in problem.remedy


def test_clips_that_do_not_fit_are_told(lp: VideoCheckpoint) -> None:
    with pytest.raises(ConfigError, match="keeps 3 test clips"):
        lp.clip(3)
    with pytest.raises(ConfigError, match="this clip has 2") as error:
        lp.past(lp.clip(0)[:2])
    assert "context" in str(error.value) and "at most 2" in str(error.value)
    with pytest.raises(ConfigError, match="one frame"):
        lp.reconstruction(lp.clip(0)[:1])
    with pytest.raises(ConfigError, match="do not fit"):
        lp.given(np.zeros((5, 1, 8, 8), np.uint8))
    with pytest.raises(ConfigError, match="do not fit"):
        lp.given(np.zeros((5, 1, 16, 16), np.float32))
    colours = np.zeros((5, 3, 16, 16), np.uint8)
    colours[:, 1] = 255
    assert float(lp.given(colours).mean()) == pytest.approx(150 / 255)


# -- a whole clip ----------------------------------------------------------------------------------


def test_of_true_frames(lp: VideoCheckpoint, store: Store) -> None:
    clip = lp.clip(0)
    assert lp.reconstruction(clip).shape == (8, 1, 16, 16) and lp.kl_per_frame(clip).shape == (8,)
    sd = lp.prior_sd(clip)
    assert sd is not None and sd.shape == (8,) and (sd > 0).all()
    torch.testing.assert_close(lp.prior_sd(clip[:4]), sd[:3])  # it has read what is before, and nothing else
    fp, sv2p, one = (opened(store, name) for name in ("fp", "sv2p", "one"))
    assert fp.prior_sd(clip) is None and one.kl_per_frame(clip).shape == (0,)
    assert sv2p.reconstruction(clip).shape == (5, 1, 16, 16) and sv2p.kl_per_frame(clip).shape == (1,)
    with pytest.raises(ConfigError, match="reads clips of 6 frames"):
        sv2p.reconstruction(clip[:4])
    batch = {"frames": clip[None]}
    with torch.inference_mode():
        elbo = float(lp.model.elbo(batch, torch.Generator().manual_seed(0)).elbo())
    bound = lp.bound(clip)
    assert float(bound.log_prob.sum() - bound.kl.sum()) == pytest.approx(elbo, rel=1e-4)


def test_what_is_gathered_of_futures(lp: VideoCheckpoint) -> None:
    clip = lp.clip(0)
    past = lp.past(clip)
    gathered = Gathered(lp, clip[3:7], clip[2], keep=2)  # of 6 predicted frames 4 are known
    chunks = list(lp.roll(past, 6, 7, seed=2))
    for chunk in chunks:
        gathered.add(chunk)
    frames = torch.cat([chunk.frames for chunk in chunks])
    assert gathered.count == 7 and len(gathered.kept) == len(gathered.prior_sd) == 2
    torch.testing.assert_close(torch.stack(gathered.kept), frames[:2])
    torch.testing.assert_close(gathered.mean, frames.mean(0))
    torch.testing.assert_close(gathered.std, frames.std(0))
    scores = gathered.scores
    assert set(scores) == {"psnr", "ssim"} and scores["psnr"].values.shape == (7, 4)
    error = (frames[:, :4] - clip[3:7]).square().flatten(2).mean(2)
    np.testing.assert_allclose(scores["psnr"].values, -10 * np.log10(error.numpy()), rtol=1e-4)
    best = scores["psnr"].best
    assert best == int(scores["psnr"].values.mean(1).argmax()) == gathered.best["psnr"][0]
    torch.testing.assert_close(gathered.best["psnr"][1], frames[best])
    assert (scores["psnr"].low <= scores["psnr"].mean).all() and (scores["psnr"].mean <= scores["psnr"].high).all()
    unknown = Gathered(lp, clip[9:], clip[8])
    unknown.add(chunks[0])
    assert unknown.scores == {} and unknown.best == {} and len(unknown.diversity) == 6


# -- pictures and files ----------------------------------------------------------------------------


def test_pictures(lp: VideoCheckpoint, store: Store) -> None:
    np.testing.assert_array_equal(lp.pictures(lp.clip(0)), lp.clips[0].numpy())
    spread = lp.spread_pictures(torch.full((2, 1, 16, 16), 0.5))
    assert spread.shape == (2, 1, 16, 16) and (spread == 255).all()
    states = opened(store, "states")
    assert states.pictures(states.clip(0)).shape == (9, 3, 64, 64)


def test_states_are_discs_where_they_are() -> None:
    [picture] = draw_states(np.array([[0.0, 1.0, 1.0, 0.0]]))  # (y, x): one at the upper right, one at the lower left
    rows, columns = np.nonzero(picture[2] == 255)
    assert rows.mean() < 16 and columns.mean() > 48, "the first disc is white"
    blue = (picture[0] == 255) & (picture[2] == 60)
    rows, columns = np.nonzero(blue)
    assert rows.mean() > 48 and columns.mean() < 16
    assert draw_states(np.full((2, 3, 4), np.nan)).shape == (2, 3, 3, 64, 64)
    assert draw_states(np.full((1, 2), 1e30)).max() == 0, "far outside there is nothing to see"


def tracks() -> list[Strip]:
    moving = np.zeros((6, 1, 16, 16), np.uint8)
    for t in range(6):
        moving[t, :, 4:8, t:t + 4] = 255
    return [Strip("truth", moving), Strip("future", moving[:4].repeat(3, 1), start=1)]


def test_a_gif_has_all_frames_at_their_rate() -> None:
    with Image.open(io.BytesIO(gif(tracks(), rate=10, context=2, scale=2))) as image:
        assert image.n_frames == 6 and image.info["duration"] == 100 and image.info["loop"] == 0
        assert image.size == (2 * 2 * 20, 2 * 20)
        first = np.asarray(image.convert("RGB"))
        image.seek(3)
        later = np.asarray(image.convert("RGB"))
    assert first[0, 0, 0] > 200 and later[0, 0, 0] < 60, "what was given has a border"
    assert later[2 * (2 + 5), 2 * (2 + 4)].tolist() == [255, 255, 255]
    assert later[2 * (2 + 5), 2 * (2 + 12)].tolist() == [0, 0, 0]
    shortest = Image.open(io.BytesIO(gif(tracks(), rate=200)))
    assert shortest.info["duration"] == 20


def test_a_long_gif_is_made_smaller_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films, "MAX_FILM_PIXELS", 6 * 40 * 20 * 3**2)
    with Image.open(io.BytesIO(gif(tracks(), rate=10))) as image:
        assert image.size == (3 * 40, 3 * 20) and image.n_frames == 6
    with pytest.raises(ValueError, match="scale of at most 3, or save an MP4"):
        gif(tracks(), rate=10, scale=4)
    monkeypatch.setattr(films, "MAX_FILM_PIXELS", 1_000)
    with pytest.raises(ValueError, match="Choose fewer clips, or save an MP4"):
        gif(tracks(), rate=10)


def test_an_mp4_can_be_read_again() -> None:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(mp4(tracks()[:1], rate=12.5, scale=1))) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == 12.5
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
    assert len(frames) == 6 and frames[0].shape == (20, 20)
    assert frames[5][2 + 6, 2 + 7] > 200 and frames[5][2 + 12, 2 + 12] < 60


def test_a_contact_sheet_has_a_column_a_frame() -> None:
    sheet = Image.open(io.BytesIO(contact_sheet([Strip("", tracks()[0].frames)], context=2, columns=6, width=120)))
    assert sheet.size == (6 * 20, 20)
    border = np.asarray(sheet)[0, ::20]
    assert (border[:2] == border[0]).all() and (border[2:] != border[0]).any()
    titled = Image.open(io.BytesIO(contact_sheet(tracks(), columns=3, width=400)))
    assert titled.width > 3 * 20 and titled.height > 2 * 20


@pytest.mark.parametrize(("strips", "rate", "words"), [
    ([], 10, "no frame to save"), ([Strip("", np.zeros((0, 1, 4, 4), np.uint8))], 10, "no frame to save"),
    ([Strip("a", np.zeros((2, 2, 4, 4), np.uint8))], 10, "uint8 \\(T, C, H, W\\)"),
    ([Strip("a", np.zeros((2, 1, 4, 4), np.uint8))], 0, "cannot be played"),
    ([Strip("a", np.zeros((2, 1, 4, 4), np.uint8), start=2000)], 10, "at most 1,000")])
def test_what_cannot_be_saved_says_why(strips: list[Strip], rate: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gif(strips, rate=rate)


@pytest.mark.parametrize("name", ["lp", "one", "states"])
def test_a_preview_shows_the_clip_over_its_futures(store: Store, name: str) -> None:
    run = store.find(name)
    write_preview(VideoCheckpoint.load(run))
    with Image.open(run.path / "preview.png") as image:
        side, rows = (68, 4) if name == "states" else (20, 2 if name == "one" else 4)
        scale = image.width // (9 * side)
        assert image.size == (9 * side * scale, rows * side * scale)


def test_copying_the_last_frame_is_scored_beside_the_futures(lp: VideoCheckpoint) -> None:
    clip = lp.clip(0)
    gathered = Gathered(lp, clip[3:7], clip[2])
    error = (clip[3:7] - clip[2]).square().flatten(1).mean(1)
    np.testing.assert_allclose(gathered.copied["psnr"], -10 * np.log10(error.numpy()), rtol=1e-5)
    assert Gathered(lp, clip[9:], clip[8]).copied == {}
