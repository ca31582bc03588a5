"""What each experiment shows: a view of its runs, and the same of the claim that asks the same question.

A view draws what there is, and returns False where there is nothing yet.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pages.shared import collapse, history
from pages.shared.words import escaped
from vaecore import lab
from vaecore.store import Run

if TYPE_CHECKING:
    from vaecore.claims import Result
    from vaecore.evaluate.gamma import Moments, Solution
    from vaecore.evaluate.lagging import Spread

EARLY = 200  # step at which the spreads are looked at first, as in the paper
HELP = {"KL": "KL of q(z|x) from the prior, in nats per observation: what the code costs.",
        "ELBO": "Evidence lower bound, in nats per observation. Higher is better.",
        "Mutual information": "What the code tells about the observation, in nats.",
        "Spread ratio": "Spread of the encoder's means over that of the model posterior's, at the end: near 1 the "
                        "encoder keeps up, near 0 it lags behind or both have collapsed."}


@dataclass(frozen=True)
class Member:
    """A run of an experiment with what its files say; `last` is its newest evaluation."""

    run: Run
    values: dict[str, Any]
    status: lab.Status
    last: dict[str, float]

    def chosen(self, *path: str) -> Any:
        """A field of the configuration as it stands in the file; None where there is none."""
        found: Any = self.values
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def number(name: str) -> Any:
    """The column of one of `HELP`."""
    return st.column_config.NumberColumn(name, format="%.2f" if name in ("ELBO", "Spread ratio") else "%.3f",
                                         help=HELP[name] + " On the validation set.")


def bound_of(member: Member) -> float | None:
    """The ELBO of a run's last evaluation, as a table shows it."""
    cost = member.last.get("neg_elbo")
    return finite(None if cost is None else -cost)


def finite(value: float | None) -> float | None:
    """The number as a table shows it, none of them as -0; None where it is no number."""
    return round(value, 6) + 0.0 if value is not None and math.isfinite(value) else None


# -- collapse by gamma -----------------------------------------------------------------------------


def gamma_view(runs: Sequence[Member]) -> bool:
    """Cost and active units against gamma, of the newest run at each gamma; False where there is nothing to draw."""
    from vaecore.data import DataUnavailable
    from vaecore.schema import ConfigError

    there = [member for member in runs if member.last.get("step")]
    if not there:
        return False
    data, latent_size = there[-1].chosen("data"), there[-1].chosen("model", "latent_size")
    try:
        moments = moments_of(json.dumps({"data": data}))
    except (DataUnavailable, ConfigError) as error:
        st.warning(escaped(str(error)), icon=":material/cloud_off:")
        return False
    fixed, learned = {}, None
    for member in there:  # oldest first: the newest stands
        if member.chosen("data") != data or member.chosen("model", "latent_size") != latent_size:
            continue
        if (found := solution(member, moments.size)) is None:
            continue
        if member.chosen("model", "likelihood", "kind") == "gaussian-learned":
            learned = found
        else:
            fixed[round(found.gamma, 9)] = found
    if not fixed and learned is None:
        return False
    collapse.gamma_charts(moments, latent_size, [fixed[gamma] for gamma in sorted(fixed)], learned, key="gamma")
    return True


def gamma_shipped(result: Result) -> bool:
    """The same of the claim's result."""
    from vaecore.experiments import gamma_runs

    latent_size = next(iter(gamma_runs().values())).model.model_dump()["latent_size"]
    if (drawn := collapse.gamma_of(result, latent_size)) is None:
        return False
    data, fixed, learned = drawn
    collapse.gamma_charts(data, latent_size, fixed, learned, key="gamma")
    return True


def solution(member: Member, size: int) -> Solution | None:
    """What a run found, in numbers; None while they are not there, or are none."""
    from vaecore.evaluate.gamma import Solution
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        if member.chosen("model", "likelihood", "kind") == "gaussian-learned":
            gamma = learned_variance(str(member.run.path), member.run.weights.stat().st_mtime_ns)
        else:
            gamma = float(member.chosen("model", "likelihood", "sigma")) ** 2
        last = member.last
        found = Solution.scored(gamma, last["neg_elbo"], last["kl"], last["active"], size)
    except (*history.DAMAGED, OSError, BrokenCheckpoint):
        return None
    values = (found.gamma, found.cost, found.rate, found.error, found.active)
    return found if all(map(math.isfinite, values)) and found.gamma > 0 else None


