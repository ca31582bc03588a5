"""What a run's metrics.jsonl has to show: its numbers as arrays, and the charts of them. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from vaecore.charts.curves import Clock, Panel, Series
from vaecore.charts.plane import SNAPSHOTS, Path, spread
from vaecore.evaluate.meaning import ACTIVE, PERPLEXITY, perplexities, word
from vaecore.evaluate.verdict import Verdict, verdict
from vaecore.store import STEP_COLUMNS, Metrics, Run, StoreError
from vaecore.tables import Column, Table
from vaecore.training import DIAGNOSED

DAMAGED = (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError, IndexError, OverflowError)
EVALUATED = ("step", "neg_elbo", "reconstruction", "kl", "active", "rate", "mutual_information", "minibatch",
             "observations", "batch_size", "bound", "mse", "perplexity", "encoder_updates", "aggressive", "epoch",
             "seconds")


@dataclass(frozen=True)
class Snapshots:
    """Where the same N points stood at each of S snapshots, in r latent dimensions."""

    steps: np.ndarray  # (S,)
    model: np.ndarray  # (S, N, r) means of p(z|x)
    inference: np.ndarray  # (S, N, r) means of q(z|x)
    names: tuple[str, ...]  # (r,)
    labels: np.ndarray | None  # (N,) classes from 0
    method: str  # of the last one: grid, or importance
    effective: float  # of the last one: effective sample size as a share of the samples


@dataclass(frozen=True, eq=False)
class History:
    """metrics.jsonl up to some moment, as arrays. A new one is made when the file has changed, and only then."""

    run: Run
    metrics: Metrics
    steps: Mapping[str, np.ndarray]  # (T,) each, by column
    evaluations: Mapping[str, np.ndarray]  # (E,) each, by the names in `EVALUATED`; nan where a line has none
    names: tuple[str, ...]  # (r,) of the latent dimensions
    kl_steps: np.ndarray  # (F,) of the evaluations that have a KL
    kl: np.ndarray  # (F, r) nats
    taken: list[dict[str, Any]] = field(default_factory=list)  # snapshots as they were read

    @cached_property
    def snapshots(self) -> Snapshots | None:
        """The snapshots, thinned to what a plane shows; None where there are none."""
        return _snapshots(self.taken)

    def evaluated(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of the evaluations that have `name`."""
        values = self.evaluations[name]
        there = ~np.isnan(values)
        return self.evaluations["step"][there], values[there]

    @cached_property
    def verdict(self) -> Verdict:
        """What became of its latent code, and what to try."""
        try:
            values = self.run.values()
        except StoreError:
            values = {}
        return verdict(self.metrics, values)

    @cached_property
    def clock(self) -> Clock:
        """Steps in epochs and in seconds of training, as evaluations tell."""
        step, epoch = (self.evaluations[name] for name in ("step", "epoch"))
        told = np.flatnonzero((step > 0) & (epoch > 0))
        per_epoch = float(step[told[-1]] / epoch[told[-1]]) if len(told) else 0.0
        return Clock(per_epoch, *self.evaluated("seconds"))

    @property
    def kind(self) -> str:
        """ELBO, log p(x) or log p(x|z): the word of its number; unlike ones are drawn apart."""
        exact = self.no_kl and self.run.about().get("exact") is True
        return word(has_kl=not self.no_kl, exact=exact)

    @property
    def no_kl(self) -> bool:
        """True where a run was evaluated and had no KL to tell of."""
        return bool(len(self.evaluations["step"])) and not len(self.kl)


def evaluated(metrics: Metrics) -> list[dict[str, float]]:
    """The evaluations as plain numbers, those of families without a KL without one; a damaged line costs itself."""
    rows = []
    for line in metrics.evaluations:
        try:
            plain = {"step": float(line["step"]), "neg_elbo": -float(line["elbo"]),
                     "reconstruction": -float(sum(line["reconstruction"].values()))}
            if line["kl"]:
                plain["kl"] = float(sum(map(sum, line["kl"].values())))
        except DAMAGED:
            continue
        # Families, ages and kinds of run do not share these.
        for part in (_error, _use, _information, _text, _bound, _lag, _epoch, _seconds):
            try:
                plain |= part(line)
            except DAMAGED:
                continue
        rows.append(plain)
    return rows


