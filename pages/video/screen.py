"""What the player on Video shows: tracks and charts of one roll-out, or of several checkpoints on the same clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.components import player
from pages.components.player import Chart, Line, Track
from pages.shared import checkpoints
from pages.video.clip_choice import Chosen
from pages.video.futures import Plan, Roll
from vaecore.evaluate.results import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from vaecore.explore.clips.checkpoint import Metric, VideoCheckpoint
    from vaecore.explore.clips.scoring import Gathered, Score

TRUTH, READ, BEST, MEAN, SPREAD = "truth", "reconstruction", "best", "mean", "spread"
TRUTH_HELP = "The clip itself: what the model has to foresee."
READ_HELP = ("Each frame from the true frames before it and its own code, the mean of q(z|x): what the model could say "
             "of a frame that it has seen. Not a prediction.")
AHEAD_HELP = "Each frame from the true frames before it: one frame ahead, again and again."
FUTURE_HELP = "A future drawn by the model: it has seen the frames given, then only its own."
MEAN_HELP = "The mean of all futures, pixel by pixel: where they part it blurs, as a model without a code would."
COPIED = "last frame copied"
COPIED_HELP = (" What copying the last frame given would get is drawn too: where little moves that is hard to beat, "
               "and a model below it has learned no motion.")
EVENT = "unforeseen move"  # a bounce into a new direction, say
SPREAD_HELP = "The standard deviation over all futures, pixel by pixel: black where all agree."
HELP: dict[str, str] = {
    "psnr": "Peak signal-to-noise ratio of each predicted frame against the true one. Higher is better. The band holds "
            "80 % of the futures.",
    "ssim": "Structural similarity of each predicted frame to the true one (window 11, σ 1.5): 1 is the same. The band "
            "holds 80 % of the futures.",
    "error": "Mean squared error of each predicted state. Lower is better. The band holds 80 % of the futures.",
}
SD_HELP = ("Standard deviation of the learned prior of each frame's code, before that frame is seen, averaged over "
           "dimensions. It rises where the model knows that it cannot know: compare with the marks, the moves that "
           "nobody could foresee.")
KL_HELP = ("KL of the code's posterior from its prior, in nats: what the code of a frame costs once the frames before "
           "are known. High where something new happened.")
CODE_KL_HELP = "KL of the one code's posterior from its prior, in nats: what the code of the clip costs."
APART_HELP = "How far two futures are apart: root mean square difference over all pairs and pixels."


# -- what is known of a clip without any future ------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What the model makes of a clip that it has seen, frames 1 .. T-1."""

    pictures: NDArray[np.uint8] | None = None  # (T-1, C, H, W), of its reconstruction
    kl: NDArray[np.float64] | None = None  # (T-1,) in nats; (1,) of one code a clip
    sd: NDArray[np.float64] | None = None  # (T-1,) of the learned prior
    note: str = ""  # why there is nothing


def known(checkpoint: VideoCheckpoint, clip: Chosen) -> Known:
    """The same for a clip that the posterior cannot read is empty, and says why."""
    return _known(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), clip.key, checkpoint, clip.frames)


@st.cache_data(max_entries=32, show_spinner="Reading the clip …")
def _known(path: str, stamps: tuple[int, ...], clip: str,  # noqa: ARG001 (the cache's key)
           _checkpoint: VideoCheckpoint, _frames: Tensor) -> Known:
    from vaecore.schema import ConfigError

    try:
        pictures = _checkpoint.pictures(_checkpoint.reconstruction(_frames))
        kl = _checkpoint.kl_per_frame(_frames)
        return Known(pictures, kl if len(kl) else None, _checkpoint.prior_sd(_frames))
    except ConfigError as error:
        return Known(note=" ".join(f"No reconstruction: {each.message} {each.remedy}" for each in error.problems))


# -- one roll-out --------------------------------------------------------------------------------------


