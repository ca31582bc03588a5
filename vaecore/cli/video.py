"""`vaecore rollout`: frames of a clip are given, and futures of it are drawn, scored and saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from vaecore.cli.printing import JsonOption, RunArgument, StoreOption, err, say, shown, store_at, writable
from vaecore.schema import problem
from vaecore.words import counted

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.explore.clips.checkpoint import Futures, VideoCheckpoint
    from vaecore.explore.clips.films import Strip
    from vaecore.explore.clips.scoring import Gathered

ENDINGS = (".gif", ".mp4", ".png", ".npz")
SHOWN = 6  # futures in a picture, besides the best
MAX_ARRAY_BYTES = 2**28  # of an .npz, before it is compressed

app = typer.Typer()


@app.command()
def rollout(
    run: RunArgument,
    clip: Annotated[int | None, typer.Option("--clip", metavar="N", help="A test clip, from 0.", show_default="0"
                                             )] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A clip of your own instead: a film, a GIF or an "
                                              ".npz.")] = None,
    context: Annotated[int | None, typer.Option(help="Frames given.", show_default="as in training")] = None,
    horizon: Annotated[int | None, typer.Option(help="Frames predicted, at most 500.", show_default="to the end of the "
                                                "test clips")] = None,
    futures: Annotated[int, typer.Option(help="Futures N, at most 1000.")] = 10,
    seed: Annotated[int, typer.Option(help="Future i of a seed is the same whatever N is, up to rounding, which grows "
                                       "over hundreds of frames.")] = 0,
    branch_at: Annotated[int | None, typer.Option("--branch-at", metavar="T", help="Keep what is known up to this "
                                                  "frame, counted from 0, and draw anew from there.")] = None,
    branch_future: Annotated[int | None, typer.Option("--branch-future", metavar="K", help="The future that is kept up "
                                                      "to there.", show_default="the true clip")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--out", "--output", callback=writable,
                                                help="A .gif, .mp4 or .png (contact sheet) "
                                                "of truth and futures, or an .npz of all frames.")] = None,
    scale: Annotated[int | None, typer.Option("--scale", min=1, max=32, help="Screen pixels to a pixel of a GIF or "
                                              "MP4.", show_default="what fits")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a model the first frames of a clip and roll futures out; scores are of predicted frames only.

    With --branch-at the clip still ends where it did before: only the frames after T are drawn anew.
    """
    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.explore.clips.scoring import Gathered

    if output is not None and output.suffix.lower() not in ENDINGS:
        raise problem("--out", str(output), "it is no kind of file that clips are saved as.",
                      f"End it in {', '.join(ENDINGS)}.")
    if branch_future is not None and branch_at is None:
        raise problem("--branch-future", branch_future, "nothing says at which frame to branch.", "Add --branch-at T.")
    if clip is not None and file is not None:
        raise problem("--file", str(file), "--clip already says which clip.", "Leave one of them out.")
    found = VideoCheckpoint.load(store_at(store).find(run))
    whole, rate = (found.clip(clip or 0), found.rate) if file is None else _own(found, file)
    past = found.past(whole, context)
    length = found.horizon if horizon is None else horizon
    truth = whole[len(past):]
    chunks = found.roll(past, length, futures, seed)  # what is wrong is said here, before there is a bar or a branch
    if branch_at is not None:
        past, length, truth = _branched(found, whole, past, length, seed, branch_at, branch_future)
        chunks = found.roll(past, length, futures, seed)
    gathered = Gathered(found, truth[:length], past[-1], keep=SHOWN)
    keep = _kept(found, futures, length) if output is not None and output.suffix.lower() == ".npz" else None
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("rolling out", total=futures if found.stochastic else 1)
        for chunk in chunks:
            gathered.add(chunk)
            if keep is not None:
                keep[0](chunk)
            progress.update(task, completed=gathered.count)
    if output is not None:
        try:
            data = keep[1](past, truth) if keep is not None else _drawn(found, gathered, past, rate, output, scale)
        except ValueError as error:
            raise problem("--out", str(output), str(error), "The numbers are printed without it.") from None
        output.write_bytes(data)
        err.print(f"{output} written", highlight=False)
    if futures > 1 and not found.stochastic:
        err.print(f"{found.run.id} has no noise, so it has one future.", highlight=False, markup=False)
    facts = _facts(found, gathered, whole, past, seed, rate)
    facts |= {"clip": None if file else clip or 0, "file": str(file) if file else None,
              "branch": None if branch_at is None else {"at": branch_at, "future": branch_future},
              "events": found.events_of(clip or 0) if file is None else []}
    say(facts, as_json, "\n".join(_lines(facts)))


