"""Rolling a model of clips out: numbered futures from a seed, chunk by chunk within a budget of memory.

Shapes: B clips, c frames given, N futures of a clip, H frames of horizon, r latent size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from vaecore.models.video.shared import ACTIVATIONS_A_PIXEL, RollOut, VideoFamily

CHUNK_BYTES = 64 * 2**20  # that a chunk of futures takes, activations of one frame included
MAX_FUTURES_AT_ONCE = 32  # of a clip in a chunk, so that there is something to show and to stop
DRAWN_AT_ONCE = 8  # futures of a family that draws their pixels
NOISE_BLOCK = 16  # numbers of noise that one generator gives for a frame


def noise(seed: int, numbers: Sequence[int], horizon: int, size: int) -> Tensor:
    """Standard normal numbers (n, horizon, size) of the futures with these numbers.

    Those of a future depend on the seed and its number only: not on how many futures there are, and a longer horizon
    or a larger latent begins with the same ones, so that checkpoints of other sizes can be shown the same noise.
    """
    blocks = -(-size // NOISE_BLOCK)
    drawn = np.empty((len(numbers), horizon, blocks, NOISE_BLOCK), np.float32)
    for row, number in enumerate(numbers):
        for block in range(blocks):
            generator = np.random.default_rng((seed, number, block))
            drawn[row, :, block] = generator.standard_normal((horizon, NOISE_BLOCK), np.float32)
    return torch.from_numpy(drawn).view(len(numbers), horizon, blocks * NOISE_BLOCK)[..., :size]


def bytes_of_a_future(model: VideoFamily, horizon: int) -> int:
    """What a future takes while it is rolled out: its frames and codes, and the activations of one frame."""
    numbers = math.prod(model.frame)
    activations = numbers * (ACTIVATIONS_A_PIXEL if model.pixels else 64)
    return 4 * (horizon * (numbers + 2 * model.noise_size) + activations)


def at_once(model: VideoFamily, horizon: int, clips: int = 1) -> int:
    """How many futures of each of B clips are rolled out together: at most 64 MB, and at most 32."""
    return max(1, min(MAX_FUTURES_AT_ONCE, CHUNK_BYTES // (clips * bytes_of_a_future(model, horizon))))


def clips_at_once(model: VideoFamily, horizon: int) -> int:
    """How many clips are evaluated together, so that as many futures of each as may be fit into a chunk."""
    return max(1, CHUNK_BYTES // (MAX_FUTURES_AT_ONCE * bytes_of_a_future(model, horizon)))


@torch.inference_mode()
def rolled(model: VideoFamily, past: Tensor, horizon: int, futures: int, seed: int, *, start: int = 0
           ) -> Iterator[tuple[int, RollOut]]:
    """Futures `start` to `futures` - 1 of clips whose `past` (B, c, *frame) is given, chunk by chunk.

    The number of the first in each chunk, and the chunk.

    The first chunk is one future, which is there at once, and later ones are as large as memory allows. What a future
    is depends on the seed and its number only, up to rounding, which grows where frames are fed back: two chunkings
    may differ by 0.0003 after 25 frames, and by far more after hundreds. A model without noise has one future: it
    comes once.
    """
    if model.stochastic and not model.noise_size:
        yield from _drawn(model, past, horizon, range(start, futures), seed)
        return
    most = at_once(model, horizon, len(past))
    futures = futures if model.stochastic else min(futures, 1)
    done = start
    while done < futures:
        count = min(most, futures - done, max(1, 4 * (done - start)))
        yield done, model.roll_out(past, horizon, noise(seed, range(done, done + count), horizon, model.noise_size))
        done += count


def _drawn(model: VideoFamily, past: Tensor, horizon: int, numbers: range, seed: int) -> Iterator[tuple[int, RollOut]]:
    """The same of a family that draws its pixels: a draw depends on which others are made with it, so futures are made
    in blocks that are always the same, the first of one future, and what was not asked for is dropped."""
    size = min(DRAWN_AT_ONCE, at_once(model, horizon, len(past)))
    done = numbers.start
    while done < numbers.stop:
        block = 0 if done == 0 else 1 + (done - 1) // size
        first, count = (0, 1) if block == 0 else (1 + (block - 1) * size, size)
        generator = torch.Generator().manual_seed((seed * 1_000_003 + block) % 2**63)
        chunk = model.roll_out(past, horizon, torch.zeros(count, horizon, 0), generator)
        yield done, RollOut(chunk.frames[:, done - first:numbers.stop - first])
        done = first + count
