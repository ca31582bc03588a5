"""Compare: runs side by side. What differs, their numbers and curves, the same images and the same codes."""

from __future__ import annotations

import streamlit as st

from pages.compare import agreement, clips, cost, curves, differs, document, numbers, pictures, planes
from pages.shared import checkpoints
from pages.shared.words import escaped
from vaecore.library.headline import headline
from vaecore.store import StoreError
from vaecore.views import CLIP, views_of

MAX_COMPARED = 12

st.title("Compare", anchor=False)
chosen = checkpoints.pick_several("Runs", page="compare", most=MAX_COMPARED, help=f"Up to {MAX_COMPARED} runs; the "
                                  "address of this page keeps them, so it can be passed on.")
readable, facts = [], []
for run in chosen:
    try:
        facts.append(headline(run))
        readable.append(run)
    except StoreError as error:
        st.error(escaped(str(error)), icon=":material/broken_image:")
if readable:
    document.document(readable)
    numbers.numbers(readable, facts)
    differs.fields(readable)
    cost.cost(readable)
    curves.curves(readable)
    planes.planes(readable)
    pictures.pictures(readable)
    if moving := [run for run in readable if CLIP in views_of(run)]:
        clips.clips(moving)
    agreement.agreement(readable)
elif checkpoints.with_weights() and not chosen:
    st.info("Choose two runs or more to compare.", icon=":material/info:")