def clocks(records: Mapping[str, History]) -> dict[str, Clock]:
    """The clock of each. Of a run that others of them were forked from, 0 of relative steps is where they left it.

    Where they left it at several steps there is no such place, and its own beginning stays 0.
    """
    left: dict[str, set[float]] = {}
    for record in records.values():
        if (parent := forked(record.run)) is not None and parent[0] in records:
            left.setdefault(parent[0], set()).add(float(parent[1]))
    return {name: replace(record.clock, zero=left[name].copy().pop() if len(left.get(name, ())) == 1 else 0.0)
            for name, record in records.items()}


def forked(run: Run) -> tuple[str, int] | None:
    """The run that this one was forked from, and the step of the weights that it began with; None of no fork."""
    parent = run.about().get("parent")
    if not isinstance(parent, dict):
        return None
    name, step = parent.get("run"), parent.get("step")
    return (name, step) if isinstance(name, str) and type(step) is int and step >= 0 else None


def with_parents(charts: Iterable[Panel], records: Mapping[str, History], parents: Mapping[str, History]
                 ) -> list[Panel]:
    """The charts, with what parents were up to where each fork left them, in the fork's colour.

    `parents` by the names of forks. A parent that is itself among `records` has its own line.
    """
    found = list(charts)
    for fork, parent in parents.items():
        told = forked(records[fork].run)
        if told is None or told[0] in records or parent.kind != records[fork].kind:
            continue
        theirs = {panel.title: panel for panel in panels({fork: parent}, more=True)}
        for place, panel in enumerate(found):
            if panel.title in theirs:
                lines = [replace(line, x=line.x[until] - told[1], y=line.y[until], before=True)
                         for line in theirs[panel.title].series if not (line.level or line.right)
                         for until in [line.x <= told[1]]]
                found[place] = replace(panel, series=[*panel.series, *lines])
    return found


def panels(records: Mapping[str, History], *, more: bool = False) -> list[Panel]:
    """The charts of training, every run in each: training solid, validation dashed."""
    with_kl = {name: record for name, record in records.items() if not record.no_kl}
    charts = [
        Panel(title, _both(runs, "neg_elbo", sign=-1, validation_sign=-1), "nats", help)
        for title, runs, help in (
            ("ELBO", {name: r for name, r in records.items() if r.kind == "ELBO"},
             "The evidence lower bound at β = 1: log p(x|z) less KL. Higher is better; log p(x) is at least this."),
            ("log p(x)", {name: r for name, r in records.items() if r.kind == "log p(x)"},
             "Of families that know it themselves, without a bound. Higher is better."),
            ("log p(x|z)", {name: r for name, r in records.items() if r.kind == "log p(x|z)"},
             "At the code of each observation, of families without a prior: no bound on log p(x), and not to be set "
             "against an ELBO.")) if runs]
    if weighted := {name: record for name, record in records.items() if len(record.evaluated("bound")[0])}:
        charts.append(Panel(
            "Importance-weighted bound", _weighted(weighted), "nats",
            "What is maximised in the place of the ELBO: the logarithm of the mean weight of several codes, which lies "
            "between the ELBO and log p(x). Of training where β is 1. It rises with the number of codes, so runs "
            "compare at the same one. Higher is better."))
    if with_kl:
        charts.append(Panel(
            "Reconstruction", _both(with_kl, "reconstruction", validation_sign=-1), "nats",
            "E log p(x|z): how well the decoder explains an observation from its code. Higher is better; its negative "
            "is called distortion."))
    if with_kl:
        beta = [Series("β", record.steps["step"], record.steps["beta"], run=name, right=True)
                for name, record in with_kl.items()]
        charts.append(Panel(
            "KL", [*_both(with_kl, "kl"), *beta], "nats",
            "KL of the posterior q(z|x) from the prior: what the code costs, also called "
            "rate. Near 0, the posterior has collapsed. Dotted, on the right: β, the weight of the KL in the loss at "
            "each step.", right_title="β"))
    if texts := _validation(records, "perplexity", dashed=True):
        charts.append(Panel(
            "Perplexity, validation", texts, "",
            PERPLEXITY))
    if turns := _turns(records):
        charts.append(Panel(
            "Encoder updates per decoder step", turns, "",
            "How often an aggressive encoder was updated alone before each step of the decoder, a mean from one "
            "evaluation to the next. It is 0 once mutual information has stopped climbing: then both learn "
            "together.", may_log=False, may_smooth=False))
    if more:
        charts += [
            Panel("Gradient norm", _training(records, "grad_norm"), "", "Length of the gradient, before clipping."),
            Panel("Learning rate", _training(records, "rate"), "", "Step size of the optimizer at each step.",
                  may_smooth=False),
        ]
    return _levelled(charts, records)


