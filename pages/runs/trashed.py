"""The trash: what was removed, how large it is, and how it is brought back or deleted for good."""

from __future__ import annotations

import streamlit as st

from pages.runs import actions
from pages.shared import changing
from pages.shared.checkpoints import store
from pages.shared.words import escaped
from vaecore.library import trash
from vaecore.library.trash import Trashed
from vaecore.words import size

MOST_LISTED = 50  # each with a button


def trashed() -> None:
    """What lies in the trash, folded; nothing where it is empty."""
    held = trash.trashed(store())
    if not held:
        return
    total = size(sum(each.bytes for each in held))
    with st.expander(f"Trash · {len(held)} run{'s' * (len(held) != 1)}, {total}", icon=":material/delete:",
                     key="runs-trash"):
        for each in held[:MOST_LISTED]:
            _line(each)
        if len(held) > MOST_LISTED:
            st.caption(f"And {len(held) - MOST_LISTED} that were removed earlier.")
        with st.popover("Empty the trash", icon=":material/delete_forever:", key="runs-empty"):
            st.markdown(f"Delete all {len(held)} for good, {total}? This cannot be undone.")
            names = [each.name for each in held]  # what the question counts, and nothing that came since
            changing.button("Delete for good", key="runs-empty-do", type="primary", icon=":material/delete_forever:",
                            on_click=actions.do, args=(lambda: trash.empty(store(), names), "{runs} deleted for good."),
                            help="All that lies in the trash now; nothing else is touched.")


def _line(one: Trashed) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = one.title if one.title == one.name else f"{one.title} ({one.name})"
        st.markdown(f"{escaped(name)} · {size(one.bytes)} · removed {one.removed:%Y-%m-%d %H:%M}", width="stretch")
        changing.button("Bring back", key=f"runs-restore-{one.name}", icon=":material/restore_from_trash:",
                        type="tertiary", on_click=actions.do,
                        args=(lambda: trash.restore(store(), [one.name]), "It was brought back."),
                        help="To its old place, under its old id.")
