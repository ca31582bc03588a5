"""C23: one code a clip suffices where the direction is drawn once, and not where it is drawn at each bounce (SV2P)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vaecore.config import RunConfig, changed, preset
from vaecore.data.moving_shape import MovingShape
from vaecore.evaluate.picture_metrics import squared_error_by_frame
from vaecore.evaluate.video import evaluate_video, expected_best
from vaecore.models.video.rollout import rolled
from vaecore.models.video.shared import VideoFamily
from vaecore.probability.intervals import Interval, by_seed, over_seeds, paired
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import scaled

SEEDS = (0, 1, 2)
ONCE, BOUNCE = 1.2, 1.5  # the ratio of errors at most where the direction is drawn once, at least where at each bounce
FUTURES = 100
FEWER = 20  # of these, for a second look
CLIPS = 64
LONGER = 16  # frames of the clips on which futures longer than those of training are judged
TURNS = ("once", "bounce")
LATENTS = ("invariant", "variant")
# One frame is given, so that the first direction is unknown too; frames of 16 pixels and few channels take minutes.
SETTINGS = ("data.name=moving-shape", "data.size=16", "data.speed=2", "data.frames=8", "data.test_frames=8",
            f"data.test_clips={CLIPS}", "data.clips=6400", "model.context=1", "model.channels=4", "model.kernels=6",
            "model.feeding.kind=teacher-forcing", "training.epochs=4", "training.batch_size=32",
            "training.learning_rate=0.004", "training.snapshots=0", "training.checkpoints=0")


def configuration(turns: str, latent: str, settings: Sequence[str] = ()) -> RunConfig:
    """SV2P as in its presets, smaller, on a shape that moves in a direction drawn once or at every wall."""
    return changed(preset("sv2p-variant-moving-mnist"), [
        *SETTINGS, f"data.turns={turns}", f"model.latent={latent}", *settings])


def row(bench: Bench, turns: str, latent: str, done: Run) -> Row:
    """Squared error of the best futures of test clips, their bound, and how far futures are apart.

    The error is over as many frames as in training, and over later ones.
    """
    model, config = load_model(done.path), done.config()
    assert isinstance(model, VideoFamily) and isinstance(config.data, MovingShape)
    model.eval()
    length = config.data.frames
    clips, longer = (scaled(torch.from_numpy(data.load().splits["test"].arrays[model.modality][:CLIPS])).float()
                     for data in (config.data, config.data.model_copy(update={"test_frames": LONGER})))
    errors = errors_of(model, clips, model.context)
    bench.check()
    later = errors_of(model, longer, length)
    bench.check()
    found = evaluate_video(model, clips, futures=FEWER, progress=lambda *_: bench.check())
    return {"direction drawn": turns, "code": latent, f"error, best of {FUTURES}": _mean(errors, FUTURES),
            f"error, best of {FEWER}": _mean(errors, FEWER), "error of one": _mean(errors, 1),
            f"later frames, best of {FUTURES}": _mean(later, FUTURES), "later frames, one": _mean(later, 1),
            "difference of two futures": float(np.mean(found.diversity)), "KL a clip": found.bound.kl * (length - 1),
            "-ELBO a frame": found.bound.neg_elbo}


def errors_of(model: VideoFamily, clips: Tensor, start: int) -> Tensor:
    """Mean squared error (B, N) of futures of clips (B, T, *frame) from frame `start` on; the context is given."""
    true = clips[:, start:]
    return torch.cat([squared_error_by_frame(part.frames[:, :, start - model.context:], true) for _, part in rolled(
        model, clips[:, :model.context], clips.shape[1] - model.context, FUTURES, seed=0)], 1).mean(2)


def run(bench: Bench) -> Finding:
    """Both codes on both kinds of clips, for every seed."""
    return finding([{"seed": seed, **row(bench, turns, latent, bench.train(
        f"{turns}-{latent}-{seed}", configuration(turns, latent, [f"seed={seed}"])))}
        for seed in SEEDS for turns in TURNS for latent in LATENTS])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the table; raises `ValueError` where the codes are not of the same seeds."""
    def logs(turns: str, latent: str, column: str) -> dict[int, float]:
        return {seed: math.log(value)
                for seed, value in by_seed(table, column, direction_drawn=turns, code=latent).items()}

    def ratio(turns: str, column: str = f"error, best of {FUTURES}") -> Interval:
        """The logarithm of errors with one code a clip over those with one a frame."""
        one, each = (logs(turns, latent, column) for latent in LATENTS)
        return paired(one, each)

    def words(log: Interval) -> str:
        """A ratio with the ends of its interval, which is of the logarithm."""
        ends = f" [{math.exp(log.low):.2f}, {math.exp(log.high):.2f}]" if math.isfinite(log.half) else " (one seed)"
        return f"{math.exp(log.mean):.2f}{ends}"

    once, bounce = map(ratio, TURNS)
    fewer = [words(ratio(turns, f"error, best of {FEWER}")) for turns in TURNS]
    later = [words(ratio(turns, f"later frames, best of {FUTURES}")) for turns in TURNS]
    kl = {turns: " and ".join(over_seeds(list(by_seed(table, "KL a clip", direction_drawn=turns, code=latent).values())
                                         ).words(".1f") for latent in LATENTS) for turns in TURNS}
    holds = {"that one code a clip suffices where the direction is drawn once": once.high <= math.log(ONCE),
             "that a code a frame is needed where at each bounce": bounce.low >= math.log(BOUNCE)}
    refuted = "; ".join(sentence for sentence, held in holds.items() if not held)
    return Finding(
        all(holds.values()),
        f"Squared error of the best of {FUTURES} futures, one code a clip over one a frame: {words(once)} where the "
        f"direction is drawn once, {words(bounce)} where at each bounce (best of {FEWER}: {fewer[0]} and {fewer[1]}; "
        f"of frames beyond the length of training {later[0]} and {later[1]}). The KL is {kl['once']} nats a clip where "
        f"once, {kl['bounce']} where at each bounce." + (f" Not shown: {refuted}." if refuted else ""),
        list(table),
        note="SV2P's posterior is the same density for every frame, also of a code for each: it sees the whole clip "
             "and not which frame it is for, so that a code a frame tells the generator no more of the clip than one "
             "code does. Only the draws of the prior, and what the KL costs, differ; one code can hold the turns of a "
             "whole clip of the length it was trained on. The floor of the posterior's log-variance is smooth, other "
             "than published. Small networks, trained for minutes.",
        intervals={"log ratio of errors, drawn once": once, "log ratio of errors, at each bounce": bounce})


STUDY = Study(
    "C23", "One code a clip, or one a bounce",
    "Ours: a time-invariant code suffices where a clip's direction is drawn once; where it is drawn anew at each "
    "bounce, a code for each frame is needed.",
    "Ours, after Babaeizadeh et al. (2017), SV2P; lecture, equations (28) and (30)",
    "SV2P with one code a clip and with one a frame, on a shape that moves in one of four directions, of 16 x 16 "
    f"pixels and 8 frames, of which one is given; best of {FUTURES} futures of {CLIPS} test clips; {len(SEEDS)} seeds.",
    f"With 95 % intervals over seeds, squared error of the best of {FUTURES}, one code a clip over one a frame: at "
    f"most {ONCE:g} where the direction is drawn once, and at least {BOUNCE:g} where it is drawn at each bounce.",
    8.7, run)


def _mean(errors: Tensor, futures: int) -> float:
    """The expected best of so many, averaged over clips."""
    return float(expected_best(errors, futures, largest=False).mean())