@st.cache_data(max_entries=32, show_spinner=False)
def learned_variance(path: str, stamp: int) -> float:  # noqa: ARG001 (part of the cache's key)
    """The observation variance that a run's kept weights hold."""
    from vaecore.training.checkpoints import load_model

    return float(load_model(Path(path)).state_dict()["likelihood.logvar"].exp())


@st.cache_resource(max_entries=2, show_spinner="Reading the data …")
def moments_of(text: str) -> Moments:
    """Eigenvalues and scatter of a data set; raises `DataUnavailable` or `ConfigError`."""
    from vaecore.config import RunConfig
    from vaecore.evaluate.gamma import moments
    from vaecore.schema import parse

    return moments(parse(RunConfig, json.loads(text)).data.load())


# -- cyclical annealing ----------------------------------------------------------------------------

BETAS = {"monotonic": "β rises once", "cyclical": "β rises in cycles"}
RATES = {"constant": "constant learning rate", "restarts": "learning rate with restarts"}


def cyclical_view(runs: Sequence[Member]) -> bool:
    """The two by two of the runs that have ended."""
    cells: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for member in runs:
        beta, rate = member.chosen("training", "beta", "kind"), member.chosen("training", "rate", "kind")
        beta = {"linear": "monotonic"}.get(beta, beta)
        if member.status.state == "finished" and {"kl", "neg_elbo"} <= set(member.last):
            cells.setdefault((beta, rate), []).append((member.last["kl"], -member.last["neg_elbo"]))
    return two_by_two(cells)


def cyclical_shipped(result: Result) -> bool:
    """The same of the claim's result."""
    cells: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in result.table:
        try:
            cells.setdefault((str(row["beta"]), str(row["learning rate"])), []).append(
                (float(row["KL"]), -float(row["-ELBO"])))
        except (KeyError, ValueError, OverflowError):
            continue
    return two_by_two(cells)


def two_by_two(cells: Mapping[tuple[str, str], Sequence[tuple[float, float]]]) -> bool:
    """Means over seeds: KL and ELBO, beta down and learning rate across."""
    import pandas as pd

    if not any(beta in BETAS and rate in RATES for beta, rate in cells):
        return False
    with st.grid(2, min_column_width=420):
        for place, name in enumerate(("KL", "ELBO")):
            with st.container():
                st.subheader(f"{name}, nats", anchor=False, help=HELP[name] + " On the validation set, a mean over "
                             "the runs of a cell.")
                frame = pd.DataFrame({words: {told: said([pair[place] for pair in cells.get((beta, rate), ())])
                                              for beta, told in BETAS.items()} for rate, words in RATES.items()})
                st.table(frame)
    st.markdown("**Compare within a column, where only β differs.** The released code of Fu et al. restarts the "
                "learning rate together with β: from the upper left to the lower right both change, and either could "
                "be the reason.")
    return True


def said(values: Sequence[float]) -> str:
    return f"**{float(np.mean(values)):.2f}** · {len(values)} run{'s' * (len(values) != 1)}" if values else "–"


# -- the lagging encoder ---------------------------------------------------------------------------


def lagging_view(runs: Sequence[Member]) -> bool:
    """Basic beside aggressive, a row a run, and where the means of model and encoder went."""
    from vaecore.evaluate.lagging import Spread, spreads

    rows, points, first = [], [], EARLY
    for member in runs:
        if not member.last.get("step"):
            continue
        kind = "aggressive" if member.chosen("training", "inference", "kind") == "aggressive" else "basic"
        snapshots = history.record(member.run).snapshots
        if snapshots is not None:
            early = min(int(np.searchsorted(snapshots.steps, EARLY)), len(snapshots.steps) - 1)
            first = int(snapshots.steps[early])
            start, end = (spreads(snapshots.model[at], snapshots.inference[at]) for at in (early, -1))
            points.append(Spread(kind, member.run.id, start, end))
        rows.append({"Encoder": kind, "Run": member.run.id, "KL": finite(member.last.get("kl")),
                     "Mutual information": finite(member.last.get("mutual_information")),
                     "ELBO": bound_of(member),
                     "Spread ratio": ratio(points[-1]) if snapshots is not None else None})
    return basic_beside_aggressive(rows, points, f"step {first:,}")


