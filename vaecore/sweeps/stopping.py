"""Which points are ended before their time: pure functions of curves, so that made ones can try them. No torch.

A point is judged by the mean over its seeds, against other points at the same epoch over the same seeds; the best is
never stopped, as only that is of which enough others are better. What lies before a training's `judged_from`, the ramp
of beta and of the cost of the KL, is no number to compare: of an autoencoder, which beta near 0 is, the error is small
and the ELBO is bad.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

from vaecore.sweeps.declared import Halving, Median, NoStopping
from vaecore.sweeps.objective import Curve
from vaecore.words import are, counted


@dataclass(frozen=True)
class Course:
    """How far a point has come. `curves` are (epoch, value) by seed, of which larger is better."""

    curves: Mapping[int, Curve]
    judged_from: float  # epoch before which it is not judged, and judges nobody
    epochs: float  # of a whole training
    running: bool = True  # whether there is anything to stop
    finished: frozenset[int] = frozenset()  # seeds that have come to their end, which may be before the last epoch

    def last(self, seed: int) -> float:
        """The epoch of a seed's last evaluation; -1 before the first."""
        return self.curves[seed][-1][0] if self.curves.get(seed) else -1.0

    @property
    def epoch(self) -> float:
        """How far the seed has come that is ahead."""
        return max(map(self.last, self.curves), default=-1.0)

    def compares(self, seed: int, epoch: float) -> bool:
        """Whether a seed has come as far as an epoch, or to its end."""
        return epoch >= self.judged_from and (seed in self.finished or self.last(seed) >= epoch)

    def best(self, seed: int, epoch: float) -> float | None:
        """The best value of a seed up to an epoch, of what may be judged; None where there is none."""
        curve = self.curves.get(seed, [])
        upto = bisect_right(curve, epoch, key=lambda pair: pair[0])
        return max((value for at, value in curve[:upto] if at >= self.judged_from), default=None)


def stopped(rule: Median | Halving | NoStopping, courses: Mapping[int, Course]) -> dict[int, str]:
    """The points that are running and are to be stopped, each with the reason in words."""
    match rule:
        case Median():
            return {number: why for number, course in courses.items()
                    if course.running and (why := _below_median(rule, number, courses))}
        case Halving():
            return {number: why for number, course in courses.items()
                    if course.running and (why := _not_through(rule, number, courses))}
    return {}


def _below_median(rule: Median, number: int, courses: Mapping[int, Course]) -> str:
    own = courses[number]
    epoch = own.epoch
    if epoch < max(own.judged_from, rule.grace * own.epochs):
        return ""
    pairs = _pairs(number, courses, epoch)
    if len(pairs) < rule.at_least:
        return ""
    if median(mine - theirs for mine, theirs in pairs) < 0:
        return f"at epoch {epoch:g} it is worse than the median of {counted(len(pairs), 'other point')}"
    return ""


def _not_through(rule: Halving, number: int, courses: Mapping[int, Course]) -> str:
    own = courses[number]
    rung = rule.first * own.epochs
    while rung < own.epochs:
        # Where the beta is still on its way, the rung is where it has arrived.
        epoch = max(rung, own.judged_from)
        if own.epoch >= epoch:
            pairs = _pairs(number, courses, epoch)
            among = len(pairs) + 1
            if among >= rule.factor:
                better = sum(theirs > mine for mine, theirs in pairs)
                if better >= max(1, among // rule.factor):
                    return (f"at epoch {epoch:g} {better} of {counted(among - 1, 'other point')} {are(better)} better, "
                            f"and one in {rule.factor} goes on")
        rung *= rule.factor
    return ""


def _pairs(number: int, courses: Mapping[int, Course], epoch: float) -> list[tuple[float, float]]:
    """(its mean, the other's mean) against each other point that has come as far, over the seeds that both have."""
    own, found = courses[number], []
    for other, course in courses.items():
        if other == number:
            continue
        shared = [seed for seed in own.curves if own.compares(seed, epoch) and course.compares(seed, epoch)]
        values = [(mine, theirs) for seed in shared if (mine := own.best(seed, epoch)) is not None
                  and (theirs := course.best(seed, epoch)) is not None]
        if values:
            found.append((fmean(mine for mine, _ in values), fmean(theirs for _, theirs in values)))
    return found
