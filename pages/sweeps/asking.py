"""A sweep as it is asked for: what is varied and how, how many trainings that is, and the button that starts them.

All that is entered stands in the address: a link to it is a sweep that a colleague can start.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pages.shared import changing, measure, placing, warm
from pages.shared.checkpoints import absent, store
from pages.shared.queue import anything_live
from pages.shared.words import counted, duration, escaped
from vaecore import permission
from vaecore.files import trouble
from vaecore.lab import Here, LabError, Slurm, require_place
from vaecore.named import presets
from vaecore.schema import ConfigError, Strict, ends, in_words, title_of
from vaecore.store import NAME, StoreError
from vaecore.sweeps import Grid, Halving, Median, NoStopping, Random, Search, names
from vaecore.sweeps.declared import MAX_AXES, Sweep
from vaecore.sweeps.objective import OBJECTIVES

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.sweeps.planning import Plan

FIRST = "vae-digits"
EXAMPLE = (("model.latent_size", "2, 8"), ("training.beta.value", "0.5, 1, 4"))  # with ten epochs it takes a minute
METHODS: dict[str, type[Strict]] = {"grid": Grid, "random": Random, "search": Search}
RULES: dict[str, type[Strict]] = {"none": NoStopping, "median": Median, "halving": Halving}
TITLES = {"grid": "Grid", "random": "Random", "search": "Search", "none": "Never", "median": "Median rule",
          "halving": "Halving"}
OPTIONS = ("trials", "begin", "grace", "at_least", "first", "factor")  # of methods and rules
ADDRESS = ("preset", "from", "set", "over", "method", "seeds", "objective", "stopping", *OPTIONS)
KEY = "sweeps:"  # of what is entered, in the session
MISSING = f"{KEY}missing"  # what a link asked to begin with, in vain


@dataclass(frozen=True)
class Asked:
    """What is entered, with the base that it is entered for."""

    base: RunConfig
    origin: str
    over: dict[str, str]
    fields: dict[str, Any]


def ask() -> None:
    """The form, what it means, and the button."""
    _from_address()
    with st.spinner("Getting ready …"):
        import vaecore.sweeps.planning  # noqa: F401  (brings torch, which takes seconds the first time)
    if not names(store()):
        _empty()
    left, right = st.columns([9, 5], gap="medium")
    with left:
        chosen = _base()
        if chosen is None:
            return
        base, origin = chosen
        over = _axes(base)
        fields = _how()
    asked = Asked(base, origin, over, fields)
    _to_address(asked)
    with right, st.container(border=True, key="sweep-launch", gap="small"):
        _launch(asked)


def _empty() -> None:
    """What a sweep is, where there is none yet, with one that takes a minute."""
    with st.container(border=True, key="sweep-empty", gap="small"):
        st.markdown("A sweep trains one configuration over and over with some of its fields varied, each point with "
                    "several seeds, and shows what that does to a number.")
        st.button("Fill in an example that takes a minute", key="sweep-example", icon=":material/lightbulb:",
                  on_click=_example, help="Latent size against beta, on 8 x 8 digits. Nothing starts yet.")


def _example() -> None:
    _chosen()
    st.session_state.update({f"{KEY}from": "preset", f"{KEY}preset": FIRST, f"{KEY}set": "training.epochs=10",
                             f"{KEY}rows": len(EXAMPLE), f"{KEY}seeds": 2, f"{KEY}method": "grid",
                             f"{KEY}stopping": "none", f"{KEY}objective": "elbo"})
    for place, (field, values) in enumerate(EXAMPLE):
        st.session_state.update({f"{KEY}field-{place}": field, f"{KEY}values-{place}": values})


# -- what is varied --------------------------------------------------------------------------------


def _base() -> tuple[RunConfig, str] | None:
    """The configuration to begin with; None, and on the page why, where there is none."""
    from vaecore.config import changed, preset

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control("Begin with", ["preset", "run"], key=f"{KEY}from", required=True, on_change=_chosen,
                                    format_func={"preset": "A preset", "run": "A run"}.__getitem__,
                                    persist_state="session", help="What is the same in all trainings.")
        if kind == "preset":
            told = presets()
            _must_be_among([FIRST, *told], "preset")
            name = st.selectbox("Preset", list(told), key=f"{KEY}preset", persist_state="session", on_change=_chosen,
                                format_func=lambda each: f"{each} · {told[each]}", help="A named configuration.")
        else:
            runs = [run.id for run in store().everything()]
            _must_be_among(runs, "run")
            if runs:
                name = st.selectbox("Run", runs, key=f"{KEY}run", persist_state="session", on_change=_chosen,
                                    help="Its configuration is varied; the run itself stays as it is.")
    if missing := st.session_state.get(MISSING):
        st.warning(escaped(missing), icon=":material/link_off:")
    if kind == "run" and not runs:
        st.info("No run is here yet. Begin with a preset.", icon=":material/info:")
        return None
    settings = st.text_input("The same in all, where it differs from that", key=f"{KEY}set", max_chars=2000,
                             persist_state="session", placeholder="training.epochs=10, model.latent_size=4",
                             help="Fields with their values, as after `--set`, with commas between them.")
    try:
        base = preset(name) if kind == "preset" else store().find(name).config()
        return changed(base, split(settings)), name
    except (ConfigError, StoreError) as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None


def _must_be_among(there: list[str], kind: str) -> None:
    """Begin with the first in the place of what a link asks for in vain, or what was removed, and say so."""
    name = st.session_state.get(f"{KEY}{kind}")
    if name is not None and name not in there:
        st.session_state[f"{KEY}{kind}"] = there[0] if there else None
        why = absent(name) if kind == "run" else f"There is no preset called '{name[:80]}'."
        st.session_state[MISSING] = f"{why} The form begins with {there[0]} instead." if there else why


def _chosen() -> None:
    """What a sweep begins with was chosen by hand: what was missing is not missed."""
    st.session_state.pop(MISSING, None)


def split(text: str) -> list[str]:
    """Settings with commas between them, of which a list in brackets has commas too."""
    return [part.strip() for part in re.split(r"[,;\n]\s{0,99}(?=[A-Za-z_][\w.]*\s*=)", text) if part.strip()]


def _axes(base: RunConfig) -> dict[str, str]:
    """Rows of a field and its values; the next is offered as soon as the last is filled."""
    from vaecore.sweeps.planning import varied

    fields = varied(base)
    rows = st.session_state.setdefault(f"{KEY}rows", 1)
    over: dict[str, str] = {}
    st.markdown("**Varied**")
    for place in range(rows):
        key = f"{KEY}field-{place}"
        now = st.session_state.get(key)
        options = [*fields, *([now] if now and now not in fields else [])]  # of another choice: it is chosen with it
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"sweep-axis-{place}"):
            field = st.selectbox(f"Field {place + 1}", options, key=key, index=None, persist_state="session",
                                 accept_new_options=True, placeholder="Choose a field",
                                 format_func=lambda each: _named(each, fields),
                                 help="Any field of the configuration, or a field of another choice by its dotted "
                                 "name, as training.beta.value: that is chosen then.")
            values = st.text_input(f"Values {place + 1}", key=f"{KEY}values-{place}", max_chars=2000,
                                   persist_state="session", placeholder="2, 8, 32 or 0.1..10:log:5",
                                   help=_hint(fields.get(field or "")))
        if field and values.strip():
            over[field] = values
    with st.container(horizontal=True, gap="small"):
        st.button("Another field", key="sweep-more", icon=":material/add:", type="tertiary", disabled=rows >= MAX_AXES,
                  on_click=_rows, args=(rows + 1,), help="Vary one more field.")
        st.button("One less", key="sweep-less", icon=":material/remove:", type="tertiary", disabled=rows <= 1,
                  on_click=_rows, args=(rows - 1,), help="Leave the last field out.")
    return over


def _rows(count: int) -> None:
    st.session_state[f"{KEY}rows"] = max(1, min(MAX_AXES, count))


def _named(field: str, fields: Mapping[str, FieldInfo]) -> str:
    info = fields.get(field)
    name = field.rpartition(".")[2]
    title = title_of(field.rpartition(".")[0].rpartition(".")[2] if info and info.discriminator == name else name, info)
    return f"{title} · {field}" if info else field


def _hint(info: FieldInfo | None) -> str:
    how = ("Values with commas between them, as 2, 8, 32; or a range, as 0.1..10, with :log for steps that multiply "
           "and :5 for how many a grid takes.")
    return f"{in_words(info)} {how}" if info else how


# -- how -------------------------------------------------------------------------------------------


def _how() -> dict[str, Any]:
    """Method, seeds, objective and stopping, drawn from their declarations."""
    st.markdown("**How**")
    first = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    second = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with first:
        method = _kind("Method", "method", METHODS, "How points are chosen. ")
        given = _options(METHODS[method], f"{KEY}{method}")
        seeds = _number(f"{KEY}seeds", "seeds", Sweep.model_fields["seeds"])
    with second:
        stopping = _kind("Stop the bad early", "stopping", RULES, "When a point that does badly is ended. ")
        rule = _options(RULES[stopping], f"{KEY}{stopping}")
        st.session_state.setdefault(f"{KEY}objective", "elbo")
        objective = st.selectbox("Judged by", list(OBJECTIVES), key=f"{KEY}objective", persist_state="session",
                                 format_func=lambda name: f"{OBJECTIVES[name].title}, {OBJECTIVES[name].better} is "
                                 "better", help=in_words(Sweep.model_fields["objective"]))
    return {"method": {"kind": method, **given}, "seeds": int(seeds), "objective": objective,
            "stopping": {"kind": stopping, **rule}}


def _meant(kind: type[Strict], name: str, text: str) -> Any:
    """The number that a link says; None where it is none between its bounds."""
    try:
        return getattr(kind.model_validate({name: text}), name)
    except ValidationError:
        return None


def _kind(label: str, key: str, kinds: Mapping[str, type[Strict]], help: str) -> str:
    told = " ".join(f"{TITLES[name]}: {(kind.__doc__ or '').partition(chr(10))[0]}" for name, kind in kinds.items())
    st.session_state.setdefault(f"{KEY}{key}", next(iter(kinds)))
    return str(st.segmented_control(label, list(kinds), key=f"{KEY}{key}", required=True, help=help + told,
                                    format_func=TITLES.__getitem__, persist_state="session"))


def _options(kind: type[Strict], key: str) -> dict[str, Any]:
    """A field for each number of a choice."""
    return {name: _number(f"{key}-{name}", name, info) for name, info in kind.model_fields.items() if name in OPTIONS}


def _number(key: str, name: str, info: FieldInfo) -> float:
    """A number between its declared bounds."""
    whole = info.annotation is int
    kind = int if whole else float
    st.session_state.setdefault(key, kind(info.default))
    low, high = (None if end is None else kind(end) for end in ends(info))
    value: float = st.number_input(title_of(name, info), low, high, key=key, step=kind(1) if whole else 0.05, width=150,
                                   help=in_words(info), persist_state="session")
    return value


# -- what it means ---------------------------------------------------------------------------------


def _launch(asked: Asked) -> None:
    """How many trainings and how long; the name, and the button."""
    ready, problems = _plan(asked)
    if not asked.over:
        st.caption(":material/info: No field is varied yet. Choose one, and write its values.")
    if ready is not None:
        points, seeds = ready.count, ready.sweep.seeds
        st.metric("Trainings", f"{ready.trainings:,}", help="Points times seeds, each a run of its own in the queue.")
        st.caption(f"{points} point{'s' * (points != 1)} × {seeds} seed{'s' * (seeds != 1)}")
        for note in ready.notes:
            st.caption(f":material/info: {escaped(note)}.")
    for problem in problems:
        st.caption(f":red[:material/error: {escaped(problem)}]")
    taken = set(names(store()))
    if st.session_state.get(f"{KEY}name") in (None, st.session_state.get(f"{KEY}proposed")):  # not one of his own
        st.session_state[f"{KEY}name"] = st.session_state[f"{KEY}proposed"] = _free(asked.origin, taken)
    name = st.text_input("Name", key=f"{KEY}name", max_chars=40, help="Small letters, digits, '-' and '_'. Its runs "
                         "are called after it.").strip()
    against = "" if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name) and NAME.fullmatch(name) else \
        "A name has small letters, digits, '-' and '_', and begins with a letter or digit."
    against = against or (f"There is already a sweep called {name}. Choose another name." if name in taken else "")
    where = placing.choose("its trainings run", without=("at_once",))  # a sweep has its own
    against = against or placing.trouble(where)
    if against:
        st.caption(f":red[:material/error: {escaped(against)}]")
    if changing.button("Start the sweep", key="sweep-start", type="primary", icon=":material/play_arrow:",
                       width="stretch", disabled=ready is None or bool(against),
                       help="Queues its trainings. They run in the background and go on when this page is closed."
                       + (" On SLURM they are an array." * isinstance(where, Slurm))
                       ) and ready is not None and where is not None:
        _start(ready, name, where)
    if error := st.session_state.pop(f"{KEY}error", None):
        st.error(escaped(error), icon=":material/error:")
    if ready is not None:
        _time(ready, away=isinstance(where, Slurm))
        with st.expander("As a command", icon=":material/terminal:", type="compact", key="sweep-command"):
            st.code(command(asked, name) + placing.options(where), language="bash", wrap_lines=True)


def _plan(asked: Asked) -> tuple[Plan | None, list[str]]:
    """The sweep, looked at whole; or what stands against it."""
    from vaecore.data import DataUnavailable

    if not asked.over:
        return None, []
    if why := permission.refusal():  # looking at points reads their data, from whatever path is written
        return None, [why]
    try:
        return _planned(asked.base.resolve().to_json(), json.dumps(asked.over), json.dumps(asked.fields),
                        asked.origin), []
    except ConfigError as error:
        return None, [str(problem) for problem in error.problems]
    except (DataUnavailable, StoreError) as error:
        return None, [str(error)]


@st.cache_data(max_entries=64, show_spinner="Looking at every point …")
def _planned(base: str, over: str, fields: str, origin: str) -> Plan:
    from vaecore.config import RunConfig
    from vaecore.sweeps.planning import declare, plan

    sweep, chosen = declare(RunConfig.model_validate_json(base), json.loads(over), name="sweep", origin=origin,
                            **json.loads(fields))
    return plan(sweep, chosen)


def _time(ready: Plan, *, away: bool) -> None:
    with st.spinner("Measuring …"):
        warm.ready()  # its imports would be measured too
        least, most = map(duration, ready.seconds(measure.seconds))
    if away:
        busy = " On the cluster as many train at the same time as it lets."
    else:
        busy = " Something is training already: these wait for it." if anything_live() else ""
    st.markdown(f"About **{most if least == most else f'{least} to {most}'}** one after the other on this machine, and "
                f"some seconds for each to begin.{busy}")


def _start(ready: Plan, name: str, where: Here | Slurm) -> None:
    from vaecore.sweeps import tending

    if changing.twice(f"{KEY}last", name):
        return
    sweep = ready.sweep.model_copy(update={"name": name, "made": time.strftime("%Y-%m-%d %H:%M")})
    try:
        require_place(where)
        tending.start(store(), type(ready)(sweep, ready.points, ready.count, ready.notes), where)
    except (StoreError, LabError, ConfigError, OSError) as error:
        st.session_state[f"{KEY}error"] = trouble(error)
        st.rerun()
    st.session_state.update({f"{KEY}open": name, f"{KEY}toast": f"{counted(ready.trainings, 'training')} on the way."})
    st.session_state.pop(f"{KEY}name", None)
    st.rerun()


def _free(origin: str, taken: Iterable[str]) -> str:
    stem = re.sub(r"[^a-z0-9_-]+", "-", origin.rpartition("/")[2].lower()).strip("-_")[:32] or "sweep"
    return next(name for name in (stem, *(f"{stem}-{i}" for i in range(2, 1000))) if name not in set(taken))


def command(asked: Asked, name: str) -> str:
    """The same on the command line."""
    import shlex

    words = ["vaecore", "sweep", "start", "--name", name or "NAME",
             "--preset" if st.session_state.get(f"{KEY}from") == "preset" else "--run", asked.origin]
    for setting in split(st.session_state.get(f"{KEY}set") or ""):
        words += ["--set", setting]
    for field, values in asked.over.items():
        words += ["--over", f"{field}={values.replace(' ', '')}"]
    method, rule = asked.fields["method"], asked.fields["stopping"]
    words += ["--seeds", str(asked.fields["seeds"]), "--method", method["kind"], *_given(METHODS, method),
              *(["--objective", asked.fields["objective"]] if asked.fields["objective"] != "elbo" else []),
              *(["--stopping", rule["kind"], *_given(RULES, rule)] if rule["kind"] != "none" else [])]
    return shlex.join(words)


def _given(kinds: Mapping[str, type[Strict]], chosen: Mapping[str, Any]) -> Iterator[str]:
    """The options of a choice that are not as usual."""
    for name, info in kinds[chosen["kind"]].model_fields.items():
        if name in OPTIONS and chosen[name] != info.default:
            yield from (f"--{name.replace('_', '-')}", str(chosen[name]))


# -- the address -----------------------------------------------------------------------------------


def _from_address() -> None:
    """What a link asks for fills the form, once; else what is in the session stays."""
    query = st.query_params
    asked = {name: query.get_all(name) for name in ADDRESS if name in query}
    state = st.session_state
    state.setdefault(f"{KEY}from", "preset")
    state.setdefault(f"{KEY}preset", FIRST)
    if not asked or asked == state.get(f"{KEY}url"):
        return
    one = {name: values[-1] for name, values in asked.items()}
    _chosen()
    if preset := one.get("preset"):
        state.update({f"{KEY}from": "preset", f"{KEY}preset": preset})
    elif run := one.get("from"):
        state.update({f"{KEY}from": "run", f"{KEY}run": run.removeprefix("runs/")})
    state[f"{KEY}set"] = ", ".join(asked.get("set", []))[:2000]
    pairs = [each.partition("=") for each in asked.get("over", [])][:MAX_AXES]
    state[f"{KEY}rows"] = max(1, len(pairs))
    for place, (field, _, values) in enumerate(pairs):
        state.update({f"{KEY}field-{place}": field[:200], f"{KEY}values-{place}": values[:2000]})
    if one.get("method") in METHODS:
        state[f"{KEY}method"] = one["method"]
    if one.get("stopping") in RULES:
        state[f"{KEY}stopping"] = one["stopping"]
    if one.get("objective") in OBJECTIVES:
        state[f"{KEY}objective"] = one["objective"]
    seeds = one.get("seeds", "")
    if seeds.isascii() and seeds.isdigit() and len(seeds) < 4 and 1 <= int(seeds) <= 100:
        state[f"{KEY}seeds"] = int(seeds)
    method, rule = state.get(f"{KEY}method", "grid"), state.get(f"{KEY}stopping", "none")
    for choice, kind in ((method, METHODS[method]), (rule, RULES[rule])):
        for name in OPTIONS:
            if name in one and name in kind.model_fields and (value := _meant(kind, name, one[name])) is not None:
                state[f"{KEY}{choice}-{name}"] = value


def _to_address(asked: Asked) -> None:
    state = st.session_state
    told: dict[str, list[str]] = {
        "preset" if state[f"{KEY}from"] == "preset" else "from": [asked.origin],
        "set": split(state.get(f"{KEY}set") or ""), "over": [f"{field}={text}" for field, text in asked.over.items()],
        "method": [asked.fields["method"]["kind"]], "seeds": [str(asked.fields["seeds"])],
        "objective": [asked.fields["objective"]], "stopping": [asked.fields["stopping"]["kind"]],
        **{name: [f"{value:g}"] for part in ("method", "stopping") for name, value in asked.fields[part].items()
           if name in OPTIONS}}
    for name in ADDRESS:
        if told.get(name):
            if st.query_params.get_all(name) != told[name]:
                st.query_params[name] = told[name]
        elif name in st.query_params:
            del st.query_params[name]
    state[f"{KEY}url"] = {name: values for name, values in told.items() if values}
