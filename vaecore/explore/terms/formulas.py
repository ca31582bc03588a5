"""Terms as LaTeX in the lecture's notation, and with their numbers put in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from vaecore.explore.terms.entries import Term
from vaecore.models.multimodal.dmvae import SHARED
from vaecore.probability import likelihoods
from vaecore.probability.gaussian import DiagonalGaussian, StandardNormal
from vaecore.probability.likelihoods import Observation


def formula(terms: Sequence[Term], left: str) -> str:
    """The terms in a row, with their signs and factors; `left` is what they make up."""
    parts: list[str] = []
    for term in terms:
        sign = "-" if term.factor < 0 else "+" if parts else ""
        parts.append(" ".join(filter(None, [sign, term.symbol, term.latex])))
    right = " ".join(parts)
    return rf"{left} \approx {right}" if left else right


def observed(name: str, several: bool) -> str:
    """An observation, by its modality where there are several."""
    return rf"\vec{{x}}_{{\text{{{plain(name)}}}}}" if several else r"\vec{x}"


def latent_symbol(name: str) -> str:
    """A latent as the lecture writes it: z, or j for what is shared and i for what is private."""
    if name == "z":
        return r"\vec{z}"
    return r"\vec{j}" if name == SHARED else rf"\vec{{i}}_{{\text{{{plain(name.removeprefix('private '))}}}}}"


def plain(name: str) -> str:
    """A name as text of a formula: letters, digits and spaces."""
    return " ".join("".join(c if c.isalnum() else " " for c in name).split())


def filled(p: Observation, x: Tensor) -> str:
    """log p(x|z) of an observation, or of a clip's frames, with its numbers put in; empty where it is no short sum."""
    size = x.numel()
    if isinstance(p, likelihoods.BernoulliPixels):
        on, off = (float(part.double().sum()) for part in (x * F.logsigmoid(p.logits),
                                                           (1 - x) * F.logsigmoid(-p.logits)))
        return (r"\begin{aligned} & \sum_{j=1}^{" f"{size}" r"} x_j \log \pi_j + \sum_{j=1}^{" f"{size}"
                rf"}} (1 - x_j) \log (1 - \pi_j) \\ &= {number(on)} {signed(off)} = {number(on + off)} \end{{aligned}}")
    if isinstance(p, likelihoods.GaussianPixels):
        squares = (x - p.mean).double().square()
        variance = p.logvar.double().exp()
        scale = float((size * (2 * math.pi * variance).log()) if not p.logvar.ndim else
                      (2 * math.pi * variance).log().expand(squares.shape).sum()) / 2
        error = float((squares / (2 * variance)).sum())
        sums = r"\frac{1}{2} \sum_j \log (2 \pi \sigma_j^2) - \sum_j \frac{(x_j - \mu_j)^2}{2 \sigma_j^2}"
        if not p.logvar.ndim:  # one variance for all
            one, summed = number(float(variance), 4), number(float(squares.sum()))
            sums = rf"\frac{{{size}}}{{2}} \log (2 \pi \cdot {one}) - \frac{{{summed}}}{{2 \cdot {one}}}"
        return (rf"\begin{{aligned}} & - {sums} \\ &= {number(-scale)} - {number(error)} = {number(-scale - error)} "
                r"\end{aligned}")
    if isinstance(p, likelihoods.CategoricalLabel):
        [chosen] = x.argmax(1).tolist()
        share = float(p.mean[0, chosen])
        return rf"\log \pi_{{{chosen}}} = \log {number(share, 4)}"
    return ""


def number(value: float, digits: int = 2) -> str:
    """A number in a formula; small ones keep three significant digits."""
    if value == 0:
        return "0"
    if abs(value) >= 10.0 ** -digits:
        return f"{value:.{digits}f}"
    number, _, power = f"{value:.3g}".partition("e")
    return rf"{number} \cdot 10^{{{int(power)}}}" if power else number


def signed(value: float) -> str:
    """A number that is added or taken away."""
    return f"{'-' if value < 0 else '+'} {number(abs(value))}"


def closed(q: DiagonalGaussian, p: StandardNormal | DiagonalGaussian) -> str:
    """Equations (16), with r for p, and (15) with their sums put in."""
    mean, variance = q.mean[0].double(), q.logvar[0].double().exp()
    size = len(mean)
    if isinstance(p, StandardNormal):
        sums = [float(part.sum()) for part in (mean.square(), variance, q.logvar[0].double())]
        total = 0.5 * (sums[0] + sums[1] - sums[2] - size)
        return (r"\begin{aligned} & \frac{1}{2} \Big( \sum_{j=1}^r \mu_j^2 + \sum_{j=1}^r \sigma_j^2 - \sum_{j=1}^r "
                rf"\log \sigma_j^2 - r \Big) \\ &= \frac{{1}}{{2}} ({number(sums[0])} + {number(sums[1])} "
                rf"{signed(-sums[2])} - {size}) = {number(total)} \end{{aligned}}")
    gap = float(((mean - p.mean[0].double()).square() * (-p.logvar[0].double()).exp()).sum())
    trace = float((variance * (-p.logvar[0].double()).exp()).sum())
    logs = float((q.logvar[0].double() - p.logvar[0].double()).sum())
    return (r"\begin{aligned} & \frac{1}{2} \Big( (\vec{\mu}_2 - \vec{\mu}_1)^T \Sigma_2^{-1} (\vec{\mu}_2 - "
            r"\vec{\mu}_1) + \text{tr}(\Sigma_2^{-1} \Sigma_1) - \log \frac{|\Sigma_1|}{|\Sigma_2|} - r \Big) \\ &= "
            rf"\frac{{1}}{{2}} ({number(gap)} + {number(trace)} {signed(-logs)} - {size}) = "
            rf"{number(0.5 * (gap + trace - logs - size))} \end{{aligned}}")
