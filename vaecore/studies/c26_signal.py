"""C26: with more codes the encoder's gradient of an importance-weighted bound drowns in noise; DReG's does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from vaecore.data import Modality
from vaecore.models import Family, VAEConfig
from vaecore.models.single.bounds import IWAEConfig
from vaecore.nets import LinearConfig
from vaecore.probability.gaussian import LOG_2PI
from vaecore.probability.intervals import Interval, by_seed, over_seeds
from vaecore.probability.likelihoods import GaussianFixedConfig
from vaecore.studies.base import Bench, Finding, Result, Row, Study
from vaecore.studies.exhibit import Exhibit, Powers

SIZE, LATENT, SIGMA = 12, 4, 0.7
CODES = (1, 10, 100, 1_000)  # K
SEEDS = tuple(range(5))  # of the observations, and of where the encoder stands
OFF, WIDER = 0.02, 2.0  # how far weights of the encoder lie from the exact posterior's, and its variance in theirs
OBSERVATIONS, DRAWS = 8, 2_000  # gradients of each observation, each with codes of its own
CODES_AT_ONCE = 400_000  # through the decoder
PLAIN, DREG = "plain", "dreg"
NAMES = {PLAIN: "IWAE", DREG: "IWAE, DReG"}
FADES, GROWS = (-0.7, -0.3), (0.3, 0.7)  # between which exponents of K lie: theory has -1/2 and 1/2
SAME = 5.0  # standard errors by which the means of both may lie apart, of the thousand that are compared


def model(seed: int, gradient: str, codes: int) -> tuple[Family, Tensor]:
    """A linear VAE whose encoder is near the exact posterior, with a bound of K codes, and observations of its own.

    p(x) = N(0, W W' + sigma^2 I), the columns of W orthogonal, so that the posterior is diagonal and the optimum known.
    """
    generator = torch.Generator().manual_seed(seed)
    w = torch.linalg.qr(torch.randn(SIZE, LATENT, generator=generator)).Q * math.sqrt(SIZE) / 2
    bound = IWAEConfig(samples=1, gradient="plain" if gradient == PLAIN else "dreg").model_copy(
        update={"samples": codes})  # more than a training may have
    family = VAEConfig(latent_size=LATENT, network=LinearConfig(), likelihood=GaussianFixedConfig(sigma=SIGMA),
                       bound=bound).build({"vector": Modality("vector", (SIZE,))})
    precision = 1 + SIZE / 4 / SIGMA**2
    with torch.no_grad():
        weights = dict(family.named_parameters())
        for parameter in weights.values():
            parameter.zero_()
        weights["decoder.0.weight"].copy_(w)
        weights["encoder.1.weight"][:LATENT] = w.T / SIGMA**2 / precision
        weights["encoder.1.bias"][LATENT:] = math.log(WIDER / precision)
        for name in ("encoder.1.weight", "encoder.1.bias"):
            weights[name].add_(OFF * torch.randn(weights[name].shape, generator=generator))
    z = torch.randn(OBSERVATIONS, LATENT, generator=generator)
    return family, z @ w.T + SIGMA * torch.randn(OBSERVATIONS, SIZE, generator=generator)


def exact(family: Family, x: Tensor) -> float:
    """The mean of log p(x), in nats."""
    w = dict(family.named_parameters())["decoder.0.weight"].detach().double()
    covariance = w @ w.T + SIGMA**2 * torch.eye(SIZE, dtype=torch.double)
    whitened = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), x.double().T, upper=False)
    return float(-0.5 * (SIZE * LOG_2PI + torch.logdet(covariance) + whitened.square().sum(0)).mean())


def gradients(family: Family, x: Tensor, codes: int, seed: int, draws: int) -> tuple[Tensor, float]:
    """Gradients of what the encoder gives for each observation, (draws, B, 2r), and the mean of the bound, in nats.

    Its outputs are means and log-variances, one row a draw, so one pass backwards has a gradient for each.
    """
    generator = torch.Generator().manual_seed(seed)
    found, bounds, heads = [], [], list[Tensor]()
    hook = family.get_submodule("encoder").register_forward_hook(lambda *given: heads.append(given[2]))
    at_once = max(1, min(draws, CODES_AT_ONCE // (codes * len(x))))
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        heads.clear()
        bound = family.objective({"vector": x.repeat(count, 1)}, generator).terms().loss().neg()
        [gradient] = torch.autograd.grad(bound * count * len(x), heads[:1])
        found.append(gradient.view(count, len(x), -1))
        bounds.append(bound.item() * count)
    hook.remove()
    return torch.cat(found), sum(bounds) / draws


def rows(seed: int, bench: Bench, *, codes: Sequence[int] = CODES, draws: int = DRAWS) -> list[Row]:
    """Both gradients for each K: signal over noise, as a mean over observations and outputs of the encoder.

    Both have one mean, of which DReG's draws are the better estimate: it is the signal of both.
    """
    table: list[Row] = []
    for count in codes:
        found = {}
        for gradient in (PLAIN, DREG):
            bench.check()
            family, x = model(seed, gradient, count)
            found[gradient] = gradients(family, x, count, 1 + seed, draws)
        signal = found[DREG][0].mean(0)
        differences = found[PLAIN][0] - found[DREG][0]  # at the same draws
        apart = (differences.mean(0) / differences.std(0) * math.sqrt(draws)).abs().max()
        table += [{"gradient": NAMES[name], "K": count, "seed": seed, "bound": bound, "log p(x)": exact(family, x),
                   "signal over noise": float((signal.abs() / each.std(0)).mean()), "means apart": float(apart)}
                  for name, (each, bound) in found.items()]
    return table


def run(bench: Bench) -> Finding:
    """Every K for every seed."""
    table: list[Row] = []
    for seed in SEEDS:
        bench.say(f"seed {seed}")
        table += rows(seed, bench)
    return finding(table)


def exponent(table: Sequence[Row], gradient: str) -> Interval:
    """The power of K by which signal over noise goes: the slope of a least-squares line of logarithms, by seed."""
    counts = sorted({int(row["K"]) for row in table})
    found = [by_seed(table, "signal over noise", gradient=gradient, K=count) for count in counts]
    across = np.log(counts)
    return over_seeds([float(np.polyfit(across, np.log([max(1e-12, values[seed]) for values in found]), 1)[0])
                       for seed in found[0]])


def finding(table: Sequence[Row]) -> Finding:
    """The rule, applied to the rows of every seed."""
    counts = sorted({int(row["K"]) for row in table})
    power = {name: exponent(table, name) for name in NAMES.values()}
    plain, dreg = power[NAMES[PLAIN]], power[NAMES[DREG]]
    bounds = {count: by_seed(table, "bound", gradient=NAMES[DREG], K=count) for count in counts}
    exactly = by_seed(table, "log p(x)", gradient=NAMES[DREG], K=counts[0])
    tightens = all(a[seed] < b[seed] for a, b in pairwise(bounds.values()) for seed in a)
    apart = max(float(row["means apart"]) for row in table)
    holds = {"that the plain gradient's signal fades as 1/√K": FADES[0] <= plain.low and plain.high <= FADES[1],
             "that DReG's grows as √K": GROWS[0] <= dreg.low and dreg.high <= GROWS[1],
             "that the bound tightens in every seed": tightens,
             "that both gradients have one mean": apart <= SAME}
    failed = [words for words, held in holds.items() if not held]

    def means(name: str) -> str:
        return ", ".join(f"{sum(values.values()) / len(values):.2g}" for count in counts
                         for values in [by_seed(table, "signal over noise", gradient=name, K=count)])

    gap = {count: sum(exactly[seed] - found[seed] for seed in found) / len(found) for count, found in bounds.items()}
    return Finding(
        not failed,
        f"For K = {', '.join(f'{count:,}' for count in counts)} the signal of the encoder's gradient over its noise is "
        f"{means(NAMES[PLAIN])} as it falls out of the bound, which is as K to the power of {plain.words()}, and "
        f"{means(NAMES[DREG])} doubly reparameterised, to the power of {dreg.words()}; the bound's distance from log "
        f"p(x) falls from {gap[counts[0]]:.2g} to {gap[counts[-1]]:.2g} nats."
        + (f" Not shown: {'; '.join(failed)}." if failed else ""),
        list(table), note="A linear-Gaussian model whose encoder is nearly right; far from that, as early in training, "
                          "signals are larger. Both gradients are the same in the mean, so DReG "
                          "learns nothing else: it needs fewer draws for it.",
        intervals={f"power of K, {name}": each for name, each in power.items()})


def of_result(result: Result) -> Exhibit | None:
    """Signal over noise against K, means over seeds; None where that is not whole."""
    found: dict[str, dict[int, list[float]]] = {}
    try:
        for row in result.table:
            of_name = found.setdefault(str(row["gradient"]), {})
            of_name.setdefault(int(row["K"]), []).append(float(row["signal over noise"]))
    except (KeyError, TypeError, ValueError):
        return None
    lines = {name: [(float(count), fmean(values)) for count, values in sorted(of_name.items())]
             for name, of_name in found.items()}
    if not lines or not all(0 < number < math.inf for points in lines.values() for point in points for number in point):
        return None
    return Exhibit([Powers(
        "Signal over noise", "Size of the mean of the encoder's gradient over its standard deviation from draw to "
        "draw, a mean over observations, outputs of the encoder and seeds.", "codes of each observation, K", lines)])


STUDY = Study(
    "C26", "A tighter bound is no better teacher",
    "As the importance-weighted bound tightens with K, the encoder's gradient fades beneath its noise, as 1/√K; doubly "
    "reparameterised, its signal grows as √K.",
    "Rainforth, Kosiorek, Le, Maddison, Igl, Wood & Teh (2018); Tucker, Lawson, Gu & Maddison (2019), DReG",
    f"A linear-Gaussian VAE of {SIZE} numbers and {LATENT} latent dimensions, whose encoder gives the exact posterior "
    f"but for {OFF} in every weight and a variance {WIDER:g} times as large; {DRAWS:,} gradients of each of "
    f"{OBSERVATIONS} observations for K = {', '.join(f'{count:,}' for count in CODES)}, {len(SEEDS)} seeds.",
    f"By 95% intervals over seeds of the power of K by which signal over noise goes: all of it between {FADES[0]} "
    f"and {FADES[1]} for the plain gradient, between {GROWS[0]} and {GROWS[1]} for DReG's. In every seed the bound "
    f"tightens with K, and the means of both gradients lie within {SAME:g} standard errors of each other.", 0.5, run,
    exhibit=of_result,
    columns={"K": "Codes of each observation in the bound.", "bound": "The importance-weighted bound, in nats.",
             "signal over noise": "Size of the gradient's mean over its standard deviation, a mean over the encoder's "
                                  "outputs.",
             "means apart": "By how many standard errors the means of both gradients differ at most.",
             "log p(x)": "Exact, in nats."})
