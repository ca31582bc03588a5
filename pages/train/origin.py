"""Where the form of Train begins: a preset, a run, weights that a run has kept (a fork), or a file; and the command
line that leads from there to what was entered.

The address says it too: `?preset=NAME`, or `?from=RUN` with `&weights=SOURCE` for a fork, `&anew=decoder` where its
decoder begins anew, and `&set=FIELD=VALUE` for what is suggested on top.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
import yaml
from pydantic import BaseModel

from pages.shared import changing
from pages.shared.checkpoints import store
from pages.shared.form import draft
from pages.shared.form.fields import is_tag
from pages.shared.moved import ask_where
from pages.shared.words import escaped
from vaecore.schema import ConfigError, tagged
from vaecore.store import Run, StoreError

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.training.fork import Anew

FORM = "train"
FIRST = "vae-mnist"
ADDRESS = ("preset", "from", "weights", "anew", "set")
KEPT = "A fork keeps its parent's data and model. To change them, start afresh."


@dataclass(frozen=True)
class Origin:
    """Where the form began."""

    name: str
    line: str
    text: str  # the configuration, as JSON
    preset: bool = False
    run: str = ""
    suggested: tuple[str, ...] = ()  # settings that the page which led here made on top
    source: str = ""  # of a fork: which weights of the run
    step: int = 0  # of a fork: when they were kept
    parts: bool = False  # of a fork: whether its decoder can begin anew
    anew: Anew | None = None  # of a fork: what does

    def base(self) -> RunConfig:
        """The preset's, the run's or the file's own configuration."""
        from vaecore.config import RunConfig

        return RunConfig.model_validate_json(self.text)

    def start(self) -> RunConfig:
        """What the form begins with: the same with what was suggested."""
        from vaecore.config import changed

        return changed(self.base(), self.suggested)

    @property
    def parent(self) -> dict[str, Any] | None:
        """Which weights a fork begins with, and what begins anew, as its `about.json` will say; None of no fork."""
        begins = {"run": self.run, "weights": self.source, "step": self.step}
        return begins | ({"anew": self.anew} if self.anew else {}) if self.source else None

    @property
    def locked(self) -> dict[str, str]:
        """Sections of the form that stay as they are, and why."""
        return {"data": KEPT, "model": KEPT} if self.source else {}


# -- the ways to begin -----------------------------------------------------------------------------


def begin(origin: Origin, *notices: str, **address: Any) -> None:
    """Fill the form anew, and say in the address with what."""
    st.session_state["train:origin"] = origin
    _tell(*notices)
    draft.reset(FORM)
    _write_address(**address)


def begin_with_preset(name: str) -> None:
    """Fill the form with a preset."""
    from vaecore.config import preset
    from vaecore.named import presets

    try:
        begin(Origin(name, presets().get(name, ""), preset(name).to_json(), preset=True), preset=name)
    except ConfigError as error:
        _tell(*map(str, error.problems))


def begin_with_run(reference: str, suggested: Sequence[str] = (), source: str = "", anew: str = "") -> None:
    """Fill the form with what another run did and what is suggested; with a `source`, to go on from its weights, but
    for what is to begin `anew`."""
    from vaecore.config import changed

    try:
        run = store().find(reference)
        config = run.config()
    except (StoreError, ConfigError) as error:
        return _tell(f"The configuration of {reference} cannot be used. {error}")
    notices, step, parts = [], None, False
    if source:
        try:
            step = _kept_at(run, source)
            parts = _has_parts(run, config)
        except ConfigError as error:
            notices.append(f"{run.id} cannot be forked here. {error} The form begins afresh instead.")
    origin = Origin(f"run {run.id}", "the configuration of that run, to be trained again", config.to_json(), run=run.id)
    if step is not None:
        origin = dataclasses.replace(origin, name=f"fork of {run.id}", line=f"goes on from step {step:,}",
                                     source=source, step=step, parts=parts,
                                     anew="decoder" if parts and anew == "decoder" else None)
    against = ""
    try:
        changed(config, suggested)
    except ConfigError as error:
        against = str(error)
    if any(setting.partition(".")[0] in origin.locked for setting in suggested):
        against = KEPT
    if against:
        notices.append(f"What was suggested, {', '.join(suggested)}, is left out. {against}")
    else:
        origin = dataclasses.replace(origin, suggested=tuple(suggested))
    begin(origin, *notices, **_link(origin))


