"""The shortest path between two codes in the decoder's metric, beside the straight and the spherical one.

A path of codes c(t), 0 <= t <= 1, draws a curve of pictures f(c(t)). Of all paths with the same ends the shortest has,
run through at a constant speed, the least energy: the integral of |d f(c(t)) / dt|^2, which is never less than the
square of the length. So the energy of N segments, N sum |f(c_{i+1}) - f(c_i)|^2, is made least over the points between
the ends. It asks for equal steps between *pictures*, and so keeps points from collapsing onto each other.

What is moved are coefficients of sines, each divided by its own energy: for a linear decoder that keeps distances all
directions are then equally steep, however many points a path has. Each of B paths has a line search of its own, so that
the energy of none ever rises. Shapes: B paths, N segments, r latent size, D numbers of a point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaecore.explore.codes import DRAWN, Codes, Route, between
from vaecore.explore.surface import Surface

SEGMENTS = 24  # of a path while its energy is made least
FINE = 4  # pieces of each of them, with which lengths are measured
ROUNDS = 100  # decodings of a path, at most
ENOUGH = 1e-4  # relative gain of energy over `PATIENCE` rounds, below which a path is done
PATIENCE = 4
MEMORY = 8  # pairs of steps and gradients from which curvature is guessed
HALVINGS = 10  # of a step that does not lead down


@dataclass(frozen=True)
class Descent:
    """What was found for each path: `codes` (B, N + 1, r), and how its energy fell."""

    codes: Tensor
    energies: NDArray[np.float64]  # (rounds + 1, B), never rising
    settled: NDArray[np.bool_]  # (B,) whether it stopped by itself


@dataclass(frozen=True)
class Way:
    """One path: its codes (S, r) at equal shares of the way, and what it is long."""

    codes: Codes
    length: float  # in the metric, as finely as it was measured
    speed: NDArray[np.float64]  # (M,) how fast the picture changes along it, evenly over the path


@dataclass(frozen=True)
class Ways:
    """The three paths between two codes, measured alike."""

    ways: dict[Route, Way]
    settled: bool  # whether the shortest one was found within the rounds that it had
    chord: float  # distance of the two pictures themselves: no path on the surface is shorter

    def __getitem__(self, path: Route) -> Way:
        return self.ways[path]

    def saved(self, other: Route = "straight") -> float:
        """The share of another path's length that the shortest one saves, from 0 to 1."""
        least, longer = self.ways["shortest"].length, self.ways[other].length
        return 1 - least / longer if least > 0 else 0.0  # between two equal codes rounding alone is longer


def ways(surface: Surface, start: Codes, end: Codes, steps: int = SEGMENTS + 1, *, rounds: int = ROUNDS) -> Ways:
    """The straight, the spherical and the shortest path from one code (r,) to another, `steps` codes each.

    The shortest is at equal distances of pictures; the others as `between` gives them. It is found from both of these,
    and is the shorter of what came of them: a shortest path among those nearby, for there may be others far away. It is
    never longer than the two.
    """
    fine = SEGMENTS * FINE + 1
    drawn = {path: torch.from_numpy(between(start, end, fine, path)) for path in DRAWN}
    begun = torch.stack([codes[::FINE] for codes in drawn.values()])
    found = shortest(surface, begun, rounds=rounds)
    candidates = torch.cat([_refined(found.codes, FINE), torch.stack(list(drawn.values()))])  # (4, fine, r)
    pieces = lengths(surface, candidates)
    best = int(pieces.sum(1).argmin())
    made: dict[Route, Way] = {
        path: Way(between(start, end, steps, path), float(pieces[2 + place].sum()),
                  pieces[2 + place].numpy() * (fine - 1)) for place, path in enumerate(DRAWN)}
    even = evenly(candidates[best], pieces[best], steps)
    speed = lengths(surface, evenly(candidates[best], pieces[best], fine)[None])[0]
    made["shortest"] = Way(even.numpy(), float(pieces[best].sum()), speed.numpy() * (fine - 1))
    with torch.inference_mode():
        ends = surface(candidates[0, [0, -1]])
    return Ways(made, bool(found.settled[best]) if best < 2 else True, float((ends[1] - ends[0]).norm()))


def lengths(surface: Surface, codes: Tensor) -> Tensor:
    """Lengths of the pieces of paths (B, S, r), from picture to picture: (B, S - 1)."""
    with torch.inference_mode():
        points = surface(codes.flatten(0, 1)).view(*codes.shape[:2], -1)
        pieces: Tensor = (points[:, 1:] - points[:, :-1]).norm(dim=-1)
        return pieces.double()


def evenly(codes: Tensor, pieces: Tensor, steps: int) -> Tensor:
    """Points on a path (S, r) at equal shares of its length, both ends included, (steps, r)."""
    gone = torch.cat([pieces.new_zeros(1), pieces.cumsum(0)])
    if not gone[-1] > 0:  # nothing changes along it: evenly among the codes
        gone = torch.linspace(0, 1, len(codes), dtype=pieces.dtype)
    wanted = torch.linspace(0, 1, steps, dtype=gone.dtype) * gone[-1]
    after = torch.searchsorted(gone, wanted, right=True).clamp(1, len(gone) - 1)
    width = (gone[after] - gone[after - 1]).clamp(min=1e-300)
    share = ((wanted - gone[after - 1]) / width).clamp(0, 1)[:, None].to(codes)
    found = codes[after - 1] + share * (codes[after] - codes[after - 1])
    found[0], found[-1] = codes[0], codes[-1]
    return found


