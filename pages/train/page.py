"""Choose data, a model and how to train it; see what that means; start it; watch the queue."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from pages.shared import changing, measure, pictures, placing, warm
from pages.shared.charts import chart
from pages.shared.checkpoints import store
from pages.shared.form import draft
from pages.shared.form.drawing import config_form
from pages.shared.form.fields import entries_text
from pages.shared.palette import BLUE, GREEN, PINK
from pages.shared.queue import anything_live, queue_panel
from pages.shared.words import duration, escaped, span
from pages.train import bring, fetching, fitting
from pages.train.origin import (
    FORM,
    Origin,
    command,
    create,
    origin_row,
    placed,
    settle_origin,
    use_data,
    with_file_chosen,
)
from vaecore import files, lab, naming, permission
from vaecore.lab.where import one_by_one
from vaecore.library import equal_to, records
from vaecore.schema import ConfigError, Problem, parse, problem, title_at
from vaecore.store import StoreError, all_or_none, checked_name
from vaecore.words import counted

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.data.own.file import OwnFile
    from vaecore.explore.look import Look
    from vaecore.training.build import Fit

UNKNOWN = ('<mark title="not in the vocabulary" style="background:rgba(230,159,0,.28);color:inherit;padding:0 .3em;'
           'border-radius:.3em">unknown</mark>')
SENTENCE = ("margin:0 0 .45rem;padding-left:.6rem;border-left:3px solid rgba(128,128,128,.35);font-size:.9rem;"
            "line-height:1.35;overflow-wrap:anywhere")
# On a phone the columns stand one over the other: what starts a training comes first, not after five screens of fields.
# A range of times needs more room than a number does, and says nothing when it is cut.
STYLE = """<style>@media (max-width: 640px) {
  [data-testid="stColumn"]:has(.st-key-train-launch) { order: -1; }
}
.st-key-train-launch [data-testid="stMetricValue"] { font-size: 1.5rem; }
.st-key-train-launch [data-testid="stMetricValue"] * { white-space: normal; overflow: visible; }
</style>"""


MOST_SEEDS, MOST_WATCHED = 64, 12
BUSY = 1.5  # times as long as on a machine at rest


# -- what it means ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """The form's values, judged: a configuration when it is one, and everything that stands against it."""

    config: RunConfig | None
    problems: tuple[Problem, ...]
    sound: RunConfig | None = None  # the sections that are in order, the others by default
    look: Look | None = None
    missing: str = ""  # why the data cannot be had
    fit: Fit | None = None

    @property
    def ready(self) -> bool:
        return self.config is not None and self.fit is not None and not self.problems


def judge(values: dict[str, object]) -> Plan:
    """Read the values, load the data, fit the model to it; each step only when the last one went well."""
    from vaecore.config import RunConfig
    from vaecore.data import DataUnavailable

    data = values.get("data")
    if (why := permission.refusal()) and isinstance(data, dict) and (path := data.get("path")):  # not theirs to read
        return Plan(None, problem("data.path", path, why, "Choose data that come with the laboratory.").problems)
    try:
        config = parse(RunConfig, values)
    except ConfigError as error:
        wrong = {problem.field.partition(".")[0] for problem in error.problems}
        sound = parse(RunConfig, {name: part for name, part in values.items() if name not in wrong})
        try:
            look = None if "data" in wrong else measure.look(sound)
        except (DataUnavailable, ConfigError):
            look = None
        return Plan(None, error.problems, None if "training" in wrong else sound, look)
    look = None
    try:
        look = measure.look(config)
        return Plan(config, (), config, look, fit=measure.fit(config))
    except DataUnavailable as error:
        return Plan(config, (), config, missing=str(error))
    except ConfigError as error:
        return Plan(config, error.problems, config, look)


