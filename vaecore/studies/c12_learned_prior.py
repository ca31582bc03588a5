"""C12: a learned prior predicts better than a fixed one, and knows when something unforeseen is due (SVG-LP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.video import auc, evaluate_video
from vaecore.models.video.shared import VideoFamily
from vaecore.models.video.svg import SVG
from vaecore.probability.intervals import Interval, by_seed, over_seeds, paired
from vaecore.store import Run
from vaecore.studies.base import Bench, Finding, Row, Study
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import scaled

SEEDS = (0, 1, 2)
STATES_AUC, PIXELS_AUC = 0.9, 0.8
GAP = 0.01  # SSIM between neighbours in the order of the models
WIDER = 1.2  # sd of the prior at events over that elsewhere, in the dimension where it changes most
UNUSED = 0.05  # nats a frame: less of a KL is said to be none
LATE = 15  # the first late frame, counted from 0, of clips of 30 of which 5 are given
FUTURES = 100
MODELS = {"learned prior": "svg-lp", "fixed prior": "svg-fp", "deterministic": "recurrent-predictor"}
STATES, PIXELS = "coordinates", "32 pixels"
CLIPS = 128  # test clips whose futures are drawn; the prior is looked at on all of them
CLIPS_AT_ONCE = 64  # clips


def states(name: str, settings: Sequence[str] = (), seed: int = 0) -> RunConfig:
    """The shipped preset `svg-lp-moving-states`, or another family with its networks, data and training."""
    return changed(preset("svg-lp-moving-states"), [f"model.family={MODELS[name]}", f"seed={seed}",
                                                     *settings])


def pixels(name: str, settings: Sequence[str] = (), seed: int = 0) -> RunConfig:
    """The shipped presets of a moving digit of 32 x 32 pixels."""
    return changed(preset(f"{MODELS[name]}-moving-mnist"), [f"seed={seed}", *settings])


def row(bench: Bench, data: str, name: str, done: Run) -> tuple[Row, dict[str, list[float]]]:
    """Late frames of the best future of test clips, their bound, and the prior's spread at events; curves besides."""
    model, test = load_model(done.path), done.config().data.load().splits["test"]
    assert isinstance(model, VideoFamily) and test.events is not None
    model.eval()
    clips = torch.from_numpy(test.arrays[model.modality])
    found = evaluate_video(model, clips[:CLIPS], futures=FUTURES, progress=lambda *_: bench.check())
    metric = "SSIM" if "ssim" in found.metrics else "squared error"
    curves = found.metrics["ssim" if metric == "SSIM" else "error"]
    late = slice(LATE - found.context, None)
    values: dict[str, float | int | str] = {
        "frames": data, "model": name, "-ELBO a frame": found.bound.neg_elbo, "KL a frame": found.bound.kl,
        f"{metric}, best of {FUTURES}": float(np.mean(curves.best[late])),
        f"{metric}, one future": float(np.mean(curves.mean[late]))}
    shown = {f"{data}, {name}: {metric} by frame": curves.best,
             f"{data}, {name}: {metric}, best of n": [value for _, value in curves.best_of]}
    if isinstance(model, SVG):
        values |= at_events(model, clips, test.events)
        shown[f"{data}: n"] = [float(n) for n, _ in curves.best_of]
    return values, shown


@torch.inference_mode()
def at_events(model: SVG, clips: Tensor, events: NDArray[np.bool_]) -> dict[str, float]:
    """KL in nats of predicted frames at events and elsewhere, and how a learned prior's standard deviation compares.

    It is compared by its mean over dimensions, and in the one in which it changes most, from the true frames before
    each.
    """
    sds, kls = [], []
    for part in torch.split(clips, CLIPS_AT_ONCE):
        batch = {model.modality: scaled(part).float()}
        posteriors = model.encode(batch)
        kls.append(model.divergences(batch, posteriors)["z"].sum(2)[:, model.context - 1:])
        if model.learned_prior is not None:
            sds.append((0.5 * model.priors(batch, posteriors).logvar).exp()[:, model.context - 1:])
    event, kl = events[:, model.context:].ravel(), torch.cat(kls).flatten().double().numpy()
    found = {"KL at events": float(kl[event].mean()), "KL elsewhere": float(kl[~event].mean())}
    if not sds:
        return found
    sd = torch.cat(sds).flatten(0, 1).double().numpy()  # (frames, r)
    single = [auc(column, event) or 0.0 for column in sd.T]
    return found | {"AUC of the sd": auc(sd.mean(1), event) or 0.0,
                    "sd at events / elsewhere": float(sd[event].mean() / sd[~event].mean()),
                    "ratio, best dimension": float((sd[event].mean(0) / sd[~event].mean(0)).max()),
                    "AUC, best dimension": max(single)}


def run(bench: Bench) -> Finding:
    """All three on coordinates, which is quick, and on frames of 32 pixels, for every seed."""
    table: list[Row] = []
    curves: dict[str, list[float]] = {}
    for seed in SEEDS:
        for data, configuration in ((STATES, states), (PIXELS, pixels)):
            for name in MODELS:
                done = bench.train(f"{data.split()[-1]}-{MODELS[name]}-{seed}", configuration(name, seed=seed))
                values, shown = row(bench, data, name, done)
                table.append({"seed": seed, **values})
                curves = shown | curves  # those of the first seed are drawn
    return finding(table, curves)


