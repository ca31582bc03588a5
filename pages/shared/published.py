"""What others published, drawn lightly: the nearest settings first, the rest behind a fold, sources on hovering."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from pages.shared.words import escaped
from vaecore.literature import MOST_SHOWN, TITLES, Beside, Published, nearest, rows
from vaecore.store import Run

FEW = 2  # of each quantity that stand open
HELP = ("What others published of this kind of model. A value says something of this run only in the same setting: "
        "else it says what differs. Hover over a value for its source.")


def beside(run: Run) -> None:
    """Published values beside a run's own, a block for each quantity; nothing where there are none."""
    from vaecore import literature

    found = literature.beside(run)
    if not found:
        return
    with st.container(border=True, gap="small", key="published"):
        st.subheader("Beside what was published", anchor=False, help=HELP)
        few = nearest(found, FEW)
        for quantity in TITLES:
            of_it = [each for each in few if each.published.quantity == quantity]
            if of_it:
                title = of_it[0].title
                st.markdown(f"**{title[:1].upper()}{title[1:]}** · {of_it[0].here()} here")
                _lines(of_it)
        if rest := [each for each in found if each not in few]:
            with st.expander(f"{len(rest)} more, of settings further away", type="compact", icon=":material/menu_book:",
                             key="published-rest"):
                _lines(rest)


def _lines(found: Iterable[Beside]) -> None:
    for each in found:
        what = each.published
        if each.same:  # else what differs says network and K
            mark, where, said = ":green-badge[same setting]", what.setting.short(), ""
        else:
            mark, where = ":gray-badge[not the same setting]", what.setting.where
            said = f" {escaped('; '.join(each.differs))}."
        st.markdown(f"**{what.said()}** · {escaped(what.model)}, {escaped(where)} · {mark}{said}",
                    help=escaped(what.origin()))


def of_kind(found: Sequence[Published], key: str) -> None:
    """Likelihoods published of one kind of model on the same data: a few, and the others behind a fold."""
    if not found:
        st.caption("No published value of this kind on these data is known here.")
        return
    _values(found[:MOST_SHOWN])
    if rest := found[MOST_SHOWN:]:
        with st.expander(f"{len(rest)} more", type="compact", key=f"published-{key}"):
            _values(rest)


def _values(found: Iterable[Published]) -> None:
    for each in found:
        st.markdown(f"**{each.said()}** · {escaped(each.model)}, {escaped(each.setting.where)}",
                    help=escaped(each.origin()))


def of_claim(found: Sequence[Published], key: str) -> None:
    """What the paper of a claim states in numbers, as a table behind a fold."""
    if not found:
        return
    import pandas as pd

    from vaecore.literature import TAGS

    names = {"model": "Model", "data": "Data", "setting": "Setting", "source": "Source", "tag": "Read in"}
    frame = pd.DataFrame(rows(found)).rename(columns=lambda name: names.get(name, name[:1].upper() + name[1:]))
    frame = frame[[*(name for name in frame.columns if name not in ("Setting", "Source", "Read in")), "Setting",
                   "Source", "Read in"]]
    tags = "; ".join(f"{tag}: {words}" for tag, words in TAGS.items())
    with st.expander(f"{len(found)} published values", type="compact", icon=":material/menu_book:", key=key):
        st.dataframe(frame, hide_index=True, height="content" if len(frame) <= 12 else 460, placeholder="–",
                     key=f"{key}-table", column_config={
                         "Model": st.column_config.TextColumn(pinned=True),
                         "Read in": st.column_config.TextColumn(help=f"{tags[:1].upper()}{tags[1:]}.")})
        st.caption("Each is of its own setting: it says what was found there, not what is to be found here.")
