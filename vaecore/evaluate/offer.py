"""What an evaluation of a run would do, before it is begun: which parts have a place, and how long they take here.

Page, command line and Python ask `offer`, so that all of them say the same. How long is told by how fast this model
reads, decodes and draws here, measured once, and by what each part says it does with that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from vaecore.evaluate.classifier import waiting
from vaecore.evaluate.likelihood import DECODED_AT_ONCE
from vaecore.evaluate.part import Speed
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.report import subject_of
from vaecore.evaluate.settings import Settings
from vaecore.evaluate.subject import WEIGHED_AT_ONCE, Subject
from vaecore.memory import pool
from vaecore.models.video.shared import VideoFamily
from vaecore.probability.gaussian import Point
from vaecore.store import Run

BURSTS, BURST_SECONDS = 3, 0.04  # in which the model is timed; the fastest counts
EVIDENCE = 1.5  # passes, for the terms of the bound and the errors beside them
SHORTER, LONGER = 0.7, 1.4  # what a range is of the estimate: what is fitted and compared besides is known roughly


@dataclass(frozen=True)
class Offer:
    """The parts that would be done, and how many seconds that takes: from `seconds` on to `at_most`."""

    observations: int  # of the split, which the evidence is of
    took: dict[str, float]  # seconds of the evidence, of each part that would be done, and of classifiers, in order
    not_applicable: dict[str, str]  # why others have no place, asked for or not

    @property
    def parts(self) -> tuple[str, ...]:
        """What is measured besides the evidence."""
        return tuple(name for name in self.took if name in PARTS)

    @property
    def seconds(self) -> float:
        """How long all of it takes at least."""
        return SHORTER * sum(self.took.values())

    @property
    def at_most(self) -> float:
        """How long all of it takes at most, where nothing else has the processor."""
        return LONGER * sum(self.took.values())

    def share(self, part: str, done: float) -> float:
        """How much of the whole is done where `done` of `part` is, from 0 to 1."""
        names = list(self.took)
        before = sum(list(self.took.values())[:names.index(part)]) if part in self.took else 0.0
        return (before + done * self.took.get(part, 0.0)) / max(sum(self.took.values()), 1e-9)

    def reasons(self) -> dict[str, list[str]]:
        """Why parts have no place, each reason once, with the titles of the parts."""
        found: dict[str, list[str]] = {}
        for name, why in self.not_applicable.items():
            found.setdefault(why, []).append(title(name))
        return found


def offer(run: Run, settings: Settings | None = None, *, subject: Subject | None = None, speed: Speed | None = None
          ) -> Offer:
    """What would be done of what `settings` ask, and how long it takes on this machine.

    `subject` is the run opened already, for these settings, and `speed` what was measured of it. Raises what
    `vaecore.evaluate.report.evaluate_run` raises before it begins.
    """
    subject = subject or subject_of(run, settings or Settings())
    opened = subject
    speed = speed or pool.get(("evaluate-speed", kind(opened)), lambda: measure(opened))
    refused = {name: why for name, part in PARTS.items() if (why := part.refused(subject))}
    took, judged = {"evidence": EVIDENCE * len(subject.feed) * speed.read}, set[str]()
    for name in subject.settings.parts:
        if name not in refused:
            asked = set(PARTS[name].judged(subject)) - judged
            judged |= asked
            if wait := sum(waiting(subject.complete, modality) for modality in asked):
                took["classifier"] = took.get("classifier", 0.0) + wait
            took[name] = PARTS[name].seconds(subject, speed)
    return Offer(len(subject.feed), took, refused)


def kind(subject: Subject) -> str:
    """What decides how fast a model is here, as text: the same for all runs that differ in their training alone."""
    return json.dumps(subject.config.model_dump(mode="json", include={"model", "data"}), sort_keys=True)


@torch.inference_mode()
def measure(subject: Subject) -> Speed:
    """How fast the model reads, decodes and draws on this machine, by the fastest of some short bursts.

    It leaves no trace: all noise comes from a generator of its own.
    """
    model, generator = subject.model, torch.Generator().manual_seed(0)
    few = subject.feed.first(min(WEIGHED_AT_ONCE, len(subject.feed), model.at_once(WEIGHED_AT_ONCE)))
    count = len(next(iter(few.values())))
    read = _fastest(lambda: model.elbo(few, generator)) / count
    encoded = {} if isinstance(model, VideoFamily) else model.encode(few)
    posteriors = {name: q for name, q in encoded.items() if not isinstance(q, Point)}
    if not posteriors or len(posteriors) < len(encoded):
        return Speed(read, read, read * model.sampling_passes)
    codes = max(1, model.at_once(DECODED_AT_ONCE) // count)
    known = {name: x.expand(codes, *x.shape).flatten(0, 1) for name, x in few.items() if name in model.modalities}

    def decode() -> None:
        z = {name: q.rsample(generator, codes).flatten(0, 1) for name, q in posteriors.items()}
        for name, p in model.decode(z).items():
            if name in known:
                p.log_prob(known[name])

    decoded = _fastest(decode) / (codes * count)
    return Speed(read, decoded, decoded)


def _fastest(work: Callable[[], object]) -> float:
    """Seconds of one time, of the fastest burst, by this thread's clock: others' work adds nothing to that."""
    work()  # the first one chooses kernels
    found = []
    for _ in range(BURSTS):
        start, used, times = time.perf_counter(), time.thread_time(), 0
        while not times or time.perf_counter() - start < BURST_SECONDS:
            work()
            times += 1
        found.append(min(time.perf_counter() - start, time.thread_time() - used) / times)
    return min(found)