def finding(table: Sequence[Row], curves: Mapping[str, Sequence[float]] | None = None) -> Finding:
    """The rule, applied to the table; raises `ValueError` where models are not of the same seeds."""
    def of(data: str, name: str, column: str) -> dict[int, float]:
        return by_seed(table, column, frames=data, model=name)

    def mean(data: str, name: str, column: str) -> Interval:
        return over_seeds(list(of(data, name, column).values()))

    def ahead(data: str, column: str, first: str, second: str) -> Interval:
        """By how much the first has more, paired by seed."""
        return paired(of(data, first, column), of(data, second, column))

    learned, fixed, single = MODELS
    ssim, error = f"SSIM, best of {FUTURES}", f"squared error, best of {FUTURES}"
    neighbours = ((learned, fixed), (fixed, single))
    steps = {pair: ahead(PIXELS, ssim, *pair) for pair in neighbours}
    errors = {(a, b): ahead(STATES, error, b, a) for a, b in neighbours}  # less is better
    bounds = {data: ahead(data, "-ELBO a frame", fixed, learned) for data in (STATES, PIXELS)}
    auc_of = {data: mean(data, learned, "AUC of the sd") for data in (STATES, PIXELS)}
    spent = {data: mean(data, fixed, "KL a frame") for data in (STATES, PIXELS)}
    wider = mean(PIXELS, learned, "ratio, best dimension")
    holds = {
        "the learned prior does not lead the fixed one on frames": steps[neighbours[0]].low >= GAP,
        "the fixed prior does not lead no code on frames": steps[neighbours[1]].low >= GAP,
        "the learned prior does not lead the fixed one on coordinates": errors[neighbours[0]].low > 0,
        "the fixed prior does not lead no code on coordinates": errors[neighbours[1]].low > 0,
        "the fixed prior's code is not in use, so that its lead is of more tries":
            all(each.low >= UNUSED for each in spent.values()),
        "the learned prior's bound is not the higher": all(each.low > 0 for each in bounds.values()),
        f"an AUC of {STATES_AUC:g} on coordinates": auc_of[STATES].low >= STATES_AUC,
        f"an AUC of {PIXELS_AUC:g} on frames": auc_of[PIXELS].low >= PIXELS_AUC,
        "the prior is not wider where a digit bounces": wider.low >= WIDER}
    failed = [words for words, held in holds.items() if not held]
    return Finding(
        not failed,
        f"On frames of 32 pixels the SSIM of late frames, best of {FUTURES}, is "
        f"{mean(PIXELS, learned, ssim).words('.3f')} with the learned prior, {mean(PIXELS, fixed, ssim).words('.3f')} "
        f"with the fixed one and {mean(PIXELS, single, ssim).words('.3f')} without a code; by seed the leads are "
        f"{steps[neighbours[0]].words('.3f')} and {steps[neighbours[1]].words('.3f')}. The fixed prior's code costs "
        f"{spent[PIXELS].mean:.2g} nats a frame there and {spent[STATES].mean:.2g} on coordinates. Of late "
        f"coordinates the squared error, best of {FUTURES}, falls by {errors[neighbours[0]].words('.3f')} and "
        f"{errors[neighbours[1]].words('.3f')}. The learned prior's -ELBO is lower by {bounds[PIXELS].words()} nats "
        f"a frame and, on coordinates, {bounds[STATES].words()}; its sd tells events from other frames with an AUC of "
        f"{auc_of[PIXELS].words('.3f')} and {auc_of[STATES].words('.3f')}, and is in one dimension {wider.words()} "
        "times as large there."
        + (f" What fails: {'; '.join(failed)}." if failed else ""),
        list(table), {name: list(values) for name, values in (curves or {}).items()},
        note=f"Late frames: {LATE} to 29, counted from 0, of which 0 to 4 are given; the best future of a clip is that "
             f"with the best mean over all predicted frames. {FUTURES} futures of each of {CLIPS} test clips, with "
             "digits that training did not see. sd and KL are of predicted frames, from the true ones before "
             "each. Dimensions of the code that are not in use keep an sd of about 1, which draws the ratio of the "
             "mean to 1. Where a code is hardly used, a lead over no code comes of more tries, not of the code.",
        intervals={f"{ssim}, {a} less {b}": each for (a, b), each in steps.items()}
        | {f"AUC, {data}": each for data, each in auc_of.items()})


STUDY = Study(
    "C12", "A learned prior knows when to be unsure",
    "A prior that has read the frames before predicts better than a fixed one, and that better than a deterministic "
    "predictor, when the best of many futures is looked at long after the frames given; its variance is high just "
    "where a digit bounces.",
    "Denton & Fergus (2018), SVG; lecture, equations (32) to (35)",
    "SVG with learned and fixed prior and the same networks without a code, on a bouncing digit of 32 x 32 pixels, and "
    f"on coordinates of two, {len(SEEDS)} seeds: best of {FUTURES} futures of 25 frames, the bound, and the prior's "
    "spread at bounces.",
    f"By 95% intervals over seeds, differences paired. On frames: mean SSIM of frames from {LATE} on, best of "
    f"{FUTURES}, learned above fixed and fixed above deterministic by at least {GAP:g} each; on coordinates the same "
    f"order of squared errors; the fixed prior's code in use (KL at least {UNUSED:g} nats a frame) on both, else its "
    "lead is of more tries; the learned prior's bound above the fixed one's on both. AUC of its spread for events at "
    f"least {STATES_AUC:g} on coordinates and {PIXELS_AUC:g} on frames, where its sd in one dimension is at least "
    f"{WIDER:g} times as large at events.", 54, run)
