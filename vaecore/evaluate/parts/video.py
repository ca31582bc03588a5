"""PSNR, SSIM, best of N, diversity and blur of rolled-out futures, of models of clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vaecore.evaluate.part import Part, Speed, clips
from vaecore.evaluate.results import Result, count, group, number, row
from vaecore.untrusted import Number

if TYPE_CHECKING:
    from vaecore.evaluate.evaluation import Evaluation
    from vaecore.evaluate.subject import Subject

TITLES = {"psnr": "PSNR", "ssim": "SSIM", "error": "Squared error"}


class Curves(Result):
    """A metric by predicted frame and over N, means over clips."""

    best: list[Number] = group(default=[])  # (H,) of the future of each clip that is best by its mean over frames
    mean: list[Number] = group(default=[])  # (H,) over futures
    best_of: list[tuple[int, Number]]  # n, and the expected best of n futures, averaged over frames
    copied: list[Number] = group(default=[])  # (H,) of copying the last frame given; older evaluations lack it
    standard_error: float | None = None  # of the best of N, over the clips that windows are of; None of a single clip
    unit: str = ""


class Bounds(Result):
    """-ELBO of the frames after the first, in nats a frame, of clips as long as those of training."""

    neg_elbo: float = number()  # a frame: the total divided by T - 1; exact without a code
    kl: float = number(unit="nats")  # a frame
    frames: int = count()  # T


class Calibration(Result):
    """Whether the learned prior is wider where something unforeseen happens, among predicted frames."""

    auc: float | None = None  # of the sd as a sign of an event; None where all frames are events, or none
    sd_at_events: float | None = None
    sd_elsewhere: float | None = None
    events: int = count()
    frames: int = count()


class Video(Result):
    """What was found of the futures of some clips. Only predicted frames count."""

    metrics: dict[str, Curves] = group(default={})  # psnr (dB) and ssim of pictures, squared error of states
    diversity: list[Number] = group(default=[])  # (H,) root mean square difference of two futures of a clip
    edge_energy: list[float | None] | None = None  # (H,) as a share of the true frames'; None of states
    bound: Bounds
    prior: Calibration | None = None  # None without a learned prior, or known events
    first_seconds: float = number(unit="s")  # to roll out one future of one clip, the fastest of three
    seconds: float = number(unit="s")  # to roll out all futures of a clip, some clips together
    threads: int = count()
    clips: int = count("clips")  # or windows of longer clips
    sources: int | None = None  # clips that these are windows of; as many as `clips` where each is one of its own
    futures: int = count("futures of each")
    context: int = count("frames given")
    horizon: int = count("frames predicted")
    window: int | None = None  # pixels a side, of SSIM


def mean_of(values: Sequence[float]) -> float | None:
    """The mean of some values; None of none."""
    return sum(values) / len(values) if values else None


def video(subject: Subject) -> Video:
    """PSNR, SSIM, best of N, diversity, blur, bound by frame and calibration of futures."""
    import numpy as np
    import torch

    from vaecore.evaluate.video import evaluate_video
    from vaecore.models.video.shared import VideoFamily

    model, settings = subject.model, subject.settings
    assert isinstance(model, VideoFamily)
    part = subject.dataset.splits[settings.split]
    count = min(settings.video_clips or len(part), len(part))
    if part.sources is not None:  # neighbouring windows show the same scene, so all of the split is judged by a few
        part = part.part(np.linspace(0, len(part) - 1, count).round().astype(np.int64))
    clips = torch.from_numpy(np.ascontiguousarray(part.arrays[model.modality][:count]))
    tell = subject.told("video")
    tell(0, count)
    return evaluate_video(model, clips, None if part.events is None else part.events[:count],
                          futures=settings.futures, horizon=settings.horizon, seed=settings.seed,
                          sources=part.sources, progress=tell, cancelled=subject.cancelled,
                          # Of windows of longer clips a few are judged, and their values have no place in the split.
                          each=subject.points.add if part.sources is None else None)


def seconds(subject: Subject, speed: Speed) -> float:
    """Every future of every clip is rolled out and compared."""
    settings, part = subject.settings, subject.dataset.splits[subject.settings.split]
    frames = int(next(iter(part.arrays.values())).shape[1])
    share = min(settings.horizon or frames, frames) / frames
    return min(settings.video_clips or len(part), len(part)) * settings.futures * share * speed.drawn


def lines(found: Video, evaluation: Evaluation) -> Iterator[str]:
    sources = found.clips if found.sources is None else found.sources
    of = f"{found.clips:,} clips" if sources == found.clips else \
        f"{found.clips:,} windows of {sources:,} clip{'s' * (sources > 1)}"
    about = f"of {of}, {found.context} frames given, {found.horizon} predicted"
    for name, each in found.metrics.items():
        title, unit = {"error": "squared error"}.get(name, TITLES.get(name, name)), each.unit or "in all"
        error = f", +- {each.standard_error:.3g}" if each.standard_error is not None else \
            ", no +-: all are of one clip" if sources == 1 else ""
        if found.futures > 1:
            yield row(f"{title}, best of {found.futures}", each.best_of[-1][1], f"{unit} {about}{error}", 4)
        yield row(f"{title}, mean", each.best_of[0][1], f"{unit} over futures {about}", 4)
        if each.copied:
            yield row(f"{title}, last frame", mean_of(each.copied), f"{unit} of copying the last frame given", 4)
    if found.futures > 1:
        yield row("diversity", mean_of(found.diversity), "root mean square difference of two futures, a mean over "
                  "frames", 4)
    edges = [value for value in found.edge_energy or [] if value is not None]
    if edges:
        yield row("edge energy", edges[-1], "of the true last frame's; less is blur")
    yield row("log p(x)" if evaluation.exact else "ELBO", -found.bound.neg_elbo,
              f"nats a frame, KL {found.bound.kl:.3f}")
    if prior := found.prior:
        yield row("AUC of prior's sd", prior.auc, f"as a sign of {prior.events:,} unforeseen frames among "
                  f"{prior.frames:,}")
    yield row("roll-out", found.seconds, f"s for {found.futures} futures of a clip, {found.first_seconds:.3f} for the "
              f"first, {found.threads} thread{'s' * (found.threads != 1)}")


PART = Part("video", "Video", "PSNR, SSIM, best of N, diversity and blur of rolled-out futures, of models of clips.",
            Video, video, (clips,), lines, ("video_clips", "futures", "horizon"), seconds)
