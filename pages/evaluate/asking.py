"""What is asked of an evaluation: the parts that have a place in this run, the numbers they read, how long it takes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st
from pydantic.fields import FieldInfo

from pages.shared import address
from pages.shared.checkpoints import stamps
from pages.shared.words import escaped, span
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.settings import Settings
from vaecore.files import trouble
from vaecore.memory import held
from vaecore.schema import ConfigError, parse
from vaecore.store import Run, StoreError

if TYPE_CHECKING:
    from vaecore.evaluate.offer import Offer
    from vaecore.evaluate.subject import Subject

# In the session: the widget, the parts it offers, and those that were turned off.
KEY, OFFERED, OFF = "evaluate-parts", "evaluate-parts-offered", "evaluate-parts-off"


def settings(run: Run) -> Settings | None:
    """The settings in the widgets; None, and said on the page, where they cannot be used."""
    above, numbers = st.container(gap="small"), st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    fields = Settings.model_fields
    with numbers:
        split = field("split", fields["split"])
    with above:
        found = offer(run, Settings(split=split))
        offered = [name for name in PARTS if found is None or name not in found.not_applicable]
        parts = which(offered)
        if found is not None:
            elsewhere(found)
    with numbers:
        for name in Settings.used_by(parts):
            if name not in ("split", "parts"):
                field(name, fields[name])
    try:
        asked = _read()
    except ConfigError as error:
        st.error(escaped(str(error)), icon=":material/tune:")
        return None
    if found is not None and (found := offer(run, asked)) is not None:
        total(found)
    return asked


def entered() -> Settings | None:
    """What stands in the widgets when a button is pressed: the page may not be drawn with it yet.

    None where it cannot be used, which the page says as soon as it is drawn.
    """
    try:
        return _read()
    except ConfigError:
        return None


def _read() -> Settings:
    state, offered = st.session_state, st.session_state[OFFERED]
    parts = [name for name in offered if name in state[KEY]]
    values = {name: state[f"evaluate-{name}"] for name in Settings.used_by(parts) if f"evaluate-{name}" in state}
    # All is all that has a place, here and in whatever other run is evaluated with the same settings.
    return parse(Settings, {**values, "parts": parts if len(parts) < len(offered) else list(PARTS)})


def which(offered: list[str]) -> list[str]:
    """The parts that are chosen of those that have a place; what was turned off stays off for another run."""
    if (linked := address.news("off")) is not None:
        st.session_state[OFF] = set(linked) & set(PARTS)
    off = st.session_state.setdefault(OFF, set[str]())
    address.write("off", [name for name in PARTS if name in off])
    st.session_state[OFFERED] = offered
    st.session_state[KEY] = [name for name in offered if name not in off]
    return list(st.pills(
        Settings.model_fields["parts"].title or "", offered, selection_mode="multi", key=KEY, format_func=title,
        on_change=_turned, args=(offered,), help="The evidence always is. " + " ".join(
            f"{PARTS[name].title}: {PARTS[name].help}" for name in offered)))


def _turned(offered: list[str]) -> None:
    off = st.session_state.get(OFF, set[str]())
    st.session_state[OFF] = (off - set(offered)) | (set(offered) - set(st.session_state[KEY]))


def elsewhere(found: Offer) -> None:
    """The parts that have no place in this run, and why, where it is asked."""
    if count := len(found.not_applicable):
        with st.expander(f"{count} part{'s have' if count > 1 else ' has'} no place here", icon=":material/block:",
                         key="evaluate-elsewhere"):
            for why, parts in found.reasons().items():
                st.caption(f"{', '.join(f'**{part}**' for part in parts)}: {escaped(why)}")


def total(found: Offer) -> None:
    """How much it is, and how long it takes here, before it is begun."""
    named = "; ".join(f"{title(name)} {span(seconds, seconds)}" for name, seconds in found.took.items())
    parts = len(found.parts)
    st.caption(f"The evidence{f' and {parts} part' + 's' * (parts > 1) if parts else ''} of {found.observations:,} "
               f"observations: **{span(found.seconds, found.at_most)}** on this machine.",
               help=f"{named}. By how fast this model reads, decodes and draws here; other work on the machine adds to "
                    "it.")


def field(name: str, info: FieldInfo) -> Any:
    """The widget of a setting: its choices, or a whole number."""
    label, key = info.title or name, f"evaluate-{name}"
    if choices := get_args(info.annotation):
        return address.kept(name, st.selectbox, label, choices, index=choices.index(info.default), key=key, width=190,
                            help=info.description)
    # Without bounds, as in the form of Train: a widget keeps what is outside its bounds to itself.
    return int(address.kept(name, st.number_input, label, value=info.default, step=1, format="%d", key=key,
                            help=info.description, width=190))


def offer(run: Run, asked: Settings) -> Offer | None:
    """What an evaluation would do; None where the run or its data cannot be opened, as the evaluation will say."""
    from vaecore.data import DataUnavailable
    from vaecore.evaluate.offer import offer as made
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        subject = _subject(str(run.path), stamps(run), asked.split)
        return made(run, subject=replace(subject, settings=asked))
    except (BrokenCheckpoint, DataUnavailable, StoreError, ConfigError, OSError) as error:
        st.caption(f":material/error: {escaped(trouble(error) if isinstance(error, OSError) else str(error))}")
        return None


@held(meanwhile=partial(st.spinner, "Loading the run …"))
def _subject(path: str, stamps: tuple[int, ...], split: Any) -> Subject:  # noqa: ARG001 (part of the cache's key)
    from vaecore.evaluate.report import subject_of

    return subject_of(Run(Path(path)), Settings(split=split))