def _kept_at(run: Run, source: str) -> int:
    """The step of weights that a run has kept; raises `ConfigError`."""
    from vaecore.schema import problem
    from vaecore.training.checkpoints import BrokenCheckpoint
    from vaecore.training.fork import sources

    try:
        there = {each.name: each.step for each in sources(run)}
    except BrokenCheckpoint as error:
        raise problem("from", source, str(error), "") from None
    if source not in there:
        raise problem("from", source, f"it has kept no weights '{source}'.",
                      f"Choose one of {', '.join(there)}." if there else "Train it first.")
    return there[source]


def _has_parts(run: Run, config: RunConfig) -> bool:
    """Whether the model of a run has a decoder that can begin anew, and something besides."""
    from vaecore.training.checkpoints import BrokenCheckpoint, untrained
    from vaecore.training.fork import can_begin_anew

    try:
        return can_begin_anew(untrained(config, run.path))
    except (BrokenCheckpoint, ConfigError):  # what is wrong with it is said when it is started
        return False


def begin_afresh() -> None:
    """The same form, but for weights drawn anew: nothing that was entered is lost."""
    origin: Origin = st.session_state["train:origin"]
    origin = st.session_state["train:origin"] = dataclasses.replace(
        origin, name=f"run {origin.run}", line="the configuration of that run, to be trained again", source="", step=0,
        parts=False, anew=None)
    _write_address(**_link(origin))


def begin_decoder_anew() -> None:
    """Let a fork's decoder begin anew, or not; nothing that was entered is lost."""
    origin: Origin = st.session_state["train:origin"]
    origin = st.session_state["train:origin"] = dataclasses.replace(
        origin, anew="decoder" if st.session_state["train-anew"] else None)
    _write_address(**_link(origin))


def begin_with_file() -> None:
    """Fill the form with an uploaded configuration, or say what is wrong with it."""
    from vaecore.config import MAX_CONFIG_BYTES, from_text

    file = st.session_state.get("train:file")
    if file is None:
        return
    try:
        if file.size > MAX_CONFIG_BYTES:
            raise ValueError(f"it has {file.size:,} bytes, and a configuration has at most {MAX_CONFIG_BYTES:,}.")
        text = from_text(file.getvalue().decode("utf-8")).to_json()
    except ConfigError as error:
        _tell(f"{file.name} cannot be used:", *map(str, error.problems))
    except UnicodeDecodeError:
        _tell(f"{file.name} cannot be used: it is not a text file.")
    except ValueError as error:
        _tell(f"{file.name} cannot be used: {error}")
    else:
        begin(Origin(f"file {file.name}", "uploaded", text))


def use_data(data: dict[str, Any]) -> None:
    """Enter data of the visitor's own into the form; all else that was entered stays. Only before it is drawn."""
    for name in ("name", "path", "fit"):
        if name in data:
            draft.fill(FORM, f"data.{name}", data[name])
    draft.fill(FORM, "data.digest", "")


def begin_with_choice() -> None:
    """Fill the form with what was picked in the list."""
    from vaecore.named import presets

    if (picked := st.session_state["train:pick"]) in presets():
        begin_with_preset(picked)


def settle_origin() -> Origin:
    """What the form begins with: another page's wish, the address, what was chosen before, or the first preset."""
    state, address = st.session_state, _address()
    reference, changes, source = (state.pop(f"train_{name}", None) for name in ("from", "changes", "fork"))
    if reference:
        begin_with_run(str(reference), [str(change) for change in changes or ()], str(source or ""))
    elif any(address) and address != state.get("train:address"):
        state["train:address"] = address
        [preset], [run], [weights], [anew], suggested = (values or [""] for values in address)
        if preset:
            begin_with_preset(preset)
        elif run:
            begin_with_run(run, [setting for setting in suggested if setting], weights, anew)
    elif not any(address):
        state["train:address"] = address
    if "train:origin" not in state:
        notices = state.get("train:notice", [])
        begin_with_preset(FIRST)
        _tell(*notices)
    origin: Origin = state["train:origin"]
    return origin


