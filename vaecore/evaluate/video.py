"""How good predicted clips are: frames against the true ones, best of N, diversity, blur, calibration, cost.

Only frames that were predicted count: frames given would flatter every model. Frames are in [0, 1], so that the data
range is 1; of states there is no PSNR and no SSIM, but a squared error. A metric is computed frame by frame and then
averaged, and the best future of a clip is chosen for each metric by itself, by its mean over all predicted frames
(Denton & Fergus 2018). Beside each stands what copying the last frame given would get: where little moves, that is
hard to beat. Metrics that rest on networks of others (LPIPS, FVD) are left out: their numbers belong to those
networks, and differ between copies of them by more than models do.
Windows cut from one longer clip are no independent clips: their standard error is that of a mean over clusters.
Shapes: B clips, T frames, N futures of a clip, H frames of horizon, r latent size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.evaluate.likelihood import Cancelled
from vaecore.evaluate.parts.video import Bounds, Calibration, Curves, Video
from vaecore.evaluate.picture_metrics import (
    WINDOW,
    edge_energy,
    has_ssim,
    psnr_by_frame,
    squared_error_by_frame,
    ssim_by_frame,
)
from vaecore.models.capabilities import HasLearnedPrior
from vaecore.models.video.rollout import clips_at_once, noise, rolled
from vaecore.models.video.shared import VideoFamily
from vaecore.training.feed import scaled

COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # futures, for the curve over N
TRIES = 3  # for the seconds of one future

Progress = Callable[[int, int], object]  # clips done, of how many


# -- many futures ----------------------------------------------------------------------------------


def best_of(values: Tensor, *, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The future of each clip that is best in a metric (B, N, H) by its mean over frames.

    Its number (B,) and its values (B, H).

    `largest` says whether more is better, as for PSNR and SSIM.
    """
    means = values.double().mean(2)
    best = means.argmax(1) if largest else means.argmin(1)
    return best, values[torch.arange(len(values)), best]


def expected_best(values: Tensor, n: int, *, largest: bool = True) -> Tensor:
    """The mean over all choices of n out of N values (..., N) of the best of the n: (...), in float64.

    Exact: the i-th smallest is the largest of n in C(i-1, n-1) of the C(N, n) choices, so nothing hangs on the order in
    which futures were drawn. Raises `ValueError` unless 1 <= n <= N.
    """
    count = values.shape[-1]
    if not 1 <= n <= count:
        raise ValueError(f"the best of {n} out of {count} futures is not there. Use 1 to {count}.")
    weights = np.zeros(count)
    weights[-1] = n / count
    for i in range(count - 1, n - 1, -1):  # C(i-1, n-1) / C(i, n-1) = (i - n + 1) / i
        weights[i - 1] = weights[i] * (i - n + 1) / i
    ordered = values.double().sort(-1, descending=not largest).values
    return ordered @ torch.from_numpy(weights)


def counts_up_to(futures: int) -> list[int]:
    """Where the curve over N is computed: 1, 2, 5, 10, ... and N itself."""
    return [n for n in COUNTS if n < futures] + [futures]


