"""Looking at a model of clips: roll futures out, see which are how good, go back to a frame and draw on from there.

Frames are counted from 0, as everywhere. Here a clip is one clip as the model reads it, a float tensor (T, *frame) with
pixels in [0, 1], or states as they are; T may be larger than what the model learned from. `pictures` makes uint8
(..., T, C, H, W) of them for players and files, states drawn as discs.
Shapes: T frames, c frames given, H frames of horizon, N futures, r latent size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.arrays import Numbers
from vaecore.data import EVENTS
from vaecore.data.own.clip_file import Fit
from vaecore.evaluate.picture_metrics import has_ssim
from vaecore.evaluate.video import bound_by_frame, prior_sd
from vaecore.explore.clips.films import Strip, contact_sheet
from vaecore.explore.clips.states import draw_states
from vaecore.explore.opening import read_examples, read_model
from vaecore.models.video.rollout import rolled
from vaecore.models.video.shared import VideoFamily
from vaecore.schema import problem
from vaecore.store import COPY_AGAIN, Run
from vaecore.training.checkpoints import WEIGHTS, BrokenCheckpoint
from vaecore.training.feed import scaled
from vaecore.views import CLIP, Preview

Pictures = NDArray[np.uint8]
Metric = Literal["psnr", "ssim", "error"]
METRICS: dict[Metric, tuple[str, str, bool]] = {  # title, unit, whether more is better
    "psnr": ("PSNR", "dB", True), "ssim": ("SSIM", "", True), "error": ("Squared error", "", False)}
MAX_FUTURES, MAX_HORIZON, MAX_FRAMES = 1000, 500, 1000
MAX_CLIPS = 256
MAX_SEED = 2**31 - 1
RATE = 10.0  # frames a second, where the data has none of its own


class Futures(NamedTuple):
    """Some futures of one clip: the first has number `first`. Numbers do not change with how many there are."""

    first: int
    frames: Tensor  # (n, H, *frame), as the model reads them
    codes: Tensor | None  # (n, H, r); None of a model without codes
    prior_sd: Tensor | None  # (n, H, r), of the prior that each code was drawn from


class Bound(NamedTuple):
    """The ELBO of a clip by frame, in nats: of frames 1 .. T-1 given those before. Exact without a code."""

    log_prob: Numbers  # (T-1,) with a code drawn from its posterior
    kl: Numbers  # (T-1,); (1,) of a model with one code a clip; (0,) without a code


@dataclass(frozen=True)
class VideoCheckpoint:
    """A model of clips with the test clips that travel with it.

    `clips` (N, T, *frame) are as stored, and `events` (N, T) the frames that could not be foreseen from those before.
    """

    run: Run
    model: VideoFamily
    clips: Tensor
    events: NDArray[np.bool_] | None = None

    @classmethod
    def load(cls, run: Run) -> VideoCheckpoint:
        """Open a run of clips.

        Raises `BrokenCheckpoint` or `StoreError` for files that are missing or damaged, `WrongView` for a model of
        something else.
        """
        model = read_model(run, CLIP)
        if not isinstance(model, VideoFamily):
            raise BrokenCheckpoint(f"{WEIGHTS} of {run.id} does not describe a model of clips. {COPY_AGAIN}.")
        run.summary()  # the rate is read from it: a broken one is told now, not when a clip is shown
        clips, events = read_examples(run, lambda stored: _stored_clips(stored, model))
        return cls(run, model, clips, events)

    # -- what it is

    @property
    def name(self) -> str:
        """The modality's name."""
        return self.model.modality

    @property
    def frame(self) -> tuple[int, ...]:
        """Shape of a frame: (C, H, W), or (D,) of a state."""
        return self.model.frame

    @property
    def pixels(self) -> bool:
        """Whether frames are pictures; states are drawn as discs."""
        return self.model.pixels

    @property
    def fit(self) -> Fit:
        """How clips of another aspect come to the size of a frame: as those that it learned from did."""
        data = self.run.values().get("data")
        found = data.get("fit") if isinstance(data, dict) else None
        return next((fit for fit in get_args(Fit) if fit == found), "crop")

    @property
    def count(self) -> int:
        """How many test clips there are."""
        return len(self.clips)

    @property
    def length(self) -> int:
        """Frames of a test clip."""
        return int(self.clips.shape[1])

    @property
    def learned(self) -> int:
        """Frames that the model learned from, T."""
        return self.model.modalities[self.name].shape[0]

    @property
    def context(self) -> int:
        """Frames given in training: the default."""
        return self.model.context

    @property
    def horizon(self) -> int:
        """The default: to the end of the test clips."""
        return max(1, min(self.length - self.context, MAX_HORIZON))

    @property
    def size(self) -> int:
        """Numbers r that a frame of a future is drawn from; 0 where there is one future."""
        return self.model.noise_size

    @property
    def stochastic(self) -> bool:
        """Whether the model has more than one future."""
        return self.model.stochastic

    @property
    def learned_prior(self) -> bool:
        """Whether the prior of a code has read the frames before, so that its sd may tell when something may happen."""
        return self.model.prior_moves

    @property
    def one_code(self) -> bool:
        """Whether one code serves the whole clip (SV2P, time-invariant): then `traverse` moves through it."""
        return self.model.one_code and self.learned > 2

    @property
    def one_length(self) -> bool:
        """Whether the posterior reads clips of the training's length only."""
        return self.model.one_length

    @cached_property
    def rate(self) -> float:
        """Frames a second: those of the data, or 10."""
        found = self.run.summary().get("rate")
        good = isinstance(found, int | float) and math.isfinite(found) and 0.1 <= found <= 120
        return float(found) if good and isinstance(found, int | float) else RATE

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What futures are scored by."""
        if not self.pixels:
            return ("error",)
        return ("psnr", "ssim") if has_ssim(self.frame) else ("psnr",)

    # -- clips

    def title(self, index: int) -> str:
        """A test clip in a line."""
        self._checked_clip(index)
        events = self.events_of(index)
        told = f", {len(events)} unforeseen {'move' if len(events) == 1 else 'moves'}"
        return f"Clip {index} · {self.length} frames{told if self.events is not None else ''}"

    def events_of(self, index: int) -> list[int]:
        """The frames of a test clip that could not be foreseen."""
        self._checked_clip(index)
        return [] if self.events is None else [int(t) for t in np.flatnonzero(self.events[index])]

    def clip(self, index: int) -> Tensor:
        """A test clip as the model reads it, (T, *frame); raises `ConfigError` for one that is not there."""
        self._checked_clip(index)
        return scaled(self.clips[index]).float()

    def given(self, frames: NDArray[Any]) -> Tensor:
        """Somebody's own clip as the model reads it: uint8 (T, C, H, W), or states (T, D).

        A grey clip is shown to a model of colours as it is, and colours to a grey one by their brightness. Raises
        `ConfigError` for another shape, too many frames, and numbers that are not finite.
        """
        x = np.asarray(frames)
        if self.pixels and x.ndim == 4 and x.dtype == np.uint8 and {x.shape[1], self.frame[0]} == {1, 3}:
            grey = np.array([0.299, 0.587, 0.114])[:, None, None]
            x = x.repeat(3, 1) if x.shape[1] == 1 else np.rint((x * grey).sum(1, keepdims=True)).astype(np.uint8)
        if x.ndim != len(self.frame) + 1 or x.shape[1:] != self.frame or (x.dtype != np.uint8) == self.pixels:
            raise problem("clip", tuple(x.shape), f"frames of shape {tuple(x.shape[1:])} in {x.dtype} do not fit "
                          f"{self.run.id}.",
                          f"Give {'uint8' if self.pixels else 'float'} frames of shape {self.frame}.")
        if not 1 <= len(x) <= MAX_FRAMES:
            raise problem("clip", len(x), f"a clip has 1 to {MAX_FRAMES:,} frames.", "Cut it.")
        if not np.isfinite(x).all():
            raise problem("clip", "nan", "it holds numbers that are not finite.", "Leave those frames out.")
        return scaled(torch.from_numpy(np.ascontiguousarray(x))).float()

    def past(self, clip: Tensor, context: int | None = None) -> Tensor:
        """The first c frames of a clip, (c, *frame); raises `ConfigError` for a clip that is shorter."""
        c = self.context if context is None else context
        if c < 1:
            raise problem("context", c, "a future follows at least one frame.", "Use 1 or more.")
        if len(clip) < c:
            raise problem("context", c, f"{c} frames are to be given, and this clip has {len(clip)}.",
                          f"Use at most {len(clip)}, or a longer clip.")
        return clip[:c]

    # -- futures

    def roll(self, past: Tensor, horizon: int | None = None, futures: int = 10, seed: int = 0, *, start: int = 0
             ) -> Iterator[Futures]:
        """Futures of `past` (c, *frame), number `start` to `futures` - 1, chunk by chunk.

        The first chunk is a single future, which is there at once, and no chunk takes more than 64 MB.

        Number i of a seed is the same future whatever `futures`, `start` and the chunks are, and begins the same for a
        longer horizon: up to rounding, which grows over hundreds of frames. Another checkpoint gets the same noise; of
        a smaller latent the first of its numbers. A model without noise gives one future. Raises `ConfigError` that
        names field and remedy, at once.
        """
        horizon = self.horizon if horizon is None else horizon
        _within("horizon", horizon, MAX_HORIZON, "frames")
        _within("futures", futures, MAX_FUTURES, "futures")
        _seeded(seed)
        if past.ndim != len(self.frame) + 1 or tuple(past.shape[1:]) != self.frame or not len(past):
            raise problem("past", tuple(past.shape), f"{self.run.id} reads frames of shape {self.frame}.",
                          "Give (c, *frame), at least one of them.")
        return self._rolled(past, horizon, futures, seed, start)

    def future(self, past: Tensor, horizon: int | None = None, seed: int = 0, number: int = 0) -> Tensor:
        """A single future of `roll` by its number, (H, *frame).

        It is the same up to rounding, which grows over hundreds of frames.
        """
        return next(self.roll(past, horizon, number + 1, seed, start=number if self.stochastic else 0)).frames[0]

    def branch(self, past: Tensor, future: Tensor, frame: int) -> Tensor:
        """The past from which one goes on at frame `frame` of a clip; `roll` draws on from it.

        After `past` (c, *frame) all frames of `future` (H, *frame) up to and including that one, or the first frames of
        `past` alone.

        Raises `ConfigError` for a frame outside.
        """
        whole = torch.cat([past, future])
        if not 0 <= frame < len(whole):
            raise problem("branch_at", frame, f"the clip and this future have frames 0 to {len(whole) - 1}.",
                          "Use one of them.")
        return whole[:frame + 1]

    @torch.inference_mode()
    def traverse(self, past: Tensor, horizon: int | None, dimension: int, values: Sequence[float]) -> Tensor:
        """Futures with one number of the noise at each of `values` in every frame, and all others 0: (S, H, *frame).

        Of a model with one code a clip this moves through the code, in standard deviations of its prior.
        Raises `ConfigError` for a dimension that is not there.
        """
        horizon = self.horizon if horizon is None else horizon
        _within("horizon", horizon, MAX_HORIZON, "frames")
        _within("values", len(values), 32, "values")
        if not 0 <= dimension < self.size:
            raise problem("dimension", dimension, f"{self.run.id} has {self.size} dimensions of noise.",
                          f"Use 0 to {self.size - 1}." if self.size else "Choose a model with a code.")
        drawn = torch.zeros(len(values), horizon, self.size)
        drawn[:, :, dimension] = torch.tensor(list(values), dtype=torch.float32)[:, None]
        generator = torch.Generator().manual_seed(0)
        return torch.cat([self.model.roll_out(past[None], horizon, part, generator).frames[0]
                          for part in torch.split(drawn, 4)])

    # -- a whole clip, frame after frame from the true ones before it

    @torch.inference_mode()
    def reconstruction(self, clip: Tensor) -> Tensor:
        """Frames 1 .. T-1 from the true ones before them and their codes' posterior means, (T-1, *frame).

        Of a model whose posterior reads clips of one length only, as SV2P's does, these are as many frames as it
        learned from. Raises `ConfigError` for a clip that is too short.
        """
        batch = self.batch(clip)
        return self.model.predictions(batch, self.model.encode(batch), mean=True).mean[0]

    def batch(self, clip: Tensor) -> dict[str, Tensor]:
        """A clip as the model reads it, a batch of one; raises `ConfigError` for one that is too short."""
        return {self.name: self._readable(clip)}

    def bound(self, clip: Tensor, seed: int = 0) -> Bound:
        """The ELBO of a clip by frame, of as many frames as `reconstruction` has.

        log p(x|z) is taken with one code drawn from the posterior.
        """
        log_prob, kl = bound_by_frame(self.model, self._readable(clip), torch.Generator().manual_seed(seed))
        return Bound(as_numbers(log_prob[0]), as_numbers(kl[0]) if self.model.latents else np.zeros(0))

    def kl_per_frame(self, clip: Tensor) -> Numbers:
        """KL of each code from its prior in nats, (T-1,) for frames 1 .. T-1; (1,) or (0,) as `Bound` has it."""
        return self.bound(clip).kl

    def prior_sd(self, clip: Tensor) -> Numbers | None:
        """Standard deviation of the learned prior by frame, the mean over dimensions, (T-1,).

        The prior of frames 1 .. T-1 has read the true frames before. None without a learned prior.
        """
        found = prior_sd(self.model, self._readable(clip))
        return None if found is None else as_numbers(found[0])

    # -- pictures

    def pictures(self, frames: Tensor) -> Pictures:
        """Frames (..., *frame) as uint8 (..., C, H, W), C 1 or 3; states as discs on black, (..., 3, 64, 64)."""
        if not self.pixels:
            return draw_states(frames, *self._range)
        x = (frames.float() * 255).round().clamp(0, 255).to(torch.uint8).numpy()
        return x if x.shape[-3] in (1, 3) else x[..., :1, :, :]

    def spread_pictures(self, spread: Tensor) -> Pictures:
        """Standard deviations (..., *frame) as uint8 grey (..., 1, H, W).

        White is 0.5, the most that numbers in [0, 1] can vary by. Raises `ValueError` for states.
        """
        if not self.pixels:
            raise ValueError("the spread of states is no picture.")
        x = (spread.float().mean(-3, keepdim=True) * 510).round().clamp(0, 255)
        return x.to(torch.uint8).numpy()

    def preview(self, frames: int = 10, futures: int = 3) -> Preview:
        """A test clip, and under it some of its futures, one of `frames` frames beside the other."""
        clip = self.clip(0)
        context = min(self.context, max(1, len(clip) - 1))
        past = self.past(clip, context)
        horizon = max(1, min(len(clip) - context, MAX_HORIZON))
        strips = [Strip("", self.pictures(clip))]
        for chunk in self.roll(past, horizon, futures):
            strips += [Strip("", self.pictures(torch.cat([past, future]))) for future in chunk.frames]
        return Preview("preview.png", contact_sheet(strips, context=context, columns=frames, width=720))

    # -- inside

    def _rolled(self, past: Tensor, horizon: int, futures: int, seed: int, start: int) -> Iterator[Futures]:
        for first, chunk in rolled(self.model, past[None], horizon, futures, seed, start=start):
            yield Futures(first, chunk.frames[0], None if chunk.codes is None else chunk.codes[0],
                          None if chunk.prior_sd is None else chunk.prior_sd[0])

    def _readable(self, clip: Tensor) -> Tensor:
        """A batch of the clip, (1, T, *frame), cut where the posterior reads one length only."""
        if len(clip) < 2:
            raise problem("clip", len(clip), "nothing is predicted in a clip of one frame.", "Use 2 frames or more.")
        if not self.one_length:
            return clip[None]
        if len(clip) < self.learned:
            raise problem("clip", len(clip), f"the posterior of {self.run.id} reads clips of {self.learned} frames.",
                          "Use a longer clip; futures can be rolled out without it.")
        return clip[None, :self.learned]

    def _checked_clip(self, index: int) -> None:
        if not 0 <= index < self.count:
            raise problem("clip", index, f"{self.run.id} keeps {self.count} test clips.",
                          f"Use 0 to {self.count - 1}.")

    @cached_property
    def _range(self) -> tuple[float, float]:
        """Where states lie in the test clips."""
        return float(self.clips.min()), float(self.clips.max())


# -- parts -----------------------------------------------------------------------------------------


def _stored_clips(stored: Mapping[str, Tensor], model: VideoFamily) -> tuple[Tensor, NDArray[np.bool_] | None]:
    """Test clips as they are stored (N, T, *frame), and their events (N, T)."""
    clips, events = stored[model.modality][:MAX_CLIPS], stored.get(EVENTS)
    if clips.ndim < 3 or tuple(clips.shape[2:]) != model.frame or not len(clips):
        raise ValueError(f"clips of shape {tuple(clips.shape)}")
    if not 2 <= clips.shape[1] <= MAX_FRAMES:
        raise ValueError(f"clips of {clips.shape[1]} frames")
    if (clips.dtype == torch.uint8) != model.pixels or not bool(clips.float().isfinite().all()):
        raise ValueError("numbers that are no frames")
    if events is not None:
        events = events[:MAX_CLIPS]
    if events is not None and events.shape != clips.shape[:2]:
        events = None
    return clips, None if events is None else events.bool().numpy()


def _within(name: str, value: int, most: int, what: str) -> None:
    if not 1 <= value <= most:
        raise problem(name, value, f"{value:,} {what} cannot be rolled out.", f"Use 1 to {most}.")


def _seeded(seed: int) -> None:
    if not 0 <= seed <= MAX_SEED:
        raise problem("seed", seed, "a seed is a number that is not negative.", f"Use 0 to {MAX_SEED:,}.")


def as_numbers(x: Tensor) -> Numbers:
    """A tensor in double precision on the CPU, without its gradient."""
    found: Numbers = x.detach().double().cpu().numpy()
    return found
