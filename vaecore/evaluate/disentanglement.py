"""Whether single latents tell single known factors, for data whose true causes are known.

Shapes: N observations, r latents, F factors. Codes are (N, r), factors (N, F) as in `Split.factors`; `values` has the
number of values of each factor in the order of `Dataset.factors`, 0 for a continuous one. Scores are between 0 and 1,
where 1 is best. A factor that does not vary among the observations is left out. All that is random has a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vaecore.arrays import Numbers
from vaecore.evaluate.parts.disentanglement import CodeKind, Correlation, FixedFactor, InformationGap, Separation
from vaecore.evaluate.quality import MAX_OBSERVATIONS

BINS = 20  # of a continuous code or factor, as Locatello et al. (2019)
SAMPLED = 2_000  # observations that the full-dataset estimator draws codes from
BLOCK = 250  # of them at once: 20 MB against 10,000 others
PAIRS = 64  # of which one point of the beta-VAE score is a mean
CONSTANT = 1e-12  # variance below which a code or factor tells nothing



# -- mutual information gap ------------------------------------------------------------------------


def information_gap(codes: Numbers, factors: Numbers, values: Mapping[str, int], *, bins: int = BINS
                    ) -> InformationGap:
    """The mutual information gap (Chen et al. 2018), its information read from histograms.

    Of each factor, the information of the latent that tells most of it less that of the second, as a share of the
    factor's entropy. Codes fall into `bins` equal intervals between their extremes, continuous factors too, as
    Locatello et al. (2019) do. It works for any family, but few observations bias information upwards, and a collapsed
    latent counts however little its mean moves. Raises `ValueError` for arrays that do not fit, or where no factor
    varies.
    """
    codes, known = _checked(codes, factors, values)
    binned = [_binned(code, bins) for code in codes.T]
    cells = _cells(known, values, bins)
    information = {name: [_information(code, cell) for code in binned] for name, cell in cells.items()}
    return _gap(information, cells, "histogram", bins, "posterior means", len(codes))


def information_gap_full(mean: Numbers, logvar: Numbers, factors: Numbers, values: Mapping[str, int], *,
                         seed: int = 0) -> InformationGap:
    """The mutual information gap by the estimator of Chen et al. (2018), from the whole aggregated posterior.

    q(z) is the mixture of all N posteriors N(mean, exp(logvar)).

    I(z; v) = E log q(z|v) - E log q(z) over codes drawn from up to 2,000 posteriors, where q(z|v) is the mixture of the
    observations with that value. Only for factors with a number of values. An observation is in the mixture that its
    own code is judged by, so information is biased upwards where posteriors are much narrower than their distances.
    """
    mean, known = _checked(mean, factors, values)
    logvar = logvar[:MAX_OBSERVATIONS]
    if logvar.shape != mean.shape:
        raise ValueError(f"log-variances of shape {logvar.shape} for means of {mean.shape}. Give one for each mean.")
    if continuous := [name for name in known if not values[name]]:
        raise ValueError(f"factor '{continuous[0]}' is continuous. Use information_gap.")
    cells = _cells(known, values, 0)
    members = {name: (cell[:, None] == np.arange(cell.max() + 1)).astype(np.float64) for name, cell in cells.items()}
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(mean))[:SAMPLED]
    sums: dict[str, Numbers] = {name: np.zeros(mean.shape[1]) for name in cells}
    for start in range(0, len(rows), BLOCK):
        part = rows[start:start + BLOCK]
        z = mean[part] + np.exp(logvar[part] / 2) * generator.standard_normal((len(part), mean.shape[1]))
        for latent in range(mean.shape[1]):
            log_q = -0.5 * (logvar[:, latent] + (z[:, latent, None] - mean[:, latent]) ** 2 / np.exp(logvar[:, latent]))
            weights = np.exp(log_q - log_q.max(1, keepdims=True))  # (S, N), up to what cancels in a ratio
            all_of = weights.mean(1)
            for name, cell in cells.items():
                own = cell[part]
                given = (weights @ members[name])[np.arange(len(part)), own] / members[name].sum(0)[own]
                sums[name][latent] += np.log(given / all_of).sum()
    information = {name: (total / len(rows)).tolist() for name, total in sums.items()}
    return _gap(information, cells, "full data set", None, "posterior samples", len(mean))


def _gap(information: Mapping[str, list[float]], cells: Mapping[str, NDArray[np.int64]],
         estimator: Literal["histogram", "full data set"], bins: int | None, kind: CodeKind, count: int
         ) -> InformationGap:
    entropy = {name: _information(cell, cell) for name, cell in cells.items()}
    gaps = {}
    for name, told in information.items():
        first, second = sorted([*told, 0.0], reverse=True)[:2]  # a single latent has no rival
        gaps[name] = max(0.0, first - max(second, 0.0)) / entropy[name]
    return InformationGap(score=_average(gaps), factors=gaps, information=dict(information), entropy=entropy,
                          estimator=estimator, bins=bins, codes=kind, observations=count)


def _information(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Of two discrete variables (N,) by their joint counts, nats; a variable with itself has its entropy."""
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1 / len(a))
    expected = joint.sum(1, keepdims=True) * joint.sum(0)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / expected[some])).sum())