class Spread:
    """Mean and spread of futures that are added chunk by chunk and not kept: memory does not depend on N.

    Of frames (B, n, H, *frame); what comes back is in float64, in the units of frames.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: Tensor | None = None
        self._sum: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, frames: Tensor) -> None:
        """Some more futures, (B, n, H, *frame)."""
        if self._first is None or self._sum is None or self._squares is None:
            self._first = frames[:, 0].clone()
            self._sum = torch.zeros(self._first.shape, dtype=torch.float64)
            self._squares = self._sum.clone()
        # Sums of what futures differ by: sums of the frames themselves would lose a small spread.
        x = frames - self._first[:, None]
        self._sum += x.sum(1, dtype=torch.float64)
        self._squares += x.square_().sum(1, dtype=torch.float64)
        self.count += frames.shape[1]

    @property
    def mean(self) -> Tensor:
        """(B, H, *frame); raises `ValueError` before anything was added."""
        first, total, _ = self._known()
        return first + total / self.count

    @property
    def std(self) -> Tensor:
        """Standard deviation over futures (B, H, *frame), unbiased in its square; 0 of a single one."""
        return self._variance().sqrt()

    @property
    def diversity(self) -> Tensor:
        """Root mean square difference of two futures of a clip, over all pairs and pixels, by frame: (B, H).

        It is sqrt(2 s^2) with s^2 the unbiased variance over futures, averaged over pixels.
        """
        return (2 * self._variance().flatten(2).mean(2)).sqrt()

    def _variance(self) -> Tensor:
        _, total, squares = self._known()
        return (squares - total.square() / self.count).clamp(min=0) / max(1, self.count - 1)

    def _known(self) -> tuple[Tensor, Tensor, Tensor]:
        if self._first is None or self._sum is None or self._squares is None:
            raise ValueError("no future has been added yet.")
        return self._first, self._sum, self._squares


def auc(scores: Numbers, events: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve: the chance that the score of an event is above that of another frame, ties half.

    Of equal shapes; None where there are no events, or nothing else.
    """
    from scipy.stats import rankdata

    score, event = np.asarray(scores, np.float64).ravel(), np.asarray(events, bool).ravel()
    if score.shape != event.shape:
        raise ValueError(f"{len(score)} scores for {len(event)} frames. Give one for each.")
    positive, negative = int(event.sum()), int((~event).sum())
    if not positive or not negative:
        return None
    ranks = rankdata(score)
    return float((ranks[event].sum() - positive * (positive + 1) / 2) / (positive * negative))


# -- from true frames --------------------------------------------------------------------------------


@torch.inference_mode()
def prior_sd(model: VideoFamily, clips: Tensor) -> Tensor | None:
    """Standard deviation of the learned prior by frame, the mean over dimensions: (B, T-1).

    Of frames 1 .. T-1 of clips (B, T, *frame), from the true frames before each. None of a family whose prior reads no
    frames.
    """
    if not (isinstance(model, HasLearnedPrior) and model.prior_moves):
        return None
    batch = {model.modality: clips}
    p = model.priors(batch, model.encode(batch))
    return (0.5 * p.logvar).exp().mean(-1)


@torch.inference_mode()
def bound_by_frame(model: VideoFamily, clips: Tensor, generator: torch.Generator | None = None
                   ) -> tuple[Tensor, Tensor]:
    """log p(x_t|z, before) and KL in nats by frame 1 .. T-1, with one code drawn from the posterior.

    The former is (B, T-1), the latter too, or (B, 1) of one code a clip; zeros without a code.
    """
    batch = {model.modality: clips}
    posteriors = model.encode(batch)
    log_prob = model.predictions(batch, posteriors, generator).log_prob(clips)
    kl = [part.sum(-1) for part in model.divergences(batch, posteriors).values()]
    return log_prob, torch.stack(kl).sum(0) if kl else torch.zeros_like(log_prob)


# -- all of it ---------------------------------------------------------------------------------------


def clustered_error(values: Tensor, sources: NDArray[np.int64] | None = None) -> float | None:
    """Standard error of the mean of `values` (B,) where those with the same number in `sources` (B,) belong together.

    The root of G / (G - 1) times the summed squares of each cluster's summed deviations, over B, for G clusters (Liang
    & Zeger 1986): of clusters of one it is s / sqrt(B). None of a single cluster, of which nothing can be said.
    """
    numbers = np.arange(len(values)) if sources is None else np.unique(sources, return_inverse=True)[1]
    groups = torch.from_numpy(numbers)
    count = int(groups.max()) + 1
    if count < 2:
        return None
    deviations = values.double() - values.double().mean()
    sums = torch.zeros(count, dtype=torch.float64).index_add_(0, groups, deviations)
    return math.sqrt(count / (count - 1) * float(sums.square().sum())) / len(values)


