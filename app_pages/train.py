"""Choose data, a model and how to train it; see what that means; start it; watch the queue."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from app_pages.parts import form, measure, pictures, warm
from app_pages.parts.checkpoints import store
from app_pages.parts.queue import anything_live, duration, queue_panel
from vaecore import lab
from vaecore.schema import ConfigError, Problem, parse
from vaecore.store import StoreError, checked_name

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.training.setup import Fit

FORM = "train"
FIRST = "vae-mnist"
LARGEST = 1_000_000  # bytes of an uploaded configuration
BETA, RATE = "#CC79A7", "#0072B2"
# On a phone the columns stand one over the other: what starts a training comes first, not after five screens of fields.
PHONE = """<style>@media (max-width: 640px) {
  [data-testid="stColumn"]:has(.st-key-train-launch) { order: -1; }
}</style>"""


@dataclass(frozen=True)
class Origin:
    """Where the form began: a preset, a run, or a file."""

    name: str
    line: str
    text: str  # the configuration, as JSON
    preset: bool = False


# -- where it begins -------------------------------------------------------------------------------


def begin(origin: Origin) -> None:
    """Fill the form anew."""
    st.session_state["train:origin"] = origin
    st.session_state.pop("train:notice", None)
    form.reset(FORM)


def begin_with_preset(name: str) -> None:
    """Fill the form with a preset, and say so in the address."""
    from vaecore.config import preset, presets

    try:
        begin(Origin(name, presets().get(name, ""), preset(name).to_json(), preset=True))
        st.query_params["preset"] = st.session_state["train:address"] = name
    except ConfigError as error:
        st.session_state["train:notice"] = [str(problem) for problem in error.problems]


def leave_address() -> None:
    """The form no longer shows what `?preset=` says."""
    st.query_params.pop("preset", None)
    st.session_state["train:address"] = None


def begin_with_run(reference: str) -> None:
    """Fill the form with what another run did."""
    try:
        text = store().find(reference).config().to_json()
    except (StoreError, ConfigError) as error:
        st.session_state["train:notice"] = [f"The configuration of {reference} cannot be used. {error}"]
        return
    begin(Origin(f"run {reference}", "the configuration of that run, to be trained again", text))
    leave_address()


def begin_with_file() -> None:
    """Fill the form with an uploaded configuration, or say what is wrong with it."""
    from vaecore.config import from_text

    file = st.session_state.get("train:file")
    if file is None:
        return
    try:
        if file.size > LARGEST:
            raise ValueError(f"it has {file.size:,} bytes, and a configuration has at most {LARGEST:,}.")
        text = from_text(file.getvalue().decode("utf-8")).to_json()
    except ConfigError as error:
        st.session_state["train:notice"] = [f"{file.name} cannot be used:", *map(str, error.problems)]
        return
    except UnicodeDecodeError:
        st.session_state["train:notice"] = [f"{file.name} cannot be used: it is not a text file."]
        return
    except ValueError as error:
        st.session_state["train:notice"] = [f"{file.name} cannot be used: {error}"]
        return
    begin(Origin(f"file {file.name}", "uploaded", text))
    leave_address()


def begin_with_choice() -> None:
    """Fill the form with what was picked in the list."""
    from vaecore.config import presets

    if (picked := st.session_state["train:pick"]) in presets():
        begin_with_preset(picked)


def settle_origin() -> Origin:
    """What the form begins with: another page's wish, the address, what was chosen before, or the first preset."""
    wanted = st.query_params.get("preset")
    if reference := st.session_state.pop("train_from", None):
        begin_with_run(str(reference))
    elif wanted and wanted != st.session_state.get("train:address"):
        begin_with_preset(wanted)
        st.session_state["train:address"] = wanted
    elif not wanted:
        st.session_state["train:address"] = None
    if "train:origin" not in st.session_state:
        notice = st.session_state.get("train:notice")
        begin_with_preset(FIRST)
        if notice:
            st.session_state["train:notice"] = notice
    return st.session_state["train:origin"]


def origin_row(origin: Origin) -> None:
    """The list of presets, and a file instead."""
    from vaecore.config import presets

    lines = presets() | {origin.name: origin.line}
    st.session_state["train:pick"] = origin.name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Start from", list(lines), key="train:pick", on_change=begin_with_choice, width="stretch",
                     format_func=lambda name: f"{name} · {lines.get(name, '')}",
                     help="A preset, each ready to run as it is. Choosing one fills every field below anew.")
        with st.popover("File", icon=":material/upload_file:", help="Use a configuration file instead of a preset."):
            st.file_uploader("Configuration, YAML or JSON", ["yaml", "yml", "json"], key="train:file",
                             on_change=begin_with_file, max_upload_size=1,
                             help="As saved here, or a run's config.json. At most 1 MB; nothing in it is executed.")
    if notice := st.session_state.get("train:notice"):
        st.error("  \n".join(map(form.escaped, notice)), icon=":material/error:")