def error_panels(records: Mapping[str, History]) -> list[Panel]:
    """The chart of the reconstruction's error, which models of unlike likelihoods share; none where none has one."""
    errors = _validation(records, "mse", dashed=True)
    help = ("Mean squared error of the reconstruction on the validation set, for each pixel or number. Lower is "
            "better.")
    return _levelled([Panel("MSE", errors, "", help)] if errors else [], records)


def latent_panels(records: Mapping[str, History]) -> list[Panel]:
    """The charts of what the latent code is used for, on the validation set; those of nothing are left out."""
    same = f"Estimated on up to {DIAGNOSED:,} observations of the validation set."
    charts = [
        Panel("Active units", _active(records), "",
              f"{ACTIVE} The ceiling is how many there are.", may_log=False),
        Panel("Mutual information", _under(records, "mutual_information", "observations"), "nats",
              "I(x; z) under q, between an observation and its code, with q(z) the mixture of all posteriors. It "
              "cannot exceed log N for N observations, drawn as the ceiling, nor the rate under one prior for all. "
              f"{same}"),
        Panel("Mutual information, minibatch estimate", _under(records, "minibatch", "batch_size"), "nats",
              "The same with q(z) the mixture of one minibatch only, as He et al. (2019) report it. An observation "
              "can only be told from the B − 1 others beside it, so the estimate saturates at log B, drawn as the "
              f"ceiling, however much the code says. {same}"),
        Panel("Rate", _validation(records, "rate"), "nats",
              "E KL(q(z|x) ‖ p(z)) = mutual information + KL(q(z) ‖ p(z)): what the code costs. Where it lies above "
              "the mutual information, the codes as a whole do not follow the prior, unless the estimate of mutual "
              f"information has reached its ceiling: then it may be more, and the distance less. {same}"),
    ]
    return [chart for chart in charts if chart.series]


TOLD = {"ELBO": "elbo", "log p(x)": "log_p", "log p(x|z)": "log_p_given_z"}  # numbers of unlike kinds in a table


def curves_table(records: Mapping[str, History]) -> Table:
    """Every step and every evaluation of runs, nothing thinned: a row each.

    Epochs and seconds of training of steps between two evaluations are interpolated, as the charts have them; empty
    where nothing kept tells them.
    """
    kinds = dict.fromkeys(record.kind for record in records.values())
    names = [TOLD[kind] for kind in kinds] + ["reconstruction", "kl", "bound", "beta", "rate", "grad_norm", "mse",
                                              "perplexity", "active", "mutual_information"]
    units = {**dict.fromkeys([*TOLD.values(), "reconstruction", "kl", "bound", "mutual_information"], "nats"),
             "seconds": "s"}
    rows: list[dict[str, Any]] = []
    for run, record in records.items():
        kind, clock = TOLD[record.kind], record.clock
        for curve, columns in (("training", record.steps), ("validation", record.evaluations)):
            step = columns["step"]
            told = {"step": step, "epoch": step / clock.per_epoch if clock.per_epoch else np.full(len(step), np.nan),
                    "seconds": np.interp(step, clock.steps, clock.seconds) if len(clock.steps) > 1
                    else np.full(len(step), np.nan), kind: -columns["neg_elbo"]}
            sign = 1 if curve == "training" else -1
            if kind == "elbo":
                told |= {"reconstruction": sign * columns["reconstruction"], "kl": columns["kl"]}
            if curve == "training":
                told |= {name: columns[name] for name in ("beta", "rate", "grad_norm")}
            else:
                told |= {name: columns[name] for name in ("bound", "mse", "perplexity", "active",
                                                        "mutual_information")}
            rows += [{"run": run, "curve": curve} | {name: value for name, value in zip(told, line, strict=True)
                                                     if value == value}
                     for line in zip(*(values.tolist() for values in told.values()), strict=True)]
    for row in rows:
        row["step"] = int(row["step"])
    return Table([Column("run", "run"), Column("curve", "curve"),
                  *(Column(name, name, unit=units.get(name, ""))
                    for name in ("step", "epoch", "seconds", *names))], rows)