def _own(found: VideoCheckpoint, file: Path) -> tuple[Tensor, float]:
    """A clip from a file, and its frames a second."""
    from vaecore.data.own.clip_file import read_clip
    from vaecore.explore.clips.checkpoint import MAX_FRAMES

    if not found.pixels:
        raise problem("--file", str(file), f"{found.run.id} reads frames of shape {found.frame}, and files have "
                      "pictures.", "Choose a test clip with --clip.")
    frames, rate = read_clip(file, size=(found.frame[1], found.frame[2]), fit=found.fit, most_frames=MAX_FRAMES,
                             grey=found.frame[0] == 1, field="--file",
                             tell=lambda done: err.print(f"{file}: {done}", highlight=False, markup=False))
    return found.given(frames), rate or found.rate


def _branched(found: VideoCheckpoint, whole: Tensor, past: Tensor, length: int, seed: int, at: int,
              number: int | None) -> tuple[Tensor, int, Tensor]:
    """What is given where one goes on from a frame, how many frames are left, and the true ones among them."""
    from vaecore.explore.clips.checkpoint import MAX_FUTURES, MAX_HORIZON

    end = len(past) + length
    if not 0 <= at < end - 1:
        raise problem("--branch-at", at, f"the clip ends with frame {end - 1}, so nothing would be left to draw.",
                      f"Use 0 to {end - 2}.")
    if end - at - 1 > MAX_HORIZON:
        raise problem("--branch-at", at, f"{end - at - 1:,} frames would be left, and {MAX_HORIZON} can be drawn.",
                      f"Use at least {end - 1 - MAX_HORIZON}.")
    many = MAX_FUTURES if found.stochastic else 1
    if number is not None and not 0 <= number < many:
        raise problem("--branch-future", number, "there is no such future.",
                      f"Use 0 to {many - 1}." if many > 1 else "Use 0.")
    if number is None and at >= len(whole):
        raise problem("--branch-at", at, f"the true clip ends with frame {len(whole) - 1}.",
                      "Say with --branch-future which future is kept.")
    if number is None or at < len(past):  # of a future nothing is kept where it has not begun
        return whole[:at + 1], end - at - 1, whole[at + 1:]
    future = found.future(past, length, seed, number)
    return found.branch(past, future, at), end - at - 1, whole[:0]


def _kept(found: VideoCheckpoint, futures: int, horizon: int
          ) -> tuple[Callable[[Futures], None], Callable[[Tensor, Tensor], bytes]]:
    """Takes all futures in, and gives them as an .npz: `past`, `futures` (N, H, *frame) and `truth`, pixels in uint8.

    Raises `ConfigError` where they would take too much.
    """
    import io
    import math

    import numpy as np

    size = futures * horizon * math.prod(found.frame) * (1 if found.pixels else 4)
    if size > MAX_ARRAY_BYTES:
        raise problem("--futures", futures, f"all frames of them would take {size:,} bytes.",
                      f"Use fewer, at most {MAX_ARRAY_BYTES:,} bytes, or save a .gif, .mp4 or .png.")
    parts: list[Any] = []

    def stored(frames: Tensor) -> Any:
        return (frames * 255).round().clamp(0, 255).byte().numpy() if found.pixels else frames.numpy()

    def take(chunk: Futures) -> None:
        parts.append(stored(chunk.frames))

    def give(past: Tensor, truth: Tensor) -> bytes:
        file = io.BytesIO()
        np.savez_compressed(file, past=stored(past), futures=np.concatenate(parts), truth=stored(truth[:horizon]))
        return file.getvalue()

    return take, give