def tracks(checkpoint: VideoCheckpoint, clip: Chosen, seen: Known, plan: Plan, roll: Roll | None, samples: int
           ) -> list[Track]:
    """All clips that there will be, those that are not there yet without frames, so that nothing moves on the page."""
    total, count = plan.total, plan.futures if checkpoint.stochastic else 1
    truth = checkpoint.pictures(clip.frames[:total])
    none = truth[:0]
    shown = [Track(TRUTH, truth, "Truth", "truth", help=TRUTH_HELP, given=None if plan.of_truth else 0)]
    if seen.pictures is not None:
        frames = seen.pictures[:total - 1]
        shown.append(Track(READ, frames, "Reconstruction", "reconstruction", start=1, help=READ_HELP)
                     if checkpoint.model.latents else  # without a code nothing was seen of the frame itself
                     Track(READ, frames, "One frame ahead", "mean", start=1, given=0, help=AHEAD_HELP))
    if roll is None or not roll.count:
        best, futures, mean, spread = none, [none] * samples, none, none[:, :1]
        number = None
    else:
        with roll.looked_at() as gathered:
            found = best_of(gathered)
            number, best = (None, none) if found is None else (found[0], _after(checkpoint, plan, found[1]))
            futures = [_after(checkpoint, plan, each) for each in gathered.kept[:samples]]
            mean = _after(checkpoint, plan, gathered.mean)
            spread = _spread(checkpoint, plan, gathered) if checkpoint.pixels else none[:, :1]
    if count > 1 and len(plan.truth):
        title = "" if number is None else f" · future {number + 1}"
        shown.append(Track(BEST, best, f"Best of {count}{title}", "best", help=best_help(checkpoint)))
    futures += [none] * (min(samples, count) - len(futures))
    shown += [Track(future(place), frames, f"Future {place + 1}" if count > 1 else "Prediction", "future",
                    help=FUTURE_HELP) for place, frames in enumerate(futures[:min(samples, count)])]
    if count > 1:
        shown.append(Track(MEAN, mean, "Mean of all", "mean", help=MEAN_HELP))
        if checkpoint.pixels:
            shown.append(Track(SPREAD, spread, "Spread", "spread", help=SPREAD_HELP))
    return shown


