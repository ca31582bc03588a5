"""Futures of a clip, rolled out in small steps so that a page can show them as they come, and kept while there is room.

What was rolled out depends on the checkpoint, the frames given and the settings only, so all visitors share it; what a
visitor looks at, and how he came there by branching, is his own.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import player
from pages.shared import checkpoints
from vaecore.memory import held

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.explore.clips.checkpoint import VideoCheckpoint
    from vaecore.explore.clips.scoring import Gathered

KEEP = 8  # futures whose frames are kept, besides the best ones
MIN_ROOM = 6  # clips that the player has room for, however long they are
STEP = 0.5  # s of work until the page shows what is there


@dataclass(frozen=True)
class Turn:
    """Where one left a plan for another: after a frame of the true clip, or of one of its futures."""

    frame: int  # the last one that is kept, from 0
    future: int | None  # its number, from 0; None for the true clip
    seed: int  # of the plan that was left

    @classmethod
    def read(cls, word: str, most: tuple[int, int, int]) -> Turn | None:
        """What `word` says, none of its numbers larger than `most`; None for what says nothing of the kind."""
        if not re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,10}", word):
            return None
        frame, future, seed = (int(number) for number in word.split("."))
        if not 1 <= frame <= most[0] or future > most[1] or seed > most[2]:
            return None
        return cls(frame - 1, future - 1 if future else None, seed)

    @property
    def word(self) -> str:
        """As the address has it: frame and future from 1, and the seed; the true clip is future 0."""
        return f"{self.frame + 1}.{0 if self.future is None else self.future + 1}.{self.seed}"

    @property
    def words(self) -> str:
        """As it is read: "at frame 13 from future 3"."""
        source = "the true clip" if self.future is None else f"future {self.future + 1}"
        return f"at frame {self.frame + 1} from {source}"


@dataclass(frozen=True)
class Plan:
    """What is to be rolled out. H' true frames are known after the past."""

    past: Tensor  # (c, *frame)
    truth: Tensor  # (H', *frame), of which at most `horizon` are used
    horizon: int
    futures: int
    seed: int
    turn: Turn | None = None  # how one came here from the plan before
    of_truth: bool = True  # whether the past is that of the true clip

    @property
    def context(self) -> int:
        return len(self.past)

    @property
    def total(self) -> int:
        """Frames on the clock."""
        return len(self.past) + self.horizon

    @property
    def digest(self) -> str:
        """Of all that decides what comes of it."""
        content = blake2b(digest_size=16)
        for part in (self.past, self.truth[:self.horizon]):
            content.update(f"{tuple(part.shape)}".encode())
            content.update(part.contiguous().numpy().tobytes())
        content.update(f"{self.horizon} {self.futures} {self.seed}".encode())
        return content.hexdigest()


class Roll:
    """A plan on its way: `advance` does some of the work, `looked_at` keeps others from changing what is read."""

    def __init__(self, checkpoint: VideoCheckpoint, plan: Plan) -> None:
        """Raises `ConfigError` for a plan that cannot be rolled out."""
        from vaecore.explore.clips.scoring import Gathered

        self.checkpoint, self.plan = checkpoint, plan
        self.total = plan.futures if checkpoint.stochastic else 1
        self.chunks = checkpoint.roll(plan.past, plan.horizon, self.total, plan.seed)
        self.gathered = Gathered(checkpoint, plan.truth[:plan.horizon], plan.past[-1], KEEP)
        self.done = False
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Futures so far."""
        return self.gathered.count

    def advance(self, seconds: float = STEP) -> None:
        """At least the next chunk, which at first is a single future, and others until `seconds` have passed; then
        `count` has grown or `done` is set."""
        with self._lock:
            end = time.monotonic() + (seconds if self.count else 0)
            for futures in self.chunks:
                self.gathered.add(futures)
                if time.monotonic() >= end:
                    break
            else:  # nothing more comes: all are there, or an error, shown to whoever met it, ended it
                self.done = True
            self.done = self.done or self.count >= self.total

    @contextmanager
    def looked_at(self) -> Iterator[Gathered]:
        """What there is so far; nothing is added meanwhile."""
        with self._lock:
            yield self.gathered


def roll(checkpoint: VideoCheckpoint, plan: Plan) -> Roll:
    """The one roll-out of this plan, begun or not, or done. Raises `ConfigError` for a plan that cannot be rolled
    out."""
    return _roll(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), plan.digest, checkpoint, plan)


@held
def _roll(path: str, stamps: tuple[int, ...], digest: str,  # noqa: ARG001 (the cache's key)
          _checkpoint: VideoCheckpoint, _plan: Plan) -> Roll:
    return Roll(_checkpoint, _plan)


# -- what a visitor looks at -----------------------------------------------------------------------


@dataclass
class Stage:
    """The plans of a visitor for one clip: the first is the trunk, each later one branched off the one before."""

    place: str  # checkpoint and clip
    plans: list[Plan] = field(default_factory=list)
    rolling: bool = False

    @classmethod
    def of(cls, place: str) -> Stage:
        """The visitor's, or a new one where he has turned to something else."""
        found = st.session_state.get("video-stage")
        if not isinstance(found, cls) or found.place != place:
            found = st.session_state["video-stage"] = cls(place)
        return found

    @property
    def plan(self) -> Plan | None:
        return self.plans[-1] if self.plans else None

    @property
    def branched(self) -> bool:
        return len(self.plans) > 1

    def show(self, plan: Plan) -> None:
        """Roll this out instead of what is shown now."""
        self.plans[-1:] = [plan]
        self.rolling = True

    def branch(self, plan: Plan) -> None:
        self.plans.append(plan)
        self.rolling = True

    def follow(self, plans: list[Plan]) -> None:
        """Show where a link leads, with the way that it came."""
        self.plans, self.rolling = plans, True

    def clear(self) -> None:
        """Nothing was rolled out."""
        self.plans, self.rolling = [], False

    def back(self, steps: int = 1) -> None:
        """Undo so many branches; what was rolled out before is shown again."""
        del self.plans[max(1, len(self.plans) - steps):]
        self.rolling = True  # it is there already, unless it was stopped or has been forgotten


def longest(frame: tuple[int, ...], *, pixels: bool) -> int:
    """Frames that the player has room for."""
    from vaecore.explore.clips.states import SIDE

    channels, height, width = frame if pixels else (3, SIDE, SIDE)
    return max(2, min(player.MAX_FRAMES, player.BYTES // (MIN_ROOM * channels * height * width)))
