"""The cockpit of Monitor: what a run did and what to try, and the sections under it.

All that is worked out from a run's metrics.jsonl is in its record: once for each change of the file, not a rerun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import streamlit as st

from pages.components.curves import live_curves
from pages.components.heat import Heat, heat_maps
from pages.components.plane import paths_plane, trajectory_planes
from pages.monitor import bars, diagnosis
from pages.monitor.log import log
from pages.shared import address, forking, history
from pages.shared.checkpoints import explore_links
from pages.shared.names import names
from pages.shared.queue import STATES, STOPPING, Look, actions, error_of
from pages.shared.words import escaped
from vaecore import lab
from vaecore.charts.curves import SMOOTHING
from vaecore.charts.plane import DISTORTION, RATE, Track
from vaecore.comparison.history import History, Snapshots, aggression, clocks, latent_panels, panels, way
from vaecore.evaluate.lagging import TRUSTED
from vaecore.evaluate.verdict import Remedy, State, Verdict
from vaecore.provenance import of_run
from vaecore.store import COPY_AGAIN, Run, StoreError
from vaecore.views import CLIP, view_of

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

WAITING = Look("Waiting for its first evaluation", ":material/hourglass_top:", "gray")
FEW = 2  # runs whose verdicts stand open
INFORMATIVE = "the most informative"
VERDICTS: dict[State, Look] = {
    "collapsed": Look("Collapsed", ":material/trending_flat:", "red"),
    "lagging": Look("Encoder lags", ":material/directions_walk:", "orange"),
    "partial": Look("Partly active", ":material/contrast:", "blue"),
    "healthy": Look("Healthy", ":material/check_circle:", "green"),
    "early": Look("Too early", ":material/hourglass_top:", "gray"),
    "unknown": Look("No verdict", ":material/help:", "gray"),
}


# -- runs ------------------------------------------------------------------------------------------


def run_card(record: History, *, open: bool) -> None:
    """One card a run: what it does and how far it is, then what became of its latent code and what to try.

    The verdict stands on the card where it is `open`, else behind its word.
    """
    run, judged = record.run, record.verdict
    name, status, look = run.id, lab.status(run.path), VERDICTS[judged.state]
    if status.state in lab.LIVE and not len(record.evaluations["step"]):
        look = WAITING
        judged = Verdict("unknown", (lab.why_it_waits(run.path, status) or status.detail
                                     or "It comes before the first step.",))
    with st.container(border=True, key=f"card-{name}", height="stretch", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"state-{name}", gap="small"):
            _state(run, status)
            if not open:
                with st.popover(f":{look.colour}[{look.word}]", icon=look.icon, type="tertiary", key=f"verdict-{name}",
                                help="What became of its latent code, and what to try."):
                    _verdict(run, judged, look)
            if run.weights.is_file():
                explore_links(run)
                _fork(run)
        if status.state in lab.LIVE:  # a row of its own: the words change their length, and nothing is to jump
            st.progress(min(1.0, status.step / status.total) if status.total else 0.0, history.standing(status))
        if status.state in ("failed", "lost"):
            st.error(escaped(status.detail), icon=":material/error:")
            with st.container(horizontal=True, gap="small"):
                forking.offer(run, status)
        if run.writable and status.state in (*lab.LIVE, "stopped", "failed", "lost"):
            error_of(run)
            actions(run, status, watched=True)
        if lost := record.metrics.damaged:
            st.caption(f":material/broken_image: {lost:,} line{'s' * (lost > 1)} of metrics.jsonl cannot be read and "
                       f"{'are' if lost > 1 else 'is'} left out. {COPY_AGAIN}.")
        if open:
            with st.container(key=f"told-{name}", gap="xsmall"):
                _verdict(run, judged, look)
            _data(run)


def _data(run: Run) -> None:
    """What its data were, folded."""
    if (told := of_run(run)) is None:
        return
    left_out = f" · {len(told.left_out)} left out" if told.left_out else ""
    with st.expander(escaped(f"Data: {told.title}{left_out}"), icon=":material/database:", type="compact",
                     key=f"data-{run.id}"):
        st.markdown("\n".join(f"- {escaped(line)}" for line in told.lines()))


def _state(run: Run, status: lab.Status) -> None:
    look = STOPPING if status.stopping else STATES[status.state]
    st.badge(look.word, icon=look.icon, color=look.colour,
             help=escaped(" ".join(filter(None, [status.detail, status.place and f"{status.place}."]))) or None)
    st.markdown(f"**{escaped(run.title)}**", width="content", help=escaped(run.id) if run.title != run.id else None)
    standing = "" if status.state in lab.LIVE else history.standing(status)
    st.markdown(" · ".join(filter(None, [escaped(status.place), standing])), width="stretch")


def _verdict(run: Run, judged: Verdict, look: Look) -> None:
    st.markdown(f":{look.colour}[{look.icon} **{look.word}.**] {escaped(' '.join(judged.sentences))}")
    if judged.remedies:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown("Try:", width="content")
            for index, remedy in enumerate(judged.remedies):
                _remedy(run, remedy, index)


def _remedy(run: Run, remedy: Remedy, index: int) -> None:
    if st.button(f":primary[{escaped(remedy.words)}]", key=f"remedy-{index}-{run.id}", type="tertiary",
                 help=escaped(f"Open Train with this run's settings and {', '.join(remedy.settings)}.")):
        _open_train(run, changes=list(remedy.settings))


def _open_train(run: Run, **wish: object) -> NoReturn:
    """Train filled with the run's settings: with `changes` to them, as a `fork` of weights it has kept, or both."""
    st.session_state["train_from"] = run.id
    for name, value in wish.items():
        st.session_state[f"train_{name}"] = value
    st.switch_page("train/page.py")