def evaluate_video(model: VideoFamily, clips: Tensor, events: NDArray[np.bool_] | None = None, *, futures: int = 100,
                   horizon: int = 0, seed: int = 0, sources: NDArray[np.int64] | None = None,
                   progress: Progress | None = None, cancelled: Callable[[], bool] = lambda: False,
                   each: Callable[[str, Tensor], object] | None = None) -> Video:
    """All measures of a model of clips, for clips (B, T, *frame), uint8 or as read, with events (B, T).

    `sources` (B,) says of which longer clip each is a window; without it each is a clip of its own.

    `context` frames are given, as in training, and `horizon` are predicted; 0 goes on to the end of the clips. Futures
    come in chunks, of which numbers are kept and no frames, so memory does not depend on their count. `each` is told
    the best of all futures of every clip, (B,), as video.psnr. Raises `ValueError` where clips are too short, and
    `Cancelled`.
    """
    context, length = model.context, clips.shape[1]
    horizon = horizon or length - context
    if not 1 <= horizon <= length - context:
        raise ValueError(f"these clips have {length} frames, of which {context} are given: {horizon} cannot be judged. "
                         f"Use a horizon of at most {max(0, length - context)}, or longer test clips.")
    futures = futures if model.stochastic else 1
    training, totals, done = model.training, _Totals(), 0
    model.eval()
    try:
        for part in torch.split(clips, clips_at_once(model, horizon)):
            x = scaled(part).float()
            true = x[:, context:context + horizon]
            totals.begin(model, true, x[:, context - 1:context])
            chunks = rolled(model, x[:, :context], horizon, futures, seed)
            while True:
                start = time.perf_counter()
                chunk = next(chunks, None)
                totals.seconds += time.perf_counter() - start
                if chunk is None:
                    break
                if cancelled():
                    raise Cancelled
                totals.add(chunk[1].frames)
            totals.end()
            generator = torch.Generator().manual_seed((seed * 1_000_003 + done) % 2**63)
            totals.from_true(model, x, None if events is None else events[done:done + len(x)], generator)
            done += len(x)
            if progress is not None:
                progress(done, len(clips))
        first = min(_seconds(model, scaled(clips[:1]).float()[:, :context], horizon) for _ in range(TRIES))
    finally:
        model.train(training)
    for name, means in totals.means.items() if each else ():
        each(f"video.{name}", expected_best(torch.cat(means), futures, largest=name != "error"))  # type: ignore[misc]
    return totals.result(first, futures, context, horizon, sources)