# -- what it means ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """The form's values, judged: a configuration when it is one, and everything that stands against it."""

    config: RunConfig | None
    problems: tuple[Problem, ...]
    sound: RunConfig | None = None  # the sections that are in order, the others by default
    look: measure.Look | None = None
    missing: str = ""  # why the data cannot be had
    fit: Fit | None = None

    @property
    def ready(self) -> bool:
        return self.config is not None and self.fit is not None and not self.problems


def judge(values: dict[str, object]) -> Plan:
    """Read the values, load the data, fit the model to it; each step only when the last one went well."""
    from vaecore.config import RunConfig
    from vaecore.data import DataUnavailable

    try:
        config = parse(RunConfig, values)
    except ConfigError as error:
        wrong = {problem.field.partition(".")[0] for problem in error.problems}
        sound = parse(RunConfig, {name: part for name, part in values.items() if name not in wrong})
        try:
            look = None if "data" in wrong else measure.look(sound)
        except DataUnavailable:
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


def data_card(plan: Plan) -> None:
    """What the data looks like; where it is not here, how to get it."""
    if plan.look:
        pictures.show(plan.look.picture, plan.look.alt, width=300)
        told = " / ".join(f"{size:,}" for size in plan.look.sizes.values()) in plan.look.source
        sizes = "" if told else " · " + ", ".join(f"{size:,} {name}" for name, size in plan.look.sizes.items())
        st.caption(f"{form.escaped(plan.look.source)}{sizes} · {plan.look.shape}",
                   help="Sizes are those of training, validation and test.")
    elif plan.missing and plan.config:
        st.warning(form.escaped(plan.missing), icon=":material/cloud_off:")
        fetch = getattr(plan.config.data, "download", None)
        if fetch and st.button("Download it now", key="train-download", icon=":material/download:",
                               help="Fetches the published files from the internet, checks them, and keeps them for "
                                    "later. Nothing is fetched unless you press this."):
            download(fetch)
    else:
        st.caption("The data is shown once its fields are in order.")


def download(fetch: object) -> None:
    """Get a data set from the network, because the visitor asked."""
    from vaecore.data import DataUnavailable

    try:
        with st.spinner("Downloading and checking the files …", show_time=True):
            fetch()  # type: ignore[operator]
    except DataUnavailable as error:
        st.error(form.escaped(str(error)), icon=":material/error:")
        return
    st.rerun()


def schedules(plan: Plan) -> None:
    """Beta and the learning rate over this training."""
    if plan.sound is None:
        st.caption("Beta and the learning rate are drawn once the fields are in order.")
        return
    import pandas  # noqa: F401  (Plotly looks at it, and fails on one that `warm` is just importing)

    from vaecore.figures.schedules import sampled, schedule_figure

    training = plan.sound.training
    total = plan.fit.steps if plan.fit and plan.fit.steps else 1_000
    beta = sampled(training.beta, total, training.epochs)
    rate = sampled(training.rate, total, training.epochs, training.learning_rate)
    for name, curve, colour, title in (("beta", beta, BETA, "β, the weight of the KL"),
                                       ("rate", rate, RATE, "Learning rate")):
        st.plotly_chart(schedule_figure(*curve, title=title, colour=colour), key=f"train-{name}",
                        config={"displayModeBar": False, "responsive": True}, alt=f"{title} over the epochs")


# -- starting it -----------------------------------------------------------------------------------


def launch_card(origin: Origin, base: RunConfig, plan: Plan) -> st.delta_generator.DeltaGenerator:
    """Size, name and the button; returns the place where the time is to be written."""
    with st.container(border=True, key="train-launch"):
        left, right = st.columns(2, wrap=False)
        left.metric("Parameters", f"{plan.fit.parameters:,}" if plan.fit else "–",
                    help="Numbers that are learned, for this model on this data.")
        with right:
            time_slot = st.container(height=92, border=False, gap=None)
        busy = anything_live()
        if st.session_state.pop("train:clear", False):
            st.session_state["train:name"] = ""
        name = st.text_input("Name (optional)", key="train:name", max_chars=64,
                             placeholder="made from the choice and time",
                             help="Small letters, digits, '-', '_' and '.'. It names the run's folder.").strip()
        against = name_trouble(name)
        if against:
            st.caption(f":red[:material/error: {form.escaped(against)}]")
        reason = trouble(plan)
        if st.button("Add to queue" if busy else "Start training", key="train-start", type="primary", width="stretch",
                     icon=":material/playlist_add:" if busy else ":material/play_arrow:",
                     disabled=bool(reason or against),
                     help="Trains in the background; it goes on when this page is closed. One at a time, in order."):
            start(plan.config, name)
        if reason:
            st.caption(f":red[:material/block: Cannot start: {form.escaped(reason)}]")
        if error := st.session_state.pop("train:error", None):
            st.error(form.escaped(error), icon=":material/error:")
        if started := st.session_state.get("train:started"):
            st.page_link("app_pages/monitor.py", label=f"Watch {started}", icon=":material/monitoring:",
                         query_params={"runs": started}, help="The live curves of the run that you started.")
        details(origin, base, plan)
    return time_slot