def _tell(*notices: str) -> None:
    st.session_state["train:notice"] = list(notices)


def _link(origin: Origin) -> dict[str, Any]:
    return {"from": origin.run, "weights": origin.source, "anew": origin.anew, "set": list(origin.suggested)}


def _address() -> tuple[list[str], ...]:
    """What the address asks for: the last of each name, but every `set`."""
    asked = {name: st.query_params.get_all(name) for name in ADDRESS}
    return tuple(values if name == "set" else values[-1:] for name, values in asked.items())


def _write_address(**address: Any) -> None:
    for name in ADDRESS:
        if address.get(name):
            st.query_params[name] = address[name]
        else:
            st.query_params.pop(name, None)
    st.session_state["train:address"] = _address()


# -- what is seen of it ----------------------------------------------------------------------------


def origin_row(origin: Origin) -> None:
    """The list of presets, and a file instead; what was wrong; what a fork is."""
    from vaecore.named import measured, presets, reached

    lines = presets() | {origin.name: origin.line}
    st.session_state["train:pick"] = origin.name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Start from", list(lines), key="train:pick", on_change=begin_with_choice, width="stretch",
                     format_func=lambda name: f"{name} · {lines.get(name, '')}",
                     help="A preset, each ready to run as it is. Choosing one fills every field below anew.")
        with st.popover("File", icon=":material/upload_file:", help="Use a configuration file instead of a preset."):
            changing.file_uploader("Configuration, YAML or JSON", ["yaml", "yml", "json"], key="train:file",
                                   on_change=begin_with_file, max_upload_size=1,
                                   help="As saved here, or a run's config.json. At most 1 MB; nothing in it is "
                                        "executed.")
    if origin.preset:
        there = origin.name in measured()
        st.caption(
            reached(origin.name),
            help="The preset as it is, by one core of the machine it was measured on. On yours, and with other fields, "
            "it takes other seconds: the time above the button is measured here."
            if there else "Of the preset as it is. The time above the button is measured here.")
    if notices := st.session_state.get("train:notice"):
        st.error("  \n".join(map(escaped, notices)), icon=":material/error:")
    if origin.source:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key="train-fork"):
            st.markdown(f":material/fork_right: **Fork of {escaped(origin.run)} at step {origin.step:,}**: begins "
                        "with its weights; its data and model stay.", width="stretch",
                        help="A new run. Its optimizer and its schedules begin anew, and its parent stays as it is.")
            if origin.parts:
                st.session_state["train-anew"] = origin.anew is not None
                st.toggle("Decoder anew", key="train-anew", on_change=begin_decoder_anew,
                          help="Keep the encoder's weights, and draw the decoder's from the seed: it then learns from "
                               "codes that tell something, and cannot yet do without them.")
            st.button("Start afresh instead", key="train-afresh", icon=":material/restart_alt:", on_click=begin_afresh,
                      help="Keep every field as it is, but begin with weights drawn anew from the seed.")


def placed(origin: Origin) -> Origin:
    """The same once the data file of the run it began with is there again, where it was moved away."""
    from vaecore.data.identity import gone

    if not origin.run or not gone(origin.base().data):
        return origin
    try:
        run = store().find(origin.run)
        if ask_where(run, "train-where"):
            return origin
        text = run.config().to_json()  # its new place was given
    except (StoreError, ConfigError):
        return origin
    before, origin = origin.start(), dataclasses.replace(origin, text=text)
    st.session_state["train:origin"] = origin
    draft.go_on(FORM, origin.start(), instead=before)
    return origin