def data_card(plan: Plan, own: type[OwnFile] | None, *, locked: bool) -> None:
    """What the data looks like; where it is not here, how to get it. `own` are data of one's own, not yet there."""
    if not locked:
        bring.open_button()
    if plan.look:
        if plan.look.picture:
            pictures.show(plan.look.picture, plan.look.alt, width=300)
        bring.rows(plan.look)
        if plan.look.sentences:
            lines = (html.escape(line).replace("&lt;unk&gt;", UNKNOWN) for line in plan.look.sentences)
            st.html("".join(f'<p dir="auto" style="{SENTENCE}">{line}</p>' for line in lines))
        told = " / ".join(f"{size:,}" for size in plan.look.sizes.values()) in plan.look.source
        sizes = "" if told else " · " + ", ".join(f"{size:,} {name}" for name, size in plan.look.sizes.items())
        place = fetching.where(plan.sound.data) if plan.sound else ""
        st.caption(f"{escaped(plan.look.source)}{sizes} · {plan.look.shape}",
                   help=f"Sizes are those of training, validation and test.{place}")
        bring.folded(plan.look)
        if plan.sound:
            fetching.larger(plan.sound.data)
    elif own:
        st.caption(own.invitation)
    elif plan.missing and plan.config:
        fetching.unavailable(plan.config.data, plan.missing)
    else:
        st.caption("The data is shown once its fields are in order.")


def unused(plan: Plan) -> set[str]:
    """Fields that are not asked for, as they make no difference to this training."""
    return measure.unread(plan.sound) if plan.sound and plan.look else set()


def schedules(plan: Plan) -> None:
    """Beta, what the KL costs, and the learning rate over this training."""
    total = plan.fit.steps if plan.fit and plan.fit.steps else 1_000
    if plan.sound:
        st.session_state["train:drawn"] = plan.sound.training, plan.sound.model, total
    if "train:drawn" not in st.session_state:
        st.caption("Beta and the learning rate are drawn once the fields are in order.")
        return
    training, model, total = st.session_state["train:drawn"]  # the charts stay while something is half entered
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from pages.train.schedule_figure import schedule_figure
    from vaecore.schedules.shape import sampled

    charts = [("rate", sampled(training.rate, total, training.epochs, training.learning_rate), BLUE, "Learning rate")]
    if training.kl.kind == "capacity":
        target = sampled(training.kl.nats_at, total, training.epochs)
        charts.insert(0, ("target", target, GREEN, "C, the KL aimed at, in nats"))
    charts.insert(0, ("beta", sampled(training.beta, total, training.epochs), PINK, "β, the weight of the KL"))
    if not model.has_kl:
        st.caption(f":material/info: {model.title} has no KL: β and what the KL costs are not used.")
        del charts[:-1]
    for name, curve, colour, title in charts:
        chart(schedule_figure(*curve, title=title, colour=colour), key=f"train-{name}", alt=f"{title} over the epochs")
        if name == "beta" and training.kl.kind in ("free-bits", "free-bits-masked") and plan.fit:
            each = ", at each observation by itself" if training.kl.kind == "free-bits-masked" else ""
            groups = counted(training.kl.groups(plan.fit.latents), training.kl.group)
            st.caption(f":material/redeem: Free bits: {groups}, of each a KL of up to {training.kl.nats:g} nats costs "
                       f"nothing{each}.",
                       help="The gradient of a group below its free bits is 0: its KL may sit there while the code "
                            "says nothing. Look at active units and mutual information too.")
    if plan.sound is None:
        st.caption(":material/history: Drawn as it was when the fields were last in order.")


# -- starting it -----------------------------------------------------------------------------------


class Launch(NamedTuple):
    """What is written once the time is known, of how many seeds, and where they run."""

    time: st.delta_generator.DeltaGenerator
    told: st.delta_generator.DeltaGenerator
    seeds: int
    where: lab.Here | lab.Slurm | None