def way(name: str, record: History) -> Path:
    """The way of a run through the plane of rate and distortion: a point for each evaluation that has a KL."""
    steps, rate = record.evaluated("kl")
    return Path(name, name, steps, rate, record.evaluations["reconstruction"][~np.isnan(record.evaluations["kl"])])


def aggression(records: Mapping[str, History]) -> list[str]:
    """For each aggressive run, a sentence on how long its encoder was."""
    sentences = []
    for name, record in records.items():
        steps, flags = record.evaluated("aggressive")
        if len(steps):
            over = np.flatnonzero(flags == 0)
            sentences.append(f"{name}: the encoder was aggressive until step {steps[over[0]]:,.0f}." if len(over) else
                             f"{name}: the encoder is aggressive up to the last evaluation.")
    return sentences


# -- lines of the file -----------------------------------------------------------------------------


def _error(line: dict[str, Any]) -> dict[str, float]:
    [only] = line["mse"].values()  # over several modalities, a mean of pixels and something else is none
    return {"mse": float(only)}


def _use(line: dict[str, Any]) -> dict[str, float]:
    return {"active": float(line["active"])} if line["kl"] else {}


def _information(line: dict[str, Any]) -> dict[str, float]:
    [only] = line["information"].values()  # of several latents, no sum would be their information
    return {name: float(only[name]) for name in ("rate", "mutual_information", "minibatch", "observations",
                                                 "batch_size")}


def _text(line: dict[str, Any]) -> dict[str, float]:
    [value] = perplexities(line).values()  # of several texts, no number is that of all
    return {} if value is None or len(line["reconstruction"]) > 1 else {"perplexity": value}


def _bound(line: dict[str, Any]) -> dict[str, float]:
    return {"bound": float(line["bound"])}


def _lag(line: dict[str, Any]) -> dict[str, float]:
    return {"encoder_updates": float(line["encoder_updates"]), "aggressive": float(bool(line["aggressive"]))}


def _epoch(line: dict[str, Any]) -> dict[str, float]:
    return {"epoch": float(line["epoch"])}


def _seconds(line: dict[str, Any]) -> dict[str, float]:
    return {"seconds": float(line["seconds"])}


def recorded(run: Run, metrics: Metrics) -> History:
    """The metrics read so far as arrays."""
    rows = evaluated(metrics)
    columns = {name: np.array([row.get(name, np.nan) for row in rows], float) for name in EVALUATED}
    names, steps, values = _dimensions(metrics.evaluations)
    return History(run, metrics, {name: np.array(metrics.steps.get(name, []), float) for name in STEP_COLUMNS}, columns,
                  names, steps, values, list(metrics.snapshots))