def _fork(run: Run) -> None:
    """Choose weights the run has kept, to go on from with other settings; files are looked at when it is opened."""
    popover = st.popover("Fork", icon=":material/call_split:", type="tertiary", key=f"fork-of-{run.id}",
                         on_change="rerun", help="Train on from weights that it has kept, with some settings changed.")
    if not popover.open:
        return
    from vaecore.training.checkpoints import BrokenCheckpoint
    from vaecore.training.fork import sources

    with popover:
        try:
            kept = {source.name: source for source in sources(run)}
        except BrokenCheckpoint as error:
            st.error(escaped(str(error)), icon=":material/broken_image:")
            return
        if not kept:
            st.markdown("It has kept no weights yet. They come with its first evaluations.")
            return
        chosen = st.radio("Begin with the weights", list(kept), key=f"fork-from-{run.id}",
                          format_func=lambda name: _weights(name, kept[name].step))
        if st.button("Open on Train", key=f"fork-open-{run.id}", icon=":material/model_training:", type="primary"):
            _open_train(run, fork=chosen)


def _weights(name: str, step: int) -> str:
    return f"step {step:,}" if name.isdecimal() else f"{name}, step {step:,}"


# -- sections --------------------------------------------------------------------------------------


def called(records: Mapping[str, History]) -> dict[str, str]:
    """What legends call the runs."""
    return names([record.run for record in records.values()])


def curves(records: Mapping[str, History], row: DeltaGenerator) -> None:
    """Training and validation over the steps."""
    more = address.kept("more", row.toggle, "Gradient and learning rate", key="monitor-more",
                        help="Two more charts: the length of the gradient, and the learning rate.")
    live_curves(panels(records, more=more), key="curves", clocks=clocks(records), names=called(records),
                smoothing=SMOOTHING, height=300)
    for sentence in aggression(records):
        st.caption(escaped(sentence))


def latent_use(records: Mapping[str, History], _row: DeltaGenerator) -> None:
    """What the latent dimensions are used for."""
    if charts := latent_panels(records):
        live_curves(charts, key="latent-curves", clocks=clocks(records), names=called(records), height=260)
    for name, record in records.items():
        if not len(record.kl):
            st.caption(escaped(f"{name}: {'this family has no KL' if record.no_kl else 'no evaluation yet'}."))
    older = [name for name, record in records.items() if len(record.kl) and not len(record.evaluated("rate")[0])]
    if older:
        st.caption(escaped(f"No curve of mutual information for {', '.join(older)}: trained before it was estimated. "
                           "Below it can be taken now."))
    with_kl = {name: record for name, record in records.items() if len(record.kl)}
    if with_kl:
        st.subheader("KL by dimension over training", anchor=False,
                     help="KL of q(z|x) from the prior, by latent dimension, at each evaluation: a mean over the "
                          "validation set. A dark row is a dimension that says nothing.")
        ordered = any(len(record.names) > 1 for record in with_kl.values()) and address.kept(
            "sorted", st.toggle, "Sort dimensions", key="sorted", help="Rows by their KL at the last "
            "evaluation, the largest on top.")
        heat_maps([Heat(name, name, record.kl_steps, record.kl) for name, record in with_kl.items()], key="heat",
                  ordered=ordered)
    if with_kl and len(with_kl) <= FEW:  # of more, the heat maps tell by hovering
        st.subheader("KL by dimension now", anchor=False,
                     help="The same at the last evaluation, largest first. Near 0, a dimension says nothing.")
        reach = max(float(np.nanmax(record.kl[-1], initial=0.0)) for record in with_kl.values())
        with st.grid(len(with_kl), min_column_width=320):
            for name, record in with_kl.items():
                bars.kl_bars(name, record, reach)
    # Codes of frames are looked into on the page Video.
    diagnosis.on_demand([record.run for record in with_kl.values() if view_of(record.run) is not CLIP])


def rate_and_distortion(records: Mapping[str, History], _row: DeltaGenerator) -> None:
    """Each run's way through the plane of rate and distortion."""
    paths = [path for name, record in records.items() if len((path := way(name, record)).steps)]
    if missing := [name for name in records if name not in {path.run for path in paths}]:
        st.caption(escaped(f"Not here: {', '.join(missing)}. A point needs an evaluation with a KL."))
    if not paths:
        st.info("None of these runs has a rate: their families have no KL, or nothing has been evaluated yet. Choose "
                "a VAE above.", icon=":material/info:")
        return
    paths_plane(paths, key="rate-distortion", x_label=RATE, y_label=DISTORTION, height=520)
    st.caption("A path per run, a point per evaluation, on the validation set. Thin lines have equal −ELBO: along "
               "them a model trades reconstruction for a code that says less. At rate 0, on the left, is collapse.")