def launch_card(origin: Origin, plan: Plan) -> Launch:
    """Size, name, seeds, where it runs and the button; returns the places where the time is to be written."""
    with st.container(border=True, key="train-launch"):
        left, right = st.columns([5, 7], wrap=False)
        left.metric("Parameters", f"{plan.fit.parameters:,}" if plan.fit else "–",
                    help="Numbers that are learned, for this model on this data.")
        with right:
            time_slot = st.container(height=88, border=False, gap=None)
        busy = anything_live()
        if st.session_state.pop("train:clear", False):
            st.session_state["train:name"] = ""
        name = st.text_input("Name (optional)", key="train:name", max_chars=64,
                             placeholder=naming.slug(plan.config.model_dump(mode="json")) if plan.config else "",
                             help="Small letters, digits, '-', '_' and '.'. It names the run's folder. Without one it "
                             "is called by what was changed.").strip()
        seeds = 1 if origin.source else int(st.number_input(
            "Seeds", 1, MOST_SEEDS, 1, key="train:seeds", help="Train so many runs that differ in their seeds alone, "
            "from the seed of the form on. Small models are trained stacked, in one process, and stay ordinary runs."))
        told = st.container()
        where = placing.choose()
        for against in (found := list(filter(None, [
                name_trouble(name, seeds, plan.config.seed if plan.config else 0), placing.trouble(where)]))):
            st.caption(f":red[:material/error: {escaped(against)}]")
        if plan.config and plan.fit:
            tell_equal(origin, plan.config)
        reason = trouble(plan)
        label, icon, words = button_words(where, seeds, busy=busy)
        if changing.button(label, key="train-start", type="primary", width="stretch", icon=icon,
                           disabled=bool(reason or found), help=words
                           ) and plan.config is not None and where is not None:
            start(origin, plan.config, name, seeds, where)
        if reason:
            st.caption(f":red[:material/block: Cannot start: {escaped(reason)}]")
        if error := st.session_state.pop("train:error", None):
            st.error(escaped(error), icon=":material/error:")
        if started := st.session_state.get("train:started"):
            st.page_link("monitor/page.py", label=f"Watch {in_words(started)}", icon=":material/monitoring:",
                         query_params=[("runs", run) for run in started[:MOST_WATCHED]],
                         help="The live curves of what you started.")
        details(origin, plan, seeds, where)
    return Launch(time_slot, told, seeds, where)


def button_words(where: lab.Here | lab.Slurm | None, seeds: int, *, busy: bool) -> tuple[str, str, str]:
    """Label, icon and help of the button that starts it."""
    if isinstance(where, lab.Slurm):
        return ("Submit to SLURM", ":material/send:", "Trains on the cluster, and goes on when this page is closed."
                + (" The seeds are one array, a job each." if seeds > 1 else ""))
    return ("Add to queue" if busy else "Start training",
            ":material/playlist_add:" if busy else ":material/play_arrow:",
            "Trains in the background; it goes on when this page is closed. One at a time, in order.")


def in_words(runs: list[str]) -> str:
    """A run by its name, several by their number."""
    return runs[0] if len(runs) == 1 else f"{len(runs)} seeds"


def named(name: str, seeds: int, first: int) -> list[str]:
    """What the runs are called; one without a name is called by what was changed."""
    return [name] if seeds == 1 or not name else [f"{name}-{first + place}" for place in range(seeds)]


def tell_equal(origin: Origin, config: RunConfig) -> None:
    """Say which runs have this configuration already."""
    if same := equal_to(config.resolve().model_dump(mode="json"), records(store()), origin.parent):
        others = f" and {len(same) - 1} more have" if len(same) > 1 else " has"
        st.caption(f":material/content_copy: {escaped(same[0].title)}{others} this configuration already, seed "
                   "included.", help="Training it again would find the same numbers. Another seed tells how much they "
                   "vary.")


def trouble(plan: Plan) -> str:
    """Why it cannot start, in a sentence; empty when it can."""
    if plan.missing:
        return plan.missing.partition(". ")[0] + "."
    if plan.problems:
        from vaecore.config import RunConfig

        first = plan.problems[0]
        more = f" And {len(plan.problems) - 1} more." if len(plan.problems) > 1 else ""
        field = first.field.rstrip(".0123456789") or "the configuration"  # not the place in a list
        return f"{title_at(RunConfig, field)}: {first.message} {first.remedy}{more}"
    return ""


