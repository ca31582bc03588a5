"""The choice of data leads the choice of model: the form follows other data, says what it changed, and takes it back;
what does not fit is folded away with the reason, and with a button that makes it fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import measure
from pages.shared.form import draft
from pages.shared.words import escaped
from pages.train.origin import FORM, Origin, with_file_chosen
from vaecore.schema import ConfigError, Problem, parse, title_at

if TYPE_CHECKING:
    from vaecore.config import RunConfig
    from vaecore.training.fitting import Fitting

FAMILY = "model.family"
SEEN = "train:followed"  # the origin, the data and the family that the form has followed
MADE = "train:adapted"  # the configurations before and after, and what was changed, in words


def follow(origin: Origin, config: RunConfig | None) -> bool:
    """Enter what follows from other data, or from another family; whether anything did. Before the form is drawn.

    A family that fits stays. What the visitor has just chosen stays in any case.
    """
    if config is None or origin.source:
        return False
    start, data = origin.start(), config.data.model_dump_json()
    begun = start.to_json()
    seen = st.session_state.get(SEEN, ("", "", ""))
    if seen[0] != begun:
        st.session_state.pop(MADE, None)
        seen = (begun, start.data.model_dump_json(), start.model.tag)
    st.session_state[SEEN] = (begun, data, config.model.tag)
    if seen[1:] == (data, config.model.tag):
        return False
    said = {FAMILY} if seen[1] == data else set()
    try:
        found, changes = measure.adapted(start, config, said)
    except ConfigError:  # said under the field, with what would help
        st.session_state.pop(MADE, None)
        return False
    st.session_state[SEEN] = (begun, data, found.model.tag)
    if not changes:
        st.session_state.pop(MADE, None)
        return False
    st.session_state[MADE] = (config.to_json(), found.to_json(), changes)
    draft.enter(FORM, found)
    return True


def told() -> None:
    """What followed from the data, and how to take it back."""
    if not (made := st.session_state.get(MADE)):
        return
    lines = "\n".join(f"- {escaped(sentence)}" for sentence in made[2])
    with st.container(border=True, key="train-adapted", gap="small"):
        st.markdown(f":material/conversion_path: **The model follows the data**\n{lines}")
        st.button("Undo", key="train-adapted-undo", icon=":material/undo:", on_click=undo,
                  help="Put back what stood there before. The data stay as chosen.")


def undo() -> None:
    """Put back what stood there before the form followed the data; what was entered since stays."""
    from vaecore.config import RunConfig

    before, after = map(RunConfig.model_validate_json, st.session_state.pop(MADE)[:2])
    begun, data, _ = st.session_state[SEEN]
    st.session_state[SEEN] = (begun, data, before.model.tag)
    draft.enter(FORM, before, instead=after)


def make_fit(origin: Origin, settings: Sequence[str]) -> None:
    """Enter settings on top of what stands in the form when the button is pressed; what follows from them follows."""
    from vaecore.config import RunConfig, changed

    with suppress(ConfigError):  # typed just before: it is said under its field, and can be mended there first
        config = parse(RunConfig, with_file_chosen(origin, draft.values(origin.start(), FORM)))
        draft.enter(FORM, changed(config, settings))


def mend(origin: Origin, config: RunConfig | None, problem: Problem) -> None:
    """A button that does what would help against a problem, where that can be said."""
    from vaecore.config import changed
    from vaecore.training.fitting import in_words

    if config is None:
        return
    for way in problem.ways:
        with suppress(ConfigError):  # a field that this configuration does not have
            changed(config, way)
            st.button(f"Make it fit: {'; '.join(map(in_words, way))}", key=f"train-mend-{problem.field}",
                      type="tertiary", icon=":material/build:", on_click=make_fit, args=(origin, way))
            return


def folded(origin: Origin, config: RunConfig | None, offers: Mapping[str, Sequence[Fitting]]) -> None:
    """What does not fit these data, why, and a button that makes it fit where there is a way."""
    from vaecore.config import RunConfig
    from vaecore.training.fitting import in_words

    left = [each for found in offers.values() for each in found if not each.fits]
    if not left or config is None:
        return
    with st.expander("Do not fit these data", icon=":material/block:", key="train-unfit", type="compact"):
        for path, found in offers.items():
            unfit = [each for each in found if not each.fits]
            if not unfit:
                continue
            st.markdown(f"**{escaped(title_at(RunConfig, path))}**")
            for each in unfit:
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    rest = each.reason.removeprefix(each.title)  # most reasons begin with whose they are
                    words = f"{'' if rest != each.reason else ': '}{rest}"
                    st.markdown(f":small[**{escaped(each.title)}**{escaped(words)}]", width="stretch")
                    if each.settings:
                        st.button("Make it fit", key=f"train-fit-{each.choice}", on_click=make_fit,
                                  args=(origin, each.settings), type="tertiary", icon=":material/build:",
                                  help=f"{'; '.join(map(in_words, each.settings))}.")
