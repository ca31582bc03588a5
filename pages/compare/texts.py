"""The same sentences through each of the compared text models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import lines
from pages.shared.words import escaped

if TYPE_CHECKING:
    from vaecore.explore.sentences import SentenceCheckpoint

MOST_SENTENCES, OWN = 8, 3
TEMPERATURE = 0.7


@st.fragment
def sentences(loaded: list[SentenceCheckpoint]) -> None:
    """The same test sentences through each text model, and sentences of their own."""
    first, coded = loaded[0], [one for one in loaded if one.has_code]
    if coded and first.examples:
        st.subheader("The same sentences", anchor=False, help="Test sentences, each encoded and written again by every "
                     "run: the likeliest next word each time.")
        most = min(MOST_SENTENCES, len(first.examples))
        count = st.slider("Sentences", 1, most, min(4, most), key="count-sentences", width=300,
                          help=f"How many test sentences of {escaped(first.run.id)} to reconstruct.") if most > 1 else 1
        for sentence in first.examples[:count]:
            lines.show([lines.plain(sentence, "test sentence", faded=True),
                        *(lines.plain(one.reconstruct(sentence), one.run.id) for one in coded)], label=12, size=1.15)
    if len(coded) < len(loaded):
        st.caption("A language model has no code, so it reconstructs nothing.")
    st.subheader("Sentences of their own", anchor=False, help="Drawn by each run: a code from the prior, then words at "
                 "temperature 0.7.")
    for one in loaded:
        lines.show([lines.plain(text, "" if place else one.run.id) for place, text in
                    enumerate(one.sample(OWN, TEMPERATURE))], label=12, size=1.15)