def name_trouble(name: str, seeds: int, first: int) -> str:
    """What is wrong with the name of runs from seed `first` on; nothing is wrong with none."""
    if not name:
        return ""
    try:
        checked_name(name)
    except StoreError as error:
        return str(error)
    taken = {run.path.name for run in store().runs()}
    if there := next((each for each in named(name, seeds, first) if each in taken), None):
        return f"There is already a run called '{there}'. Choose another name, or remove that one."
    return ""


def start(origin: Origin, config: RunConfig, name: str, seeds: int, where: lab.Here | lab.Slurm) -> None:
    """Write each run's folder and put them into the queue."""
    text = f"{name} {seeds} {origin.source} {origin.anew} {where!r} {config.to_json()}"
    if changing.twice("train:last", text):
        return
    try:
        lab.require_place(where)
        names = named(name, seeds, config.seed) if name else [""] * seeds
        stack = seeds > 1 and not (one_by_one(where) or measure.together(config, seeds)[0])
        runs = all_or_none(create(origin, *given) for given in zip(config.seeded(seeds), names, strict=True))
        lab.submit_new([run.path for run in runs], where, stack=stack)
    except (StoreError, ConfigError, lab.LabError, OSError) as error:
        st.session_state["train:error"] = files.trouble(error)
        st.rerun()
    started = [run.id for run in runs]
    st.session_state.update({"train:started": started, "train:clear": True, "train:toast": in_words(started)})
    st.rerun()


def details(origin: Origin, plan: Plan, seeds: int, where: lab.Here | lab.Slurm | None) -> None:
    """What was changed, the same as a command, and the configuration to keep."""
    if plan.config is None:
        return
    from vaecore.config import differences

    base, start = origin.base(), origin.start()
    suggested = {path: new for path, (_, new) in differences([base, start]).items()}
    if changes := differences([base, plan.config]):
        with st.expander(f"{len(changes)} changed", icon=":material/difference:", type="compact", key="train-changes",
                         expanded=bool(suggested)):
            lines = []
            for path, (old, new) in changes.items():
                mark = " :material/lightbulb:" if path in suggested and suggested[path] == new else ""
                lines.append(f"- {escaped(path)}: {said(old)} → **{said(new)}**{mark}")
            st.markdown("\n".join(lines))
            if suggested:
                st.caption(":material/lightbulb: Suggested by the page that you came from.")
            st.button("Reset to preset" if origin.preset else "Reset all", key="train-reset", icon=":material/undo:",
                      on_click=draft.reset, args=(FORM,), help=f"Put every field back to {escaped(origin.name)}"
                      f"{', with what was suggested' if suggested else ''}.")
    else:
        st.caption(f":material/check: As in {escaped(origin.name)}")
    with st.expander("As a command, as a file", icon=":material/terminal:", type="compact", key="train-command"):
        st.code(command(origin, plan.config, seeds) + placing.options(where), language="bash", wrap_lines=True)
        name = origin.name if origin.preset else origin.run.replace("/", "-") or "configuration"
        st.download_button("Configuration as YAML", plan.config.to_yaml(), f"{name}.yaml", "application/yaml",
                           key="train-yaml", icon=":material/download:", on_click="ignore",
                           help="A file that can be uploaded here again, or given to `vaecore train --config`.")


def said(value: object) -> str:
    """A value in a line of text."""
    if value is None:
        return "–"
    return escaped(entries_text(value) if isinstance(value, list) else f"{value}")


