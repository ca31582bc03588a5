"""Access: what the visitor may do here, and why not more."""

from __future__ import annotations

import streamlit as st

from pages.shared.access import gate, roles
from pages.shared.words import escaped
from vaecore import permission

visitor = roles.visitor()
st.title("Access", anchor=False)
if visitor.signed_in:
    st.write(f"Signed in as **{escaped(visitor.name)}**, {visitor.role}.")
if why := permission.refusal():
    st.info(f"{why} Traverse, compare and roll out as you like; training, uploading, renaming and removing are off.",
            icon=":material/visibility:")
else:
    st.write("You may do everything: train, upload, rename, remove.")
if visitor.signed_in:
    gate.sign_out()
