"""What is known of futures as they come: their scores by frame, the best of them, and how far they spread.

Shapes: H frames of horizon, H' true frames that are known, N futures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.evaluate.picture_metrics import psnr_by_frame, squared_error_by_frame, ssim_by_frame
from vaecore.evaluate.video import Spread, best_of
from vaecore.explore.clips.checkpoint import METRICS, Futures, Metric, VideoCheckpoint, as_numbers


class Score(NamedTuple):
    """A metric by predicted frame, for as many frames as the true clip has."""

    values: Numbers  # (N, H')
    best: int  # the future that is best by its mean over frames
    mean: Numbers  # (H',) over futures
    low: Numbers  # (H',) the 10th and 90th percentile: the band
    high: Numbers

    @property
    def best_values(self) -> Numbers:
        """(H',) of the best future."""
        found: Numbers = self.values[self.best]
        return found


@dataclass
class Gathered:
    """Futures as they come, with the scores of all of them and the frames of few: memory does not depend on N.

    `truth` (H', *frame) are the true frames after the past, H' at most the horizon, and none where nothing is known.
    `last` (*frame) is the last frame of the past: repeating it is the prediction that futures are measured against.
    Kept are the first `keep` futures, and of each metric the best one so far.
    """

    checkpoint: VideoCheckpoint
    truth: Tensor
    last: Tensor
    keep: int = 8
    count: int = 0
    kept: list[Tensor] = field(default_factory=list)  # (H, *frame) each
    prior_sd: list[Numbers] = field(default_factory=list)  # (H,) of the kept ones, mean over dimensions
    best: dict[Metric, tuple[int, Tensor]] = field(default_factory=dict)  # number and frames (H, *frame)
    spread: Spread = field(default_factory=Spread)
    _values: dict[Metric, list[Tensor]] = field(default_factory=dict)
    _best: dict[Metric, float] = field(default_factory=dict)

    def add(self, futures: Futures) -> None:
        """Take the next chunk of `VideoCheckpoint.roll`."""
        frames = futures.frames
        for place in range(min(len(frames), max(0, self.keep - self.count))):
            self.kept.append(frames[place].clone())
            if futures.prior_sd is not None:
                self.prior_sd.append(as_numbers(futures.prior_sd[place].mean(-1)))
        self.spread.add(frames[None])
        known = self.truth[:frames.shape[1]]
        for metric in self.checkpoint.metrics if len(known) else ():
            values = _measured(metric, frames[None, :, :len(known)], known[None])[0]
            self._values.setdefault(metric, []).append(values)
            more = METRICS[metric][2]
            row = int(best_of(values[None], largest=more)[0])
            found = float(values[row].double().mean())
            if metric not in self._best or (found > self._best[metric] if more else found < self._best[metric]):
                self._best[metric] = found
                self.best[metric] = (futures.first + row, frames[row].clone())
        self.count += len(frames)

    @property
    def scores(self) -> dict[Metric, Score]:
        """Scores of all futures so far, by metric; empty where no true frame is known."""
        found: dict[Metric, Score] = {}
        for metric, parts in self._values.items():
            values = as_numbers(torch.cat(parts))
            found[metric] = Score(values, self.best[metric][0], values.mean(0), *np.quantile(values, (0.1, 0.9), 0))
        return found

    @cached_property
    def copied(self) -> dict[Metric, Numbers]:
        """What copying the last frame given gets in each predicted frame, (H',), by metric.

        Empty where no true frame is known.
        """
        truth = self.truth
        if not len(truth):
            return {}
        still = self.last.expand_as(truth)[None, None]
        return {metric: as_numbers(_measured(metric, still, truth[None])[0, 0]) for metric in self.checkpoint.metrics}

    @property
    def mean(self) -> Tensor:
        """Mean future (H, *frame)."""
        return self.spread.mean[0].float()

    @property
    def std(self) -> Tensor:
        """Standard deviation over futures of each pixel or number (H, *frame)."""
        return self.spread.std[0].float()

    @property
    def diversity(self) -> Numbers:
        """Root mean square difference of two futures by frame, (H,)."""
        return as_numbers(self.spread.diversity[0])


def _measured(metric: Metric, predicted: Tensor, true: Tensor) -> Tensor:
    measure = {"psnr": psnr_by_frame, "ssim": ssim_by_frame, "error": squared_error_by_frame}[metric]
    return measure(predicted, true)