def with_file_chosen(origin: Origin, entered: dict[str, Any]) -> dict[str, Any]:
    """What was entered, without the digest of the file before where another file was entered."""
    before, data = origin.start().data.model_dump(mode="json"), entered["data"]
    if origin.source or not data.get("digest") or data["digest"] != before.get("digest"):
        return entered
    return entered if data.get("path") == before.get("path") else {**entered, "data": {**data, "digest": ""}}


# -- from there to a run ---------------------------------------------------------------------------


def create(origin: Origin, config: RunConfig, name: str) -> Run:
    """The folder of a new run, or of a fork.

    Raises `StoreError`, `ConfigError` or `OSError`; weights that cannot be read are a `StoreError` here.
    """
    if not origin.source:
        return store().create(config, name)
    from vaecore.training.checkpoints import BrokenCheckpoint
    from vaecore.training.fork import fork

    try:
        return fork(store(), store().find(origin.run), origin.source, config, name, anew=origin.anew)
    except BrokenCheckpoint as error:
        raise StoreError(str(error)) from None


def command(origin: Origin, config: RunConfig, seeds: int = 1) -> str:
    """The same on the command line: a fork, or the nearest preset with what differs."""
    from vaecore.config import differences, preset
    from vaecore.named import declarations

    if origin.source:
        base, words = origin.base(), ["vaecore", "fork", origin.run, "--from", origin.source]
        words += ["--anew", origin.anew] if origin.anew else []
    else:
        named, values = declarations().presets, config.model_dump(mode="json")  # those are read once
        near = origin.name if origin.preset else min(
            named, key=lambda name: len(differences([dict(named[name]), values])))
        base, words = preset(near), ["vaecore", "train", "--preset", near]
        if config.data != base.data:  # what followed from them is entered already, or was taken back
            words.append("--exactly")
    for setting in settings(base, config):
        words += ["--set", setting]
    return shlex.join([*words, *(["--seeds", str(seeds)] if seeds > 1 else [])])


def settings(base: RunConfig, config: RunConfig) -> list[str]:
    """The `--set` arguments that lead from `base` to `config`."""
    from vaecore.config import changed

    try:
        found = _field_by_field(base, config)
        if changed(base, found) == config:
            return found
    except ConfigError:  # a field of a choice that is itself inside another new choice cannot be set by itself
        pass
    return [f"{name}={_yaml(_compact(getattr(config, name)))}" for name in type(config).model_fields
            if getattr(config, name) != getattr(base, name)]


def _field_by_field(base: RunConfig, config: RunConfig) -> list[str]:
    """Choices first, then what still differs."""
    from vaecore.config import changed, differences

    found: list[str] = []
    while True:
        now = changed(base, found)
        choices = [f"{path}={tag}" for path, tag in _choices(type(config), config)
                   if dict(_choices(type(now), now)).get(path, tag) != tag]
        if not choices:
            break
        found.append(choices[0])  # it may bring the next ones along
    left = differences([now, config])
    return found + [f"{path}={_yaml(value)}" for path, (_, value) in left.items()]


def _choices(model: type[BaseModel], value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The tags in use, outermost first."""
    for name, info in model.model_fields.items():
        inner, here = getattr(value, name), f"{path}{name}"
        if tagged(info):
            yield f"{here}.{info.discriminator}", str(getattr(inner, str(info.discriminator)))
        if isinstance(inner, BaseModel):
            yield from _choices(type(inner), inner, f"{here}.")


def _compact(value: Any) -> Any:
    """A model as a mapping of its tag and of what is not by default."""
    if not isinstance(value, BaseModel):
        return value
    found = {}
    for name, info in type(value).model_fields.items():
        inner = getattr(value, name)
        if is_tag(info) or inner != info.get_default(call_default_factory=True):
            found[name] = list(inner) if isinstance(inner, tuple) else _compact(inner)
    return found


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_yaml(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) and not _plain(value) else str(value)


def _plain(text: str) -> bool:
    """Whether YAML reads a text as itself, also inside a list."""
    try:
        return bool(yaml.safe_load(f"[{text}]") == [text])
    except (yaml.YAMLError, ValueError):
        return False
