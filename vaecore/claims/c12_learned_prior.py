"""C12: a learned prior predicts better than a fixed one, and knows when something unforeseen is due (SVG-LP)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.claims.base import Bench, Claim, Finding, Row
from vaecore.config import RunConfig, changed, preset
from vaecore.evaluate.video import auc, evaluate_video
from vaecore.models.svg import StochasticVideo
from vaecore.models.video import VideoFamily
from vaecore.store import Run
from vaecore.training.checkpoints import load_model
from vaecore.training.feed import scaled

STATES_AUC, PIXELS_AUC, GAP = 0.9, 0.8, 0.03
UNUSED = 0.05  # nats a frame: less of a KL is said to be none
LATE = 15  # the first late frame, counted from 0, of clips of 30 of which 5 are given
FUTURES = 100
MODELS = {"learned prior": "svg-lp", "fixed prior": "svg-fp", "deterministic": "recurrent-predictor"}
STATES, PIXELS = "coordinates", "32 pixels"
CLIPS = 128  # test clips whose futures are drawn; the prior is looked at on all of them
AT_ONCE = 64  # clips


def states(name: str, settings: Sequence[str] = ()) -> RunConfig:
    """The shipped preset `svg-lp-moving-states`, or another family with its networks, data and training."""
    return changed(preset("svg-lp-moving-states"), [f"model.family={MODELS[name]}", *settings])


def pixels(name: str, settings: Sequence[str] = ()) -> RunConfig:
    """The shipped presets of a moving digit of 32 x 32 pixels."""
    return changed(preset(f"{MODELS[name]}-moving-mnist"), settings)


def row(bench: Bench, data: str, name: str, done: Run) -> tuple[Row, dict[str, list[float]]]:
    """Of the test clips: late frames of the best future, bound, and spread of the prior at events; curves besides."""
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
    if isinstance(model, StochasticVideo):
        values |= at_events(model, clips, test.events)
        shown[f"{data}: n"] = [float(n) for n, _ in curves.best_of]
    return values, shown


@torch.inference_mode()
def at_events(model: StochasticVideo, clips: Tensor, events: NDArray[np.bool_]) -> dict[str, float]:
    """KL in nats of predicted frames at events and elsewhere, and how a learned prior's standard deviation compares:
    its mean over dimensions, and the one dimension in which it changes most. All from the true frames before each."""
    sds, kls = [], []
    for part in torch.split(clips, AT_ONCE):
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
    """All three on coordinates, which is quick, and on frames of 32 pixels."""
    rows = []
    for data, configuration in ((STATES, states), (PIXELS, pixels)):
        for name in MODELS:
            label = f"{data.split()[-1]}-{MODELS[name]}"
            rows.append(row(bench, data, name, bench.train(label, configuration(name))))
    return finding(rows)


def finding(rows: Sequence[tuple[Row, Mapping[str, Sequence[float]]]]) -> Finding:
    """The rule, applied to the rows."""
    table = [each for each, _ in rows]
    found = {(str(r["frames"]), str(r["model"])): r for r in table}

    def of(data: str, column: str) -> list[float]:
        """The numbers of the models, in their order; of the priors alone where the other has none."""
        return [float(found[data, name][column]) for name in MODELS if column in found[data, name]]

    states_auc, pixels_auc = (of(data, "AUC of the sd")[0] for data in (STATES, PIXELS))
    bounds, shown = of(STATES, "-ELBO a frame"), of(PIXELS, "-ELBO a frame")
    errors = of(STATES, f"squared error, best of {FUTURES}")
    ssim, plain = of(PIXELS, f"SSIM, best of {FUTURES}"), of(PIXELS, "SSIM, one future")
    learned, fixed, single = ssim
    holds = {"states": states_auc >= STATES_AUC and bounds[0] < bounds[1], "order": learned > fixed > single,
             "gap": learned - single >= GAP, "spikes": pixels_auc >= PIXELS_AUC}
    at, elsewhere = (of(PIXELS, f"KL {where}") for where in ("at events", "elsewhere"))
    prior = found[PIXELS, "learned prior"]
    kl, spent = of(STATES, "KL a frame"), of(PIXELS, "KL a frame")
    failed = [word for name, word in (
        ("states", "the part on coordinates"), ("order", "the order of the models"),
        ("gap", f"the gap of {GAP:g}"), ("spikes", f"an AUC of {PIXELS_AUC:g} on frames")) if not holds[name]]
    return Finding(
        all(holds.values()),
        f"On coordinates the sd of the learned prior tells events from other frames with an AUC of {states_auc:.3f}, "
        f"and -ELBO is {bounds[0]:.2f} nats a frame with it and {bounds[1]:.2f} with the fixed one ({bounds[2]:.2f} "
        f"without a code); squared error of late frames, best of {FUTURES}: {errors[0]:.4f}, {errors[1]:.4f} and "
        f"{errors[2]:.4f}. On frames of 32 pixels the SSIM of late frames, best of {FUTURES}, is {learned:.3f} with "
        f"the learned prior, {fixed:.3f} with the fixed one and {single:.3f} without a code (of one future "
        f"{plain[0]:.3f}, {plain[1]:.3f}, {plain[2]:.3f}), -ELBO {shown[0]:.1f}, {shown[1]:.1f} and {shown[2]:.1f} "
        f"nats a frame, the KL {spent[0]:.2f} and {spent[1]:.2g}, and the AUC {pixels_auc:.3f}. At events the mean sd "
        f"is {float(prior['sd at events / elsewhere']):.2f} times that elsewhere, that of one dimension up to "
        f"{float(prior['ratio, best dimension']):.2f} times; the KL is {at[0]:.2f} nats at events and "
        f"{elsewhere[0]:.2f} elsewhere."
        + "".join(f" With the fixed prior the code is hardly used on {where}." for where, used in (
            ("coordinates", kl[1]), ("frames", spent[1])) if used < UNUSED)
        + (f" What fails: {', '.join(failed)}." if failed else ""),
        table, {name: list(values) for _, each in rows for name, values in each.items()},
        note=f"Late frames: {LATE} to 29, counted from 0, of which 0 to 4 are given; the best future of a clip is that "
             f"with the best mean over all predicted frames. {FUTURES} futures of each of {CLIPS} test clips, with "
             "digits that training did not see. sd and KL are of predicted frames, from the true ones before "
             "each. Dimensions of the code that are not in use keep an sd of about 1, which draws the ratio of the "
             "mean to 1. Where a code is hardly used, a lead over no code comes of more tries, not of the code. "
             "One seed.")


CLAIM = Claim(
    "C12", "A learned prior knows when to be unsure",
    "A prior that has read the frames before predicts better than a fixed one, and that better than a deterministic "
    "predictor, when the best of many futures is looked at long after the frames given; its variance is high just "
    "where a digit bounces.",
    "Denton & Fergus (2018), SVG; lecture, equations (32) to (35)",
    "SVG with learned and fixed prior and the same networks without a code, on a bouncing digit of 32 x 32 pixels, and "
    f"on coordinates of two: best of {FUTURES} futures of 25 frames, the bound, and the prior's spread at bounces.",
    f"On coordinates: AUC of the spread for events at least {STATES_AUC:g}, and the learned prior's bound above the "
    f"fixed one's. On frames: mean SSIM of frames from {LATE} on, best of {FUTURES}, learned > fixed > deterministic "
    f"with at least {GAP:g} from first to last, and an AUC of at least {PIXELS_AUC:g}.",
    109, run)