def lagging_shipped(result: Result) -> bool:
    """The same of the claim's result."""
    points = collapse.spreads_of(result)
    ratios = {(point.training, point.name): ratio(point) for point in points}
    rows = []
    for row in result.table:
        try:
            kind, name = str(row["training"]), f"seed {row['seed']}"
            rows.append({"Encoder": kind, "Run": name, "KL": finite(float(row["KL"])),
                         "Mutual information": finite(float(row["mutual information"])),
                         "ELBO": finite(-float(row["-ELBO"])), "Spread ratio": ratios.get((kind, name))})
        except (KeyError, ValueError, OverflowError):
            continue
    return basic_beside_aggressive(rows, points, f"step {EARLY}")


def ratio(point: Spread) -> float | None:
    model, inference = point.late
    return inference / model if model > 0 else None


def basic_beside_aggressive(rows: list[dict[str, Any]], points: Sequence[Spread], early: str) -> bool:
    """The table, the basic runs first, and the picture."""
    import pandas as pd

    if not rows:
        return False
    frame = pd.DataFrame(sorted(rows, key=lambda row: row["Encoder"] != "basic"))
    with st.grid(2, min_column_width=420):
        with st.container():
            st.subheader("Basic beside aggressive", anchor=False, help="The same data and model; only the order of "
                         "updates differs: together, or many of the encoder for each of the decoder.")
            st.dataframe(frame, hide_index=True, height="content", placeholder="–", key="lagging-table",
                         column_config={name: number(name) for name in HELP})
        with st.container():
            if points:
                points = sorted(points, key=lambda point: point.training != "basic")
                collapse.spread_chart(points, early=early, key="lagging-spreads")
    return True


# -- one pair of modalities, five ways -------------------------------------------------------------


def same_data_view(runs: Sequence[Member]) -> bool:
    """Where each model crosses, of its newest evaluation that says so; False while no run is evaluated."""
    import pandas as pd

    from vaecore.evaluate.kept import evaluations

    ended = [member for member in runs if member.last.get("step")]
    if not ended:
        return False
    rows, missing = [], []
    for member in ended:
        found = next((facts["coherence"] for facts in reversed(evaluations(member.run)) if "coherence" in facts), None)
        if found is None:
            missing.append(member.run.id)
        rows.append({"Run": member.run.id, "ELBO": bound_of(member), **crossings(found),
                     "Joint": share(found, "joint")})
    frame = pd.DataFrame(rows).dropna(axis=1, how="all")
    st.subheader("What comes of the same pairs", anchor=False, help="The same images and labels, five models: two that "
                 "share nothing, one that knows of no modalities, and three joint ones.")
    columns = {name: st.column_config.NumberColumn(format="percent", help="Share whose class is that of what was "
                                                   "given. Codes are drawn from q(z | given).")
               for name in frame.columns if "→" in name}
    columns |= {"ELBO": number("ELBO"), "Joint": st.column_config.NumberColumn(
        format="percent", help="Share of samples of the prior whose image and label agree.")}
    st.dataframe(frame, hide_index=True, height="content", placeholder="–", key="same-data-table",
                 column_config=columns)
    with st.container(horizontal=True, gap="small"):
        st.page_link("compare/page.py", label="Compare them", icon=":material/compare:",
                     query_params=[("runs", member.run.id) for member in ended[-8:]],
                     help="Compare with these runs side by side.")
        for name in missing[:8]:
            st.page_link("evaluate/page.py", label=f"Evaluate {escaped(name)}", icon=":material/straighten:",
                         query_params={"run": name}, help="Its coherence is not known yet.")
    return True


def same_data_shipped(_result: Result) -> bool:
    """No claim asks this question."""
    return False


def crossings(found: Any) -> dict[str, float | None]:
    """Coherence by direction, as 'image → label', of an evaluation's facts; empty where there is none."""
    subsets = found.get("subsets") if isinstance(found, dict) else None
    made: dict[str, float | None] = {}
    for each in subsets if isinstance(subsets, list) else []:
        if not isinstance(each, dict) or not isinstance(each.get("given"), list):
            continue
        given = " + ".join(str(name)[:40] for name in each["given"])
        if isinstance(each.get("coherence"), dict):
            made |= {f"{given} → {str(name)[:40]}": share(each["coherence"], name) for name in each["coherence"]}
    return made


def share(found: Any, name: str) -> float | None:
    """A number of `found` by name; None where it is none."""
    value = found.get(name) if isinstance(found, dict) else None
    return finite(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None


VIEWS: dict[str, tuple[Callable[[Sequence[Member]], bool], Callable[[Result], bool]]] = {
    "gamma": (gamma_view, gamma_shipped), "cyclical": (cyclical_view, cyclical_shipped),
    "lagging": (lagging_view, lagging_shipped), "same-data": (same_data_view, same_data_shipped)}