def trouble(plan: Plan) -> str:
    """Why it cannot start, in a sentence; empty when it can."""
    if plan.missing:
        return "the data set is not on this machine."
    if plan.problems:
        first = plan.problems[0]
        more = f" And {len(plan.problems) - 1} more." if len(plan.problems) > 1 else ""
        field = first.field.rstrip(".0123456789") or "the configuration"  # not the place in a list
        return f"{form.readable(field)}: {first.message} {first.remedy}{more}"
    return ""


def name_trouble(name: str) -> str:
    """What is wrong with the name; nothing is wrong with none."""
    if not name:
        return ""
    try:
        checked_name(name)
    except StoreError as error:
        return str(error)
    if any(run.path.name == name for run in store().runs()):
        return f"There is already a run called '{name}'. Choose another name, or remove that one."
    return ""


def start(config: RunConfig, name: str) -> None:
    """Write the run's folder and put it into the queue."""
    last, text = st.session_state.get("train:last", (0.0, "")), name + config.to_json()
    if text == last[1] and time.monotonic() - last[0] < 2.0:
        return  # the second half of a double click
    st.session_state["train:last"] = (time.monotonic(), text)
    try:
        run = store().create(config, name)
        lab.submit(run.path)
    except (StoreError, lab.LabError, OSError) as error:
        st.session_state["train:error"] = str(error)
        st.rerun()
    st.session_state.update({"train:started": run.id, "train:clear": True, "train:toast": run.id})
    st.rerun()


def details(origin: Origin, base: RunConfig, plan: Plan) -> None:
    """What was changed, the same as a command, and the configuration to keep."""
    if plan.config is None:
        return
    from vaecore.config import differences, preset, presets

    changes = differences([base, plan.config])
    if changes:
        with st.expander(f"{len(changes)} changed", icon=":material/difference:", type="compact", key="train-changes"):
            lines = [f"- {form.escaped(path)}: {said(old)} → **{said(new)}**" for path, (old, new) in changes.items()]
            st.markdown("\n".join(lines))
            st.button("Reset to preset" if origin.preset else "Reset all", key="train-reset", icon=":material/undo:",
                      on_click=form.reset, args=(FORM,), help=f"Put every field back to {origin.name}.")
    else:
        st.caption(f":material/check: As in {form.escaped(origin.name)}")
    with st.expander("As a command, as a file", icon=":material/terminal:", type="compact", key="train-command"):
        near = origin.name
        if not origin.preset:
            near = min(presets(), key=lambda name: len(differences([preset(name), plan.config])))
        words = ["vaecore", "train", "--preset", near]
        for setting in form.settings(preset(near), plan.config):
            words += ["--set", setting]
        st.code(shlex.join(words), language="bash", wrap_lines=True)
        st.download_button("Configuration as YAML", plan.config.to_yaml(), f"{near}.yaml", "application/yaml",
                           key="train-yaml", icon=":material/download:", on_click="ignore",
                           help="A file that can be uploaded here again, or given to `vaecore train --config`.")


def said(value: object) -> str:
    """A value in a line of text."""
    if value is None:
        return "–"
    return form.escaped(form.entries_text(value) if isinstance(value, list) else f"{value}")


def time_needed(plan: Plan) -> None:
    """Measure, and say, how long it will take."""
    note = "Measured here on a few real steps."
    if not plan.ready or plan.config is None or plan.fit is None:
        st.metric("Time", "–", help="Known once everything fits.")
    elif not plan.fit.steps:
        st.metric("Time", "seconds", help="Solved in closed form: there are no training steps.")
    elif plan.fit.parameters > measure.LARGEST:
        st.metric("Time", "long", help=f"Not measured: more than {measure.LARGEST:,} parameters.")
    else:
        with st.spinner("Measuring …"):
            warm.up().join(30)  # its imports would be measured too
            seconds = measure.seconds(plan.config)
        if anything_live():
            note += " Something is training: that slows it."
        st.metric("Time", f"≈ {duration(seconds)}", help=f"{note} {plan.fit.steps:,} steps.")


# -- the page --------------------------------------------------------------------------------------

def page() -> None:
    """The form at the left; starting, and the queue, at the right. What takes long comes last."""
    st.title("Train", anchor=False)
    st.html(PHONE)
    if toast := st.session_state.pop("train:toast", None):
        st.toast(f"{toast} is in the queue.", icon=":material/check_circle:")
    left, right = st.columns([9, 4], gap="medium")
    with right:
        launch = st.container()
        queue_panel()
    with left, st.spinner("Getting ready …"):
        from vaecore.config import RunConfig  # brings torch, which takes seconds when it is the first time
    with left:
        origin = settle_origin()
        base = RunConfig.model_validate_json(origin.text)
        origin_row(origin)
        plan = judge(form.values(base, FORM))
        form.config_form(base, FORM, problems=plan.problems,
                         beside={"data": lambda: data_card(plan), "training": lambda: schedules(plan)})
    with launch:
        time_slot = launch_card(origin, base, plan)
    with time_slot:
        time_needed(plan)


page()