# -- predicting factors ----------------------------------------------------------------------------


def separated_attribute_predictability(codes: Numbers, factors: Numbers, values: Mapping[str, int], *, seed: int = 0
                                       ) -> Separation:
    """SAP (Kumar et al. 2018): of each factor, how much better the best latent predicts it than the second best.

    A continuous factor by the squared correlation. One with a number of values by thresholds on the latent, which a
    multinomial logistic regression finds on a random half; its balanced accuracy on the other half counts, from 0 at
    chance to 1, so that factors with few and with many values weigh alike. Raises `ValueError` as `information_gap`.
    """
    codes, known = _checked(codes, factors, values)
    order = np.random.default_rng(seed).permutation(len(codes))
    train, test = np.split(order, [len(order) // 2])
    prediction: dict[str, list[float]] = {}
    measures: dict[str, Literal["R²", "balanced accuracy above chance"]] = {}
    for name, factor in known.items():
        if values[name]:
            measures[name] = "balanced accuracy above chance"
            prediction[name] = [_thresholds(code[train], factor[train], code[test], factor[test]) for code in codes.T]
        else:
            measures[name] = "R²"
            prediction[name] = (_correlation(codes[test], factor[test, None])[:, 0] ** 2).tolist()
    gaps = {}
    for name, told in prediction.items():
        first, second = sorted([*told, 0.0], reverse=True)[:2]
        gaps[name] = first - second
    return Separation(score=_average(gaps), factors=gaps, prediction=prediction, measures=measures,
                      codes="posterior means", train=len(train), test=len(test))


def _thresholds(code: Numbers, factor: Numbers, test_code: Numbers, test_factor: Numbers) -> float:
    """Balanced accuracy, 0 at chance and 1 at best, of a classifier that sees one latent."""
    from sklearn.linear_model import LogisticRegression

    spread = code.std()
    classes = np.unique(factor)
    if spread**2 < CONSTANT or len(classes) < 2:
        return 0.0
    fitted: Any = LogisticRegression(C=100.0, class_weight="balanced", max_iter=1_000)
    fitted.fit((code[:, None] - code.mean()) / spread, factor)
    right = fitted.predict((test_code[:, None] - code.mean()) / spread) == test_factor
    hits = [right[test_factor == value].mean() for value in classes if (test_factor == value).any()]
    return max(0.0, float((np.mean(hits) - 1 / len(classes)) / (1 - 1 / len(classes))))


# -- the beta-VAE score ----------------------------------------------------------------------------


def fixed_factor(codes: Numbers, factors: Numbers, values: Mapping[str, int], *, train: int = 2_000,
                 test: int = 1_000, seed: int = 0) -> FixedFactor:
    """The score of Higgins et al. (2017): fix one factor, average |z - z'| over pairs that share its value, classify.

    Pairs are drawn with replacement from the given observations, which should cover the factors evenly: all others are
    free. Latents are put on one scale first. Factors with a number of values only, of which two have to vary. Raises
    `ValueError` otherwise.
    """
    from sklearn.linear_model import LogisticRegression

    codes, known = _checked(codes, factors, values)
    cells = _cells({name: factor for name, factor in known.items() if values[name]}, values, 0)
    if len(cells) < 2:
        raise ValueError("the beta-VAE score needs two factors with a number of values that vary.")
    generator = np.random.default_rng(seed)
    spread = codes.std(0)
    scaled = codes / np.where(spread**2 < CONSTANT, 1.0, spread)
    each = -(-(train + test) // len(cells))
    points = np.concatenate([_shared(scaled, cell, each, PAIRS, generator) for cell in cells.values()])
    target = np.repeat(np.arange(len(cells)), each)
    order = generator.permutation(len(points))
    fit, judge = order[:train], order[train:train + test]
    classifier: Any = LogisticRegression(C=100.0, max_iter=2_000).fit(points[fit], target[fit])
    accuracy = float((classifier.predict(points[judge]) == target[judge]).mean())
    return FixedFactor(score=accuracy, chance=1 / len(cells), factors=tuple(cells), pairs=PAIRS, train=len(fit),
                       test=len(judge), codes="posterior means", observations=len(codes))


def _shared(codes: Numbers, cell: NDArray[np.int64], points: int, pairs: int, generator: np.random.Generator
            ) -> Numbers:
    """`points` means of |z - z'| over pairs of observations with the same value of a factor, (points, r)."""
    rows = np.argsort(cell, kind="stable")
    counts = np.bincount(cell)
    begins = np.cumsum(counts) - counts
    means = np.empty((points, codes.shape[1]))
    for point in range(points):
        value = generator.integers(len(counts), size=pairs)
        a, b = (rows[begins[value] + generator.integers(counts[value])] for _ in range(2))
        means[point] = np.abs(codes[a] - codes[b]).mean(0)
    return means


# -- mean correlation coefficient ------------------------------------------------------------------


def mean_correlation(codes: Numbers, factors: Numbers, values: Mapping[str, int], *, kind: CodeKind) -> Correlation:
    """MCC (Hyvärinen & Morioka 2016): |correlations| of latents and factors under the best one-to-one matching.

    The matching is Hungarian, for Pearson's and for Spearman's coefficients apart. The mean is over factors: with fewer
    latents those left over count 0, with more the rest is ignored, which raises what chance reaches, so compare equal
    sizes. `kind` says what the codes are; Khemakhem et al. (2020) sample them. Raises `ValueError` as `information_gap`
    does.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import rankdata

    codes, known = _checked(codes, factors, values)
    truth = np.stack(list(known.values()), 1)
    names = list(known)

    def matched(table: Numbers) -> tuple[float, dict[str, tuple[int, float]]]:
        latents, columns = linear_sum_assignment(-np.abs(table))
        pairs = {names[f]: (int(z), float(table[z, f])) for z, f in zip(latents, columns, strict=True)}
        return sum(abs(value) for _, value in pairs.values()) / len(names), pairs

    pearson, pairs = matched(_correlation(codes, truth))
    spearman, _ = matched(_correlation(rankdata(codes, axis=0), rankdata(truth, axis=0)))
    return Correlation(
        pearson=pearson, spearman=spearman,
        matching={name: pairs[name][0] if name in pairs else None for name in names},
        correlations={name: pairs[name][1] if name in pairs else 0.0 for name in names}, codes=kind,
        latents=codes.shape[1], factors=len(names), observations=len(codes))


def _correlation(a: Numbers, b: Numbers) -> Numbers:
    """Pearson's coefficients of the columns of (N, r) and (N, F), (r, F); 0 where a column is constant."""
    a, b = a - a.mean(0), b - b.mean(0)
    variance = np.outer(np.square(a).mean(0), np.square(b).mean(0))
    correlation: Numbers = (a.T @ b) / len(a) / np.sqrt(np.where(variance < CONSTANT**2, np.inf, variance))
    return correlation


# -- parts -----------------------------------------------------------------------------------------


def _checked(codes: Numbers, factors: Numbers, values: Mapping[str, int]) -> tuple[Numbers, dict[str, Numbers]]:
    """The first 10,000 codes, and by name the factors that vary among them."""
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or factors.shape[1] != len(values):
        raise ValueError(f"codes of shape {codes.shape} and factors of {factors.shape} for {len(values)} names. "
                         "Give (N, r), (N, F) and F names.")
    codes, factors = codes[:MAX_OBSERVATIONS], factors[:MAX_OBSERVATIONS]
    known = {name: column for name, column in zip(values, factors.T, strict=True)
             if len(column) and column.var() > CONSTANT}
    if not known:
        raise ValueError("no factor varies among these observations. Use a data set with known factors.")
    if not np.isfinite(codes).all():
        raise ValueError("some codes are not finite. Look at the training curves.")
    return codes.astype(np.float64), known


def _cells(known: Mapping[str, Numbers], values: Mapping[str, int], bins: int) -> dict[str, NDArray[np.int64]]:
    """Each factor as numbers 0, 1, ... of the values that are there, a continuous one of its interval."""
    return {name: np.unique(factor, return_inverse=True)[1] if values[name] else _binned(factor, bins)
            for name, factor in known.items()}


def _binned(column: Numbers, bins: int) -> NDArray[np.int64]:
    """Which of `bins` equal intervals between its extremes each number (N,) lies in."""
    low, high = column.min(), column.max()
    if (high - low) ** 2 < CONSTANT:
        return np.zeros(len(column), np.int64)
    cells: NDArray[np.int64] = np.minimum(((column - low) / (high - low) * bins).astype(np.int64), bins - 1)
    return cells


def _average(gaps: Mapping[str, float]) -> float:
    return sum(gaps.values()) / len(gaps)