def trajectory(records: Mapping[str, History], row: DeltaGenerator) -> None:
    """The lecture's picture: the same points in the plane of model posterior mean and inference mean."""
    found = {name: record.snapshots for name, record in records.items()}
    there = {name: snapshots for name, snapshots in found.items() if snapshots}
    for name in [name for name in records if name not in there]:
        _no_snapshots(records[name].run)
    if not there:
        return
    names = list(dict.fromkeys(name for snapshots in there.values() for name in snapshots.names))
    wanted = INFORMATIVE
    if len(names) > 1:
        wanted = address.kept("dimension", row.selectbox, "Latent dimension", [INFORMATIVE, *names], key="dimension",
                              width=260, help="The most informative has the largest KL at a run's last evaluation.")
    tracks = []
    for name, snapshots in there.items():
        place = _place(snapshots, records[name], wanted)
        if place is None:
            st.caption(escaped(f"{name} has no dimension {wanted}."))
            continue
        label = name if len(snapshots.names) == 1 else f"{name} · {snapshots.names[place]}"
        tracks.append(Track(label, name, snapshots.steps, snapshots.model[..., place],
                            snapshots.inference[..., place], snapshots.labels, records[name].run.class_names()))
    trajectory_planes(tracks, key="trajectory", x_label="mean of the model posterior p(z|x)",
                      y_label="mean of the encoder's q(z|x)", height=420)
    st.caption(_method(there))


def _place(snapshots: Snapshots, record: History, wanted: str) -> int | None:
    """Which dimension of the snapshots to show; None where the run has no such one."""
    if wanted != INFORMATIVE:
        return snapshots.names.index(wanted) if wanted in snapshots.names else None
    last = dict(zip(record.names, record.kl[-1], strict=True)) if len(record.kl) else {}
    kl = np.nan_to_num([last.get(name, 0.0) for name in snapshots.names], nan=0.0, posinf=0.0)
    return int(np.argmax(kl))  # the first where all are 0


def _method(there: Mapping[str, Snapshots]) -> str:
    lines = ["The encoder keeps up where points lie on the diagonal; on a flat line it lags behind the model; in one "
             "spot at 0 both have collapsed."]
    weighed = {name: snapshots for name, snapshots in there.items() if snapshots.method != "grid"}
    if exact := [name for name in there if name not in weighed]:
        which = f" ({', '.join(exact)})" if weighed else ""
        lines.append(f"Means of the model posterior are sums over a grid{which}.")
    if weighed:
        shares = ", ".join(f"{name} {100 * snapshots.effective:.0f} %" for name, snapshots in weighed.items())
        lines.append(f"Means of the model posterior are importance-weighted; effective share of the samples: {shares}.")
    if rough := [name for name, snapshots in weighed.items() if not snapshots.effective >= TRUSTED]:
        lines.append(f"Under 5 %, the model posterior's mean is a rough estimate: {', '.join(rough)}.")
    return escaped(" ".join(lines))


def _no_snapshots(run: Run) -> None:
    """Why a run has none, and what to do."""
    try:
        values = run.values()
    except StoreError as error:
        st.info(escaped(str(error)), icon=":material/info:")
        return
    training = values.get("training")
    asked = training.get("snapshots") if isinstance(training, dict) else None
    if run.about().get("has_kl") is False:
        st.info(escaped(f"{run.id} has no snapshots: its family has no posterior q(z|x) whose mean could move."),
                icon=":material/info:")
        return
    if lab.status(run.path).state in lab.LIVE and asked:
        st.info(escaped(f"{run.id} has no snapshots yet: the first comes before its first step."),
                icon=":material/info:")
        return
    if asked is None:
        why = "it was trained before they were kept"
    else:
        why = "its metrics.jsonl holds none" if asked else "they were switched off (training.snapshots = 0)"
    st.info(escaped(f"{run.id} has no snapshots: {why}. Train it again with some to see its points move."),
            icon=":material/info:")
    if st.button("Train it again with snapshots", key=f"again-{run.id}", icon=":material/model_training:"):
        _open_train(run, changes=["training.snapshots=20"])


SECTIONS = {"Curves": curves, "Latent use": latent_use, "Rate and distortion": rate_and_distortion,
            "Trajectory": trajectory, "Log": log}


def sections(records: Mapping[str, History]) -> None:
    """The chosen one of the sections under the cards; its controls stand in the row of the choice."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    chosen = address.kept("section", row.segmented_control, "Section", list(SECTIONS), key="monitor-section",
                          default="Curves", required=True, label_visibility="collapsed", wrap=True)
    SECTIONS[chosen](records, row)