def _drawn(found: VideoCheckpoint, gathered: Gathered, past: Tensor, rate: float, output: Path, scale: int | None
           ) -> bytes:
    from vaecore.explore.clips.films import contact_sheet, gif, mp4

    tracks = _tracks(found, gathered, past)
    if output.suffix.lower() == ".png":
        return contact_sheet(tracks, context=len(past))
    return (gif if output.suffix.lower() == ".gif" else mp4)(tracks, rate=rate, context=len(past), scale=scale)


def _tracks(found: VideoCheckpoint, gathered: Gathered, past: Tensor) -> list[Strip]:
    """Truth, the best, the mean, and the first futures, each with what was given before it."""
    import torch

    from vaecore.explore.clips.checkpoint import METRICS
    from vaecore.explore.clips.films import Strip

    horizon = len(gathered.kept[0])

    def strip(title: str, frames: Tensor) -> Strip:
        return Strip(title, found.pictures(torch.cat([past, frames])))

    tracks = [strip("truth", gathered.truth[:horizon])] if len(gathered.truth) else []
    if gathered.count > 1:
        tracks += [strip(f"best of {gathered.count}, {METRICS[metric][0]}", frames)
                   for metric, (_, frames) in gathered.best.items()]
        tracks.append(strip("mean", gathered.mean))
    return tracks + [strip(f"future {number}", frames) for number, frames in enumerate(gathered.kept)]


def _facts(found: VideoCheckpoint, gathered: Gathered, whole: Tensor, past: Tensor, seed: int, rate: float
           ) -> dict[str, Any]:
    """Numbers by predicted frame, and of the whole clip from its true frames."""
    known = len(whole) > 1 and not (found.one_length and len(whole) < found.learned)
    bound = found.bound(whole) if known else None
    sd = found.prior_sd(whole) if known else None
    return {
        "run": found.run.id, "context": len(past), "horizon": len(gathered.kept[0]), "futures": gathered.count,
        "seed": seed, "rate": rate, "diversity": gathered.diversity.tolist() if gathered.count > 1 else None,
        "scores": {metric: {"best": score.best, "best_by_frame": score.best_values.tolist(),
                            "mean_by_frame": score.mean.tolist(), "low_by_frame": score.low.tolist(),
                            "high_by_frame": score.high.tolist(),
                            "copied_by_frame": gathered.copied[metric].tolist()}
                   for metric, score in gathered.scores.items()},
        "kl_by_frame": bound.kl.tolist() if bound is not None else None,
        "log_prob_by_frame": bound.log_prob.tolist() if bound is not None else None,
        "prior_sd_by_frame": sd.tolist() if sd is not None else None}


def _lines(facts: dict[str, Any]) -> list[str]:
    from vaecore.explore.clips.checkpoint import METRICS

    many = facts["futures"] > 1
    lines = [f"{facts['run']}: {counted(facts['context'], 'frame')} given, {facts['horizon']} predicted, "
             f"{counted(facts['futures'], 'future')}, seed {facts['seed']}"]
    for metric, score in facts["scores"].items():
        title, unit, _ = METRICS[metric]
        best, mean = (score[name] for name in ("best_by_frame", "mean_by_frame"))
        best_mean, mean_mean = sum(best) / len(best), sum(mean) / len(mean)
        told = f"best {shown(best_mean)} (future {score['best']}), mean {shown(mean_mean)}" if many else \
            shown(mean_mean)
        lines.append(f"{title}: {told} {unit}".rstrip() + f", over {counted(len(best), 'frame')} of known truth; "
                     f"copying the last frame given {shown(sum(score['copied_by_frame']) / len(best))} {unit}".rstrip())
    if not facts["scores"]:
        lines.append("no true frame is known, so there are no scores")
    if facts["diversity"] is not None:
        lines.append(f"two futures differ by {shown(sum(facts['diversity']) / len(facts['diversity']))} (root mean "
                     "square, over frames)")
    if facts["kl_by_frame"]:
        lines.append(f"KL of the clip: {shown(sum(facts['kl_by_frame']))} nats")
    return lines