def _dimensions(lines: Iterable[dict[str, Any]]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """KL by latent dimension: names (r,), steps (F,), nats (F, r); lines unlike the last are left out."""
    rows: list[tuple[tuple[str, ...], float, list[float]]] = []
    for line in lines:
        try:
            row = [(f"{name}{index}", float(value)) for name, values in line["kl"].items()
                   for index, value in enumerate(values)]
            rows.append((tuple(name for name, _ in row), float(line["step"]), [value for _, value in row]))
        except DAMAGED:
            continue
    names = rows[-1][0] if rows else ()
    alike = [row for row in rows if row[0] == names and names]
    return (names, np.array([step for _, step, _ in alike], float),
            np.array([values for *_, values in alike], float).reshape(len(alike), len(names)))


def _snapshots(taken: list[dict[str, Any]]) -> Snapshots | None:
    kept = []
    for line in (taken[i] for i in spread(len(taken), SNAPSHOTS)):
        try:
            names = tuple(f"{name}{i}" for name, rows in line["model"].items() for i in range(len(rows[0])))
            model, inference = (np.concatenate([np.asarray(line[side][name], np.float32) for name in line["model"]], 1)
                                for side in ("model", "inference"))
            if model.shape == inference.shape and model.shape[1] == len(names) > 0:
                kept.append((float(line["step"]), model, inference, names, line))
        except DAMAGED:
            continue
    if not kept:
        return None
    _, model, _, names, last = kept[-1]
    kept = [each for each in kept if each[1].shape == model.shape and each[3] == names]
    try:
        effective = float(last["effective"])
    except DAMAGED:
        effective = float("nan")
    return Snapshots(np.array([each[0] for each in kept]), np.stack([each[1] for each in kept]),
                     np.stack([each[2] for each in kept]), names, _classes(last.get("labels"), len(model)),
                     str(last.get("method")), effective)


def _classes(labels: object, points: int) -> np.ndarray | None:
    try:
        classes = np.asarray(labels)
    except ValueError:
        return None
    return classes if classes.shape == (points,) and classes.dtype.kind in "iu" and classes.min() >= 0 else None


# -- series ----------------------------------------------------------------------------------------


def _training(records: Mapping[str, History], column: str, sign: int = 1) -> list[Series]:
    return [Series("training", record.steps["step"], sign * record.steps[column], run=name)
            for name, record in records.items()]


def _validation(records: Mapping[str, History], name: str, *, step: bool = False, dashed: bool = False,
                sign: int = 1) -> list[Series]:
    there = ((run, *record.evaluated(name)) for run, record in records.items())
    return [Series("validation", x, sign * y, run=run, dashed=dashed, step=step) for run, x, y in there if len(x)]


def _levelled(charts: list[Panel], records: Mapping[str, History]) -> list[Panel]:
    """What was solved at once, as a closed form is, as a level to hold the others against."""
    last = max([float(steps[-1]) for record in records.values() if len(steps := record.evaluations["step"])],
               default=0.0)
    solved = {name for name, record in records.items()
              if len(record.evaluations["step"]) == 1 and not len(record.steps["step"])}
    if last <= 0 or not solved:
        return charts
    return [replace(chart, series=[
        replace(line, x=np.array([0.0, last]), y=np.repeat(line.y, 2), level=True)
        if line.run in solved and len(line.x) == 1 else line for line in chart.series]) for chart in charts]


def _both(records: Mapping[str, History], column: str, *, sign: int = 1, validation_sign: int = 1) -> list[Series]:
    """Training, and validation dashed, each in the sign that its numbers are to be shown in."""
    return [*_training(records, column, sign), *_validation(records, column, dashed=True, sign=validation_sign)]


def _weighted(records: Mapping[str, History]) -> list[Series]:
    """The importance-weighted bound: the negative loss where beta is 1, and validation dashed."""
    whole = {name: record.steps["beta"] == 1 for name, record in records.items()}
    return [*(Series("training", record.steps["step"][whole[name]], -record.steps["loss"][whole[name]], run=name)
              for name, record in records.items()), *_validation(records, "bound", dashed=True)]


def _under(records: Mapping[str, History], name: str, limit: str) -> list[Series]:
    """Each run's estimate and, level, the logarithms of the counts that no estimate can exceed."""
    counts = sorted({count for record in records.values() for count in record.evaluated(limit)[1] if count > 1})
    return _with_ceilings(_validation(records, name), {f"log {count:,.0f}": np.log(count) for count in counts})


def _active(records: Mapping[str, History]) -> list[Series]:
    sizes = sorted({len(record.names) for record in records.values() if record.names})
    return _with_ceilings(_validation(records, "active", step=True), {f"of {size}": size for size in sizes})


def _with_ceilings(lines: list[Series], ceilings: Mapping[str, float]) -> list[Series]:
    ends = np.array([min(line.x[0] for line in lines), max(line.x[-1] for line in lines)]) if lines else np.empty(0)
    return lines + [Series(label, ends, np.full(len(ends), value), run="ceiling", level=True)
                    for label, value in ceilings.items() if len(ends)]


def _turns(records: Mapping[str, History]) -> list[Series]:
    lines = []
    for run, record in records.items():
        steps, updates = record.evaluated("encoder_updates")
        if len(steps) > 1:
            with np.errstate(divide="ignore", invalid="ignore"):  # a step evaluated twice: a gap
                each = np.diff(updates) / np.diff(steps)
            lines.append(Series("validation", steps, np.append(each, each[-1]), run=run, step=True))
    return lines