def room(checkpoint: VideoCheckpoint, plan: Plan, samples: int) -> int:
    """How many futures of `samples` the player has room for beside the other tracks."""
    one = checkpoint.pictures(plan.past[:1]).size * plan.total
    return max(1, min(samples, player.BYTES // one - 5))


def charts(checkpoint: VideoCheckpoint, seen: Known, plan: Plan, roll: Roll | None) -> list[Chart]:
    """The curves over the same frames."""
    from vaecore.explore.clips.checkpoint import METRICS

    total, many = plan.total, checkpoint.stochastic and plan.futures > 1
    scores: Mapping[Metric, Score] = {}
    copied: Mapping[Metric, NDArray[np.float64]] = {}
    sd = apart = None
    if roll is not None and roll.count:
        with roll.looked_at() as gathered:
            scores, copied = gathered.scores, gathered.copied
            sd = gathered.prior_sd[0] if gathered.prior_sd else None
            apart = gathered.diversity if gathered.count > 1 else None
    found = []
    if checkpoint.learned_prior:
        lines = [Line("true frames", _from(1, seen.sd, total))] if seen.sd is not None else []
        lines.append(Line("future 1", _from(plan.context, sd, total)))
        found.append(Chart("Prior's spread σ", lines, help=SD_HELP))
    if seen.kl is not None and len(seen.kl) > 1:
        found.append(Chart("KL per frame", [Line("KL", _from(1, seen.kl, total))], "nats", KL_HELP))
    for metric in checkpoint.metrics if len(plan.truth) else ():
        title, unit, _ = METRICS[metric]
        score = scores.get(metric)
        lines = [Line("mean" if many else "prediction", *_band(score, plan))]
        if many:
            lines.append(Line("best", _from(plan.context, None if score is None else score.best_values, total)))
        lines.append(Line(COPIED, _from(plan.context, copied.get(metric), total)))
        found.append(Chart(title, lines, unit, HELP[metric] + COPIED_HELP))
    if many:
        found.append(Chart("Futures apart", [Line("distance", _from(plan.context, apart, total))], help=APART_HELP))
    return found


def best_of(gathered: Gathered) -> tuple[int, Tensor] | None:
    """The future that comes nearest to the truth: its number and frames. None where no truth is known."""
    return gathered.best.get(best_metric(gathered.checkpoint))


def best_metric(checkpoint: VideoCheckpoint) -> Metric:
    """What "best" goes by: SSIM where its window fits."""
    return "ssim" if "ssim" in checkpoint.metrics else checkpoint.metrics[0]


def best_help(checkpoint: VideoCheckpoint) -> str:
    from vaecore.explore.clips.checkpoint import METRICS

    title = METRICS[best_metric(checkpoint)][0]
    return (f"Of all futures the one nearest to the truth, by its mean {title} over the predicted frames. It is chosen "
            "by looking at the truth: it says what the model can draw, not what it would bet on.")


def against_copying(roll: Roll) -> str:
    """The mean score of the futures beside that of copying the last frame given; nothing where no truth is known."""
    from vaecore.explore.clips.checkpoint import METRICS

    with roll.looked_at() as gathered:
        metric = gathered.checkpoint.metrics[0]
        if metric not in gathered.scores:
            return ""
        mean, copied = float(gathered.scores[metric].mean.mean()), float(gathered.copied[metric].mean())
    title, unit, _ = METRICS[metric]
    mean_told, copied_told = (f"{shown(value)} {unit}".rstrip() for value in (mean, copied))
    return f" {title}: {mean_told} on average, copying the last frame given {copied_told}."


def future(place: int) -> str:
    """Name of the track of a future by its place, from 0."""
    return f"future-{place + 1}"


# -- several of them -------------------------------------------------------------------------------------


def side_by_side(clip: Chosen, rolls: Sequence[Roll], *, best: bool) -> tuple[list[Track], list[Chart]]:
    """The best, or the first, future of each checkpoint, and their scores. All have frames of one shape."""
    from vaecore.explore.clips.checkpoint import METRICS

    first = rolls[0]
    plan, checkpoint = first.plan, first.checkpoint
    truth = checkpoint.pictures(clip.frames[:plan.total])
    shown = [Track(TRUTH, truth, "Truth", "truth", help=TRUTH_HELP)]
    scores: list[Mapping[Metric, Score]] = []
    copied: Mapping[Metric, NDArray[np.float64]] = {}
    for place, each in enumerate(rolls):
        frames, told, one = truth[:0], "", each.total == 1
        if each.count:
            with each.looked_at() as gathered:
                found = best_of(gathered) if best else (0, gathered.kept[0])
                if found is not None:
                    frames = _after(each.checkpoint, each.plan, found[1])
                    told = "" if one else f" · future {found[0] + 1}"
                scores.append(gathered.scores)
                copied = gathered.copied  # the same of each
        else:
            scores.append({})
        name = each.checkpoint.run.id
        shown.append(Track(f"{place}", frames, f"{name}{told}", "best" if best and not one else "future",
                           help=f"{name}: " + (best_help(each.checkpoint) if best else FUTURE_HELP)))
    curves = []
    for metric in checkpoint.metrics if len(plan.truth) else ():
        title, unit, _ = METRICS[metric]
        curves.append(Chart(title, [Line(each.checkpoint.run.id, *_band(score.get(metric), plan))
                                    for each, score in zip(rolls, scores, strict=True)]
                            + [Line(COPIED, _from(plan.context, copied.get(metric), plan.total))], unit, HELP[metric] +
                            COPIED_HELP + " Drawn is the mean over futures."))
    return shown, curves


# -- parts -----------------------------------------------------------------------------------------------


def _after(checkpoint: VideoCheckpoint, plan: Plan, frames: Tensor) -> NDArray[np.uint8]:
    """The past and a future of it as one clip of pictures."""
    return np.concatenate([checkpoint.pictures(plan.past), checkpoint.pictures(frames)])


def _spread(checkpoint: VideoCheckpoint, plan: Plan, gathered: Gathered) -> NDArray[np.uint8]:
    spread = checkpoint.spread_pictures(gathered.std)
    return np.concatenate([np.zeros((plan.context, *spread.shape[1:]), np.uint8), spread])  # one past: no spread


def _from(start: int, values: Any, total: int) -> NDArray[np.float64]:
    """Values that begin at frame `start` of the clock, on all of it."""
    line = np.full(total, np.nan)
    if values is not None:
        fits = values[:max(0, total - start)]
        line[start:start + len(fits)] = fits
    return line


def _band(score: Score | None, plan: Plan) -> tuple[NDArray[np.float64], ...]:
    """Mean over futures and the band around it."""
    parts = (None, None, None) if score is None else (score.mean, score.low, score.high)
    return tuple(_from(plan.context, part, plan.total) for part in parts)