def time_needed(plan: Plan, launch: Launch) -> None:
    """Measure, and say, how long it will take; of several seeds, all of them."""
    seeds, away = launch.seeds, isinstance(launch.where, lab.Slurm)
    note = ""
    if away:
        note += " On the cluster it takes what its nodes take, and the time until SLURM begins."
    if not plan.ready or plan.config is None or plan.fit is None:
        st.metric("Time", "–", help="Known once everything fits.")
    elif not plan.fit.steps:
        st.metric("Time", "seconds", help="Solved in closed form: there are no training steps.")
    elif plan.fit.parameters > measure.MAX_MEASURED:
        st.metric("Time", "long", help=f"Not measured: more than {measure.MAX_MEASURED:,} parameters.")
    else:
        with st.spinner("Measuring …"):
            warm.ready()  # its imports would be measured too
            found = measure.estimate(plan.config)
            low, high = ((1 if away else seeds) * each for each in (found.seconds, found.at_most))
            note = f"{escaped(found.source)}{note}"
            how = ""
            if seeds > 1 and away:
                how = f"{seeds} seeds are one array: a job each, as many at the same time as the cluster lets."
            elif seeds > 1:
                why, stacked = one_by_one(launch.where or lab.Here()), 0.0
                if not why:
                    why, stacked = measure.together(plan.config, seeds)
                how = f"{seeds} seeds are trained one by one: {escaped(why)}."
                if not why:
                    how = (f"{seeds} seeds are trained stacked, in one process; one by one they would take "
                           f"{span(low, high)}.")
                    low = high = stacked
        if anything_live() and not away:
            note += " Something is training: that slows it."
        note += f" {plan.fit.steps:,} steps."
        aggressive = plan.config.training.inference.kind == "aggressive"
        if duration(low) != duration(high) and not aggressive:
            note += " It was not the same every time: this machine is restless."
        elif duration(low) != duration(high):
            note += (" How long depends on when the mutual information of code and observation stops climbing: until "
                     "then the encoder is trained aggressively, many updates for each of the decoder.")
        st.metric("Time", span(low, high), help=note)
        if how:
            launch.told.caption(f":material/layers: {how}")
        if found.busy >= BUSY and not away:
            st.caption(  # in words it would be cut off
                f":material/hourglass_top: Busy: × {found.busy:.1f}", help="This machine is busy: as long as it is, a "
                f"training takes about {found.busy:.1f} times as long as that.")


# -- the page --------------------------------------------------------------------------------------

def page() -> None:
    """The form at the left; starting, and the queue, at the right. What takes long comes last."""
    st.title("Train", anchor=False)
    st.html(STYLE)
    if toast := st.session_state.pop("train:toast", None):
        st.toast(f"{toast} {'are' if toast.endswith(' seeds') else 'is'} in the queue.", icon=":material/check_circle:")
    left, right = st.columns([9, 4], gap="medium")
    with right:
        launch = st.container()
        queue_panel()
    with left, st.spinner("Getting ready …"):
        import vaecore.config  # noqa: F401  (brings torch, which takes seconds when it is the first time)
    with left:
        from vaecore.data.own import door

        origin = settle_origin()
        if (data := bring.taken()) is not None:
            use_data(data)
        origin_row(origin)
        origin = placed(origin)
        start_with = origin.start()
        entered = with_file_chosen(origin, draft.values(start_with, FORM))
        plan = judge(entered)
        if plan.look and fitting.follow(origin, plan.config):
            entered = draft.values(start_with, FORM)
            plan = judge(entered)
        offers = measure.offers(plan.config) if plan.config and plan.look and not origin.source else {}
        own = door.own().get(entered["data"]["name"]) if not entered["data"].get("path") else None
        config_form(start_with, FORM, problems=plan.problems, locked=origin.locked, unused=unused(plan),
                    beside={"data": lambda: data_card(plan, own, locked="data" in origin.locked),
                            "training": lambda: schedules(plan)},
                    around={"model": (fitting.told, lambda: fitting.folded(origin, plan.config, offers))},
                    fitting={path: [each.tag for each in found if each.fits] for path, found in offers.items()},
                    mend=lambda problem: fitting.mend(origin, plan.config, problem))
    with launch:
        place = launch_card(origin, plan)
    bring.dialog(plan.sound.data if plan.sound else None)
    with place.time:
        time_needed(plan, place)


page()