class _Totals:
    """What is known so far: numbers by clip, of the clips at hand by future."""

    def __init__(self) -> None:
        self.seconds, self.clips = 0.0, 0
        self.best: dict[str, list[Tensor]] = {}  # (b, H)
        self.mean: dict[str, list[Tensor]] = {}  # (b, H)
        self.means: dict[str, list[Tensor]] = {}  # (b, N) over frames
        self.copied: dict[str, list[Tensor]] = {}  # (b, H)
        self.diversity: list[Tensor] = []  # (b, H)
        self.edges: list[Tensor] = []  # (2, H): of predicted and of true frames
        self.log_prob: list[Tensor] = []
        self.kl: list[Tensor] = []
        self.sd: list[Numbers] = []
        self.events: list[NDArray[np.bool_]] = []

    def begin(self, model: VideoFamily, true: Tensor, last: Tensor) -> None:
        """The frames to be predicted (b, H, *frame), and the last one given (b, 1, *frame)."""
        self.true, self.pixels, self.spread = true, model.pixels, Spread()
        self.values: dict[str, list[Tensor]] = {}
        self.energy, self.drawn = torch.zeros(true.shape[1], dtype=torch.float64), 0
        for name, measure in _measures(tuple(true.shape[2:]), pixels=self.pixels).items():
            self.copied.setdefault(name, []).append(measure(last.expand_as(true)[:, None], true)[:, 0])

    def add(self, frames: Tensor) -> None:
        for name, measure in _measures(tuple(self.true.shape[2:]), pixels=self.pixels).items():
            self.values.setdefault(name, []).append(measure(frames, self.true))
        self.spread.add(frames)
        if self.pixels:
            self.energy += edge_energy(frames.clamp(0, 1)).double().sum((0, 1))
        self.drawn += frames.shape[1]

    def end(self) -> None:
        for name, parts in self.values.items():
            values = torch.cat(parts, 1)
            self.best.setdefault(name, []).append(best_of(values, largest=name != "error")[1])
            self.mean.setdefault(name, []).append(values.mean(1))
            self.means.setdefault(name, []).append(values.double().mean(2))
        self.diversity.append(self.spread.diversity)
        if self.pixels:
            self.edges.append(torch.stack([self.energy / self.drawn, edge_energy(self.true).double().sum(0)]))
        self.clips += len(self.true)

    def from_true(self, model: VideoFamily, x: Tensor, events: NDArray[np.bool_] | None, generator: torch.Generator
                  ) -> None:
        learned = model.modalities[model.modality].shape[0]
        log_prob, kl = bound_by_frame(model, x[:, :learned], generator)
        self.log_prob.append(log_prob.double())
        self.kl.append(kl.double())
        if events is not None and (sd := prior_sd(model, x)) is not None:
            end = model.context + self.true.shape[1]  # what lies after the horizon was not predicted
            self.sd.append(sd[:, model.context - 1:end - 1].double().numpy())
            self.events.append(events[:, model.context:end])

    def result(self, first: float, futures: int, context: int, horizon: int, sources: NDArray[np.int64] | None
               ) -> Video:
        metrics = {}
        for name, (unit, larger) in {"psnr": ("dB", True), "ssim": ("", True), "error": ("", False)}.items():
            if name in self.means:
                means = torch.cat(self.means[name])
                best = expected_best(means, futures, largest=larger)
                metrics[name] = Curves(
                    best=_listed(torch.cat(self.best[name]).double().mean(0)),
                    mean=_listed(torch.cat(self.mean[name]).double().mean(0)),
                    best_of=[(n, float(expected_best(means, n, largest=larger).mean())) for n in counts_up_to(futures)],
                    copied=_listed(torch.cat(self.copied[name]).double().mean(0)),
                    standard_error=clustered_error(best, sources), unit=unit)
        edges = torch.stack(self.edges).sum(0) if self.edges else None
        return Video(
            metrics=metrics, diversity=_listed(torch.cat(self.diversity).mean(0)),
            edge_energy=None if edges is None else [a / b if b > 0 else None for a, b in edges.T.tolist()],
            bound=self._bounds(), prior=self._calibration(), first_seconds=first, seconds=self.seconds / self.clips,
            threads=torch.get_num_threads(), clips=self.clips,
            sources=self.clips if sources is None else len(np.unique(sources)), futures=futures, context=context,
            horizon=horizon, window=WINDOW if "ssim" in metrics else None)

    def _bounds(self) -> Bounds:
        log_prob, kl = torch.cat(self.log_prob).mean(0), torch.cat(self.kl).mean(0)
        frames = len(log_prob)
        return Bounds(neg_elbo=float(kl.sum() - log_prob.sum()) / frames, kl=float(kl.sum()) / frames,
                      frames=frames + 1)

    def _calibration(self) -> Calibration | None:
        if not self.sd:
            return None
        sd, event = np.concatenate(self.sd), np.concatenate(self.events)
        there, elsewhere = sd[event], sd[~event]
        return Calibration(auc=auc(sd, event), sd_at_events=float(there.mean()) if there.size else None,
                           sd_elsewhere=float(elsewhere.mean()) if elsewhere.size else None, events=int(event.sum()),
                           frames=event.size)


def _measures(frame: tuple[int, ...], *, pixels: bool) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    if not pixels:
        return {"error": squared_error_by_frame}
    return {"psnr": psnr_by_frame, **({"ssim": ssim_by_frame} if has_ssim(frame) else {})}


@torch.inference_mode()
def _seconds(model: VideoFamily, past: Tensor, horizon: int) -> float:
    """To roll one future out."""
    drawn = noise(0, range(1), horizon, model.noise_size)
    start = time.perf_counter()
    model.roll_out(past, horizon, drawn, torch.Generator().manual_seed(0))
    return time.perf_counter() - start


def _listed(x: Tensor) -> list[float]:
    found: list[float] = x.tolist()
    return found