def shortest(surface: Surface, begun: Tensor, *, rounds: int = ROUNDS, enough: float = ENOUGH) -> Descent:
    """Paths (B, N + 1, r) of least energy, from `begun` with the same ends; at most `rounds` decodings of each."""
    sines = _sines(begun.shape[1] - 1).to(begun)  # (N + 1, N - 1)
    segments = len(sines) - 1
    with torch.inference_mode():
        ends = surface(begun[:, [0, -1]].flatten(0, 1)).view(len(begun), 2, -1)
        least = (ends[:, 1] - ends[:, 0]).square().sum(-1)  # no path through these ends has less

    def energy(moved: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            moved = moved.detach().requires_grad_()
            codes = begun + sines @ moved
            points = surface(codes.flatten(0, 1)).view(*codes.shape[:2], -1)
            energies = segments * (points[:, 1:] - points[:, :-1]).square().sum((1, 2))
            [gradient] = torch.autograd.grad(energies.sum(), moved)
        return energies.detach(), gradient

    moved, energies, settled = _least(energy, begun.new_zeros(len(begun), segments - 1, begun.shape[2]), least,
                                      rounds, enough)
    return Descent(begun + sines @ moved, energies, settled)


def _sines(segments: int) -> Tensor:
    """Sines that vanish at both ends (N + 1, N - 1), each scaled so that it has energy 1 itself."""
    i, k = np.arange(segments + 1)[:, None], np.arange(1, segments)
    waves = math.sqrt(2 / segments) * np.sin(i * k * math.pi / segments)
    own = 4 * np.sin(k * math.pi / (2 * segments)) ** 2
    return torch.from_numpy(waves / np.sqrt(segments * own))


def _refined(codes: Tensor, pieces: int) -> Tensor:
    """Paths (B, N + 1, r) with each segment in so many straight pieces."""
    share = torch.arange(pieces).to(codes)[:, None] / pieces
    inner = codes[:, :-1, None] + share * (codes[:, 1:, None] - codes[:, :-1, None])
    return torch.cat([inner.flatten(1, 2), codes[:, -1:]], 1)


def _least(function: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor, bound: Tensor, rounds: int, enough: float
           ) -> tuple[Tensor, NDArray[np.float64], NDArray[np.bool_]]:
    """The minimum of each row's own function from x (B, ...) on, by L-BFGS with a line search for each row.

    `function` gives values (B,) and gradients; no value is below `bound` (B,), which tells how far a first step may go.
    """
    shape, x = x.shape, x.flatten(1)

    def at(rows: Tensor) -> tuple[Tensor, Tensor]:
        values, gradients = function(rows.view(shape))
        return values.double(), gradients.flatten(1)

    value, gradient = at(x)
    told = [value]
    square = gradient.square().sum(1)
    done = (square == 0) | (value - bound.double() <= 1e-6 * value)
    step = ((value - bound) / square.clamp(min=1e-30)).clamp(min=0).to(x)  # as far as a linear fall would reach
    direction, halved = -gradient, torch.zeros(len(x))
    kept: list[tuple[Tensor, Tensor, Tensor]] = []  # steps, changes of gradient, and 1 / their product, 0 where none
    for _ in range(rounds - 1):
        if bool(done.all()):
            break
        trial = x + step[:, None] * direction
        there, slope = at(trial)
        fall = (gradient * direction).sum(1)
        better = (there <= value + 1e-4 * step * fall) & ~done & there.isfinite()
        moved, turned = trial - x, slope - gradient
        product = (moved * turned).sum(1)
        curved = better & (product > 1e-10 * turned.square().sum(1))
        kept = [*kept[1 - MEMORY:], (moved, turned, torch.where(curved, 1 / product, 0.0))]
        x = torch.where(better[:, None], trial, x)
        gradient = torch.where(better[:, None], slope, gradient)
        value = torch.where(better, there, value)
        told.append(value)
        halved = torch.where(better, 0.0, halved + 1)
        ahead = _newton(gradient, kept)
        ahead = torch.where(((ahead * gradient).sum(1) < 0)[:, None], ahead, -gradient)
        direction = torch.where(better[:, None], ahead, direction)
        step = torch.where(better, 1.0, 0.5 * step)
        flat = len(told) > PATIENCE and told[-1 - PATIENCE] - value <= enough * value
        done = done | (halved > HALVINGS) | (flat & (halved == 0))
    return x.view(shape), torch.stack(told).numpy(), done.numpy()


def _newton(gradient: Tensor, kept: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Minus the gradient (B, n) over the curvature that steps have met: the two loops of Nocedal (1980), by row."""
    q, shares = gradient, []
    for moved, turned, inverse in reversed(kept):
        share = inverse * (moved * q).sum(1)
        shares.append(share)
        q = q - share[:, None] * turned
    scale = torch.ones(len(gradient)).to(gradient)
    for _, turned, inverse in kept:  # the latest that is one counts
        scale = torch.where(inverse > 0, 1 / (inverse * turned.square().sum(1)).clamp(min=1e-30), scale)
    q = scale[:, None] * q
    for (moved, turned, inverse), share in zip(kept, reversed(shares), strict=True):
        q = q + (share - inverse * (turned * q).sum(1))[:, None] * moved
    return -q
