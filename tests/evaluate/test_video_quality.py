"""Scores of predicted clips against what they must be, and evaluations of clips."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.explore import clip_runs
from vaecore.evaluate import picture_metrics
from vaecore.evaluate.likelihood import Cancelled
from vaecore.evaluate.parts import PARTS
from vaecore.evaluate.picture_metrics import edge_energy, psnr_by_frame, squared_error_by_frame, ssim, ssim_by_frame
from vaecore.evaluate.report import evaluate_run
from vaecore.evaluate.settings import Settings
from vaecore.evaluate.video import Spread, auc, best_of, clustered_error, counts_up_to, evaluate_video, expected_best
from vaecore.models.video import rollout
from vaecore.models.video.rollout import noise, rolled
from vaecore.models.video.shared import RollOut


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# -- frames ----------------------------------------------------------------------------------------


def test_psnr_is_of_each_frame_and_has_a_cap() -> None:
    true = torch.full((1, 2, 1, 4, 4), 0.5)
    predicted = true[:, None].repeat(1, 3, 1, 1, 1, 1)
    predicted[:, 1, 0] += 0.1
    predicted[:, 2] += 0.01
    found = psnr_by_frame(predicted, true)
    torch.testing.assert_close(found, torch.tensor([[[100.0, 100], [20, 100], [40, 40]]]), atol=1e-3, rtol=0)
    assert float(squared_error_by_frame(predicted, true)[0, 1, 0]) == pytest.approx(0.01)
    # The mean of PSNR is not the PSNR of the mean error: 20 and 40 dB are 30, their mean error gives 23.
    assert float(found[0, 1:, 0].mean()) == pytest.approx(30, abs=1e-3)


def test_ssim_of_a_frame_is_that_of_the_picture() -> None:
    true = drawn(2, 3, 3, 20, 13)
    predicted = (drawn(2, 4, 3, 3, 20, 13, seed=1) + 2 * true[:, None]) / 3
    expected = ssim(predicted[1, 2], true[1])
    assert expected is not None
    torch.testing.assert_close(ssim_by_frame(predicted, true)[1, 2], expected)


def test_ssim_of_equal_frames_is_one_and_small_frames_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    true = drawn(1, 3, 1, 12, 11)
    predicted = torch.cat([true[:, None], drawn(1, 4, 3, 1, 12, 11, seed=1)], 1)
    whole = ssim_by_frame(predicted, true)
    torch.testing.assert_close(whole[:, 0], torch.ones(1, 3))
    monkeypatch.setattr(picture_metrics, "COMPARED", 1)
    torch.testing.assert_close(ssim_by_frame(predicted, true), whole)
    with pytest.raises(ValueError, match="at least 11 x 11"):
        ssim_by_frame(predicted[..., :10], true[..., :10])
    with pytest.raises(ValueError, match=r"\(B, N, H, \*frame\)"):
        ssim_by_frame(predicted[:, :, :2], true)


def test_blur_takes_edge_energy_away() -> None:
    sharp = torch.zeros(1, 8, 8)
    sharp[:, :, 4:] = 1
    assert float(edge_energy(sharp)) == pytest.approx(8 / (2 * 7 * 8))  # one step of 1 in each row
    blurred = sharp.clone()
    blurred[:, :, 3:5] = 0.5
    assert float(edge_energy(blurred)) == pytest.approx(4 / (2 * 7 * 8))  # two of a half


# -- many futures ----------------------------------------------------------------------------------


def test_the_expected_best_is_the_mean_over_all_choices() -> None:
    values = drawn(2, 6).double()
    for n in range(1, 7):
        for largest, pick in ((True, max), (False, min)):
            expected = [np.mean([pick(choice) for choice in combinations(row, n)]) for row in values.tolist()]
            assert expected_best(values, n, largest=largest).tolist() == pytest.approx(expected)
    torch.testing.assert_close(expected_best(values.flip(1), 3), expected_best(values, 3))
    assert float(expected_best(drawn(1000).double(), 500)) <= 1  # large numbers of choices do not overflow
    with pytest.raises(ValueError, match="Use 1 to 6"):
        expected_best(values, 7)
    assert (counts_up_to(1), counts_up_to(7), counts_up_to(10)) == ([1], [1, 2, 5, 7], [1, 2, 5, 10])


def test_the_best_future_is_that_of_the_best_mean() -> None:
    values = torch.tensor([[[9.0, 0, 0], [4, 4, 4], [1, 1, 9]]])
    number, curve = best_of(values)
    assert (int(number), curve.tolist()) == (1, [[4, 4, 4]])
    number, curve = best_of(values, largest=False)
    assert (int(number), curve.tolist()) == (0, [[9, 0, 0]])


def test_spread_is_that_of_all_futures_whatever_the_chunks() -> None:
    futures = drawn(2, 7, 3, 1, 4, 4) + 5
    spread = Spread()
    for part in torch.split(futures, [1, 4, 2], dim=1):
        spread.add(part)
    torch.testing.assert_close(spread.mean.float(), futures.mean(1))
    torch.testing.assert_close(spread.std.float(), futures.std(1))
    pairs = torch.stack([(futures[:, a] - futures[:, b]).square().flatten(2).mean(2)
                         for a, b in combinations(range(7), 2)]).mean(0).sqrt()
    torch.testing.assert_close(spread.diversity.float(), pairs)
    alone = Spread()
    alone.add(futures[:, :1])
    assert float(alone.std.max()) == float(alone.diversity.max()) == 0


def test_auc_counts_pairs_and_ties_half() -> None:
    events = np.array([True, False, True, False])
    assert auc(np.array([3.0, 1, 2, 2]), events) == pytest.approx(3.5 / 4)
    assert auc(np.array([0.0, 1, 0, 1]), events) == 0
    assert auc(np.zeros(4), events) == 0.5
    assert auc(np.arange(4.0), np.zeros(4, bool)) is None


# -- rolling out -----------------------------------------------------------------------------------


def test_noise_is_that_of_seed_and_number_only() -> None:
    few, many = noise(3, range(2), 4, 5), noise(3, range(30), 9, 40)
    torch.testing.assert_close(many[:2, :4, :5], few)
    torch.testing.assert_close(noise(3, [7], 4, 20), many[7:8, :4, :20])
    assert not torch.equal(noise(4, range(2), 4, 5), few)
    flat = many.flatten()
    assert abs(float(flat.mean())) < 0.04 and float(flat.std()) == pytest.approx(1, abs=0.04)
    assert float(torch.corrcoef(many[:2].flatten(1)).abs()[0, 1]) < 0.2


@pytest.mark.parametrize("name", ["lp", "sv2p", "pixels"])
def test_futures_do_not_depend_on_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = clip_runs.model(name)
    past = clip_runs.clips(name)[:2, :3].float() / 255

    def futures(count: int, start: int = 0) -> Tensor:
        chunks = list(rolled(model, past, 1, count, seed=1, start=start))
        assert [number for number, _ in chunks] == [
            start + sum(chunk.frames.shape[1] for _, chunk in chunks[:place]) for place in range(len(chunks))]
        assert chunks[0][1].frames.shape[1] == 1 or start
        return torch.cat([chunk.frames for _, chunk in chunks], 1)

    twelve = futures(12)
    assert twelve.shape == (2, 12, 1, 1, 16, 16)
    torch.testing.assert_close(futures(4), twelve[:, :4])
    torch.testing.assert_close(futures(7, start=6), twelve[:, 6:7])
    if name != "pixels":
        monkeypatch.setattr(rollout, "MAX_FUTURES_AT_ONCE", 3)
        torch.testing.assert_close(futures(12), twelve)


def test_a_model_without_noise_has_one_future() -> None:
    _, model = clip_runs.model("one")
    [(number, chunk)] = rolled(model, clip_runs.clips("one")[:1, :3].float() / 255, 4, 50, seed=0)
    assert number == 0 and chunk.frames.shape == (1, 1, 4, 1, 16, 16) and chunk.codes is None


# -- all of it -------------------------------------------------------------------------------------


def test_an_evaluation_is_the_same_in_chunks_that_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    _, model = clip_runs.model("lp")
    clips = clip_runs.clips("lp", count=3)
    events = np.zeros((3, 9), bool)
    events[:, 5] = True
    whole = evaluate_video(model, clips, events, futures=7, seed=2)
    sizes: list[tuple[int, int]] = []
    roll_out = type(model).roll_out

    def watched(self: object, past: Tensor, horizon: int, drawn: Tensor, generator: torch.Generator | None = None
                ) -> RollOut:
        sizes.append((len(past), len(drawn)))
        found: RollOut = roll_out(self, past, horizon, drawn, generator)
        return found

    monkeypatch.setattr(type(model), "roll_out", watched)
    a_future = rollout.bytes_of_a_future(model, 6)
    monkeypatch.setattr(rollout, "CHUNK_BYTES", 2 * a_future)
    monkeypatch.setattr(rollout, "MAX_FUTURES_AT_ONCE", 2)
    parts = evaluate_video(model, clips, events, futures=7, seed=2)
    assert max(clips * futures for clips, futures in sizes) == 2
    for name in ("psnr", "ssim"):
        a, b = whole.metrics[name], parts.metrics[name]
        assert b.best == pytest.approx(a.best, rel=1e-4) and b.mean == pytest.approx(a.mean, rel=1e-4)
        assert [n for n, _ in a.best_of] == [1, 2, 5, 7]
        assert [v for _, v in a.best_of] == sorted(v for _, v in a.best_of), "more futures have a better best"
        assert a.best_of[-1][1] == pytest.approx(np.mean(a.best), rel=1e-4)
        assert a.best_of[0][1] == pytest.approx(np.mean(a.mean), rel=1e-4)
    assert parts.diversity == pytest.approx(whole.diversity, rel=1e-3) and min(whole.diversity) > 0
    assert (whole.clips, whole.futures, whole.context, whole.horizon, whole.window) == (3, 7, 3, 6, 11)
    assert whole.prior is not None and (whole.prior.events, whole.prior.frames) == (3, 18)
    assert whole.edge_energy is not None and len(whole.edge_energy) == 6
    near = evaluate_video(model, clips, events, futures=2, horizon=2).prior  # frames 3 and 4; the event is frame 5
    assert near is not None and (near.events, near.frames, near.auc) == (0, 6, None)


@pytest.mark.parametrize("name", ["lp", "fp", "one", "states", "sv2p"])
def test_the_bound_by_frame_adds_up_to_the_elbo(name: str) -> None:
    _, model = clip_runs.model(name)
    clips = clip_runs.clips(name, count=2)
    x = clips if clips.is_floating_point() else clips.float() / 255
    single: dict[str, Tensor] = {}
    found = evaluate_video(model, clips, futures=2, each=single.__setitem__)
    assert {name.removeprefix("video."): (len(values), float(values.mean())) for name, values in single.items()} == {
        name: (2, pytest.approx(curves.best_of[-1][1])) for name, curves in found.metrics.items()}
    with torch.inference_mode():
        elbo = model.elbo({"frames": x[:, :6]}, torch.Generator().manual_seed(0))
    assert found.bound.neg_elbo == pytest.approx(-float(elbo.elbo().mean()) / 5, rel=1e-4)
    assert found.bound.kl == pytest.approx(float(elbo.total_kl().mean()) / 5 if name != "one" else 0, rel=1e-4)
    assert found.prior is None, "without events nothing is known"
    if name == "states":
        assert list(found.metrics) == ["error"] and found.edge_energy is None
    if name == "one":
        assert found.futures == 1 and found.diversity == [0] * 6
        assert found.metrics["psnr"].best == found.metrics["psnr"].mean


def test_a_horizon_past_the_end_and_a_cancelled_evaluation() -> None:
    _, model = clip_runs.model("states")
    clips = clip_runs.clips("states")
    with pytest.raises(ValueError, match="horizon of at most 6"):
        evaluate_video(model, clips, horizon=7)
    with pytest.raises(ValueError, match="0 cannot be judged"):
        evaluate_video(model, clips[:, :3])
    with pytest.raises(Cancelled):
        evaluate_video(model, clips, futures=2, cancelled=lambda: True)
    assert evaluate_video(model, clips, futures=2, horizon=2).horizon == 2


@pytest.mark.parametrize("name", ["states", "one"])
def test_an_evaluation_of_a_run(name: str, tmp_path: Path) -> None:
    run = clip_runs.make(tmp_path, name)
    found = evaluate_run(run, Settings(futures=4, video_clips=3, observations=4))
    exact = name == "one"
    assert ("likelihood" in found) == exact
    if exact:
        assert found["likelihood"]["log_likelihood"] == pytest.approx(found["evidence"]["elbo"])
    shown = found["video"]
    assert shown["clips"] == 3 and shown["futures"] == (1 if exact else 4) and shown["horizon"] == 6
    assert all(math.isfinite(value) for each in shown["metrics"].values() for value in each["best"])
    assert shown["seconds"] > 0 and shown["first_seconds"] > 0
    others = set(PARTS) - {"video", *(["likelihood"] if exact else [])}
    assert set(found["not_applicable"]) == others and not found["missing"]
    assert "clips" in found["not_applicable"]["reconstruction"]


# -- what the numbers are held against -------------------------------------------------------------


def still(count: int, frames: int, gap: float) -> Tensor:
    """Clips (count, frames, 1, 16, 16) in which nothing moves until the last frame, which is brighter by `gap`."""
    clips = drawn(count, 1, 1, 16, 16).repeat(1, frames, 1, 1, 1) * (1 - gap)
    clips[:, -1] += gap
    return clips


def test_copying_the_last_frame_stands_beside_each_score() -> None:
    """A model far from the truth looks like a result until one sees what copying the last frame given gets."""
    _, model = clip_runs.model("lp")
    found = evaluate_video(model, still(3, 9, gap=0.1), futures=3)
    psnr = found.metrics["psnr"]
    assert psnr.copied == pytest.approx([100] * 5 + [20], abs=1e-3), "nothing moves; then each pixel is 0.1 off: 20 dB"
    assert max(psnr.mean) < 30, "and this model knows nothing"
    _, states = clip_runs.model("states")
    clips = torch.zeros(2, 9, 4)
    clips[:, 3:] = torch.arange(1, 7).view(1, 6, 1) / 10
    assert evaluate_video(states, clips, futures=2).metrics["error"].copied == pytest.approx(
        [(t / 10)**2 for t in range(1, 7)], rel=1e-4)


def test_the_error_treats_windows_of_one_clip_as_one() -> None:
    """Eight windows of each of four scenes, which agree within a scene: the error is that of four numbers."""
    scenes = drawn(4, seed=3).double()
    values, sources = scenes.repeat_interleave(8), np.repeat(np.arange(4), 8)
    assert clustered_error(values, sources) == pytest.approx(float(scenes.std()) / 2)
    naive = clustered_error(values)
    assert naive == pytest.approx(float(values.std()) / math.sqrt(32)) and naive < 0.4 * float(scenes.std()) / 2
    assert clustered_error(values, np.full(32, 7)) is None, "of one scene nothing can be said"
    assert clustered_error(values, np.arange(32)) == pytest.approx(naive)
    _, model = clip_runs.model("lp")
    clips = clip_runs.clips("lp", count=4)
    clips[2:] = 0  # two windows of one scene, two of another
    found = evaluate_video(model, clips, futures=2, sources=np.array([5, 5, 9, 9]))
    error, apart = found.metrics["psnr"].standard_error, evaluate_video(model, clips, futures=2).metrics["psnr"]
    assert error is not None and apart.standard_error is not None
    assert (found.clips, found.sources) == (4, 2) and error > 1.3 * apart.standard_error
