"""The tour: five prepared views one after the other, with a bar above each page that says what to do there.

The step stands in the address as `tour=2`, and in the session, so that the bar stays on pages of the visitor's own way.
"""

from __future__ import annotations

import streamlit as st

from pages.shared import checkpoints
from pages.shared.prepared import Prepared, views

KEY, PARAMETER = "tour", "tour"


def steps() -> list[Prepared]:
    """The views at which it stops, with the checkpoints that are here."""
    return [view for view in views(checkpoints.gallery()) if view.try_this]


def address(view: Prepared, step: int) -> list[tuple[str, str]]:
    """The parameters of a step's address."""
    return [*view.parameters, (PARAMETER, str(step))]


def link() -> None:
    """The way in, for Home; nothing where there is nothing to be seen."""
    if stops := steps():
        st.page_link(stops[0].page, label=f"A tour in {len(stops)} steps", icon=":material/tour:",
                     query_params=address(stops[0], 1), help="Prepared views one after the other, each with a line on "
                     "what to do. Leave it at any time.")


def bar() -> None:
    """The bar, while a tour is under way. Call it above every page."""
    asked = st.query_params.get(PARAMETER)
    if asked is None and KEY not in st.session_state:
        return
    stops = steps()
    if asked is not None:
        step = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 3 else 0
        if not 1 <= step <= len(stops):
            _forget()
            st.warning(f"The tour has steps 1 to {len(stops)}. Begin it on Home.", icon=":material/link_off:")
            return
        st.session_state[KEY] = step
    step = min(int(st.session_state[KEY]), len(stops))
    if not step:
        return
    st.query_params[PARAMETER] = str(step)
    here = stops[step - 1]
    with st.container(border=True, key="tour", horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/tour: **{step} of {len(stops)} · {here.title}.** {here.try_this}", width="stretch")
        with st.container(horizontal=True, width="content", gap="small", vertical_alignment="center"):
            if st.button("Back", key="tour-back", icon=":material/arrow_back:", disabled=step == 1, shortcut="Shift+B",
                         help="The step before."):
                _go(stops, step - 1)
            if step < len(stops) and st.button("Next", key="tour-next", icon=":material/arrow_forward:",
                                               type="primary", shortcut="Shift+N", help="The next step."):
                _go(stops, step + 1)
            if st.button("End" if step < len(stops) else "Done", key="tour-end", icon=":material/close:",
                         shortcut="Escape", on_click=_forget, help="End the tour and stay on this page.") and \
                    step == len(stops):
                st.switch_page("home/page.py")


def _go(stops: list[Prepared], step: int) -> None:
    view = stops[step - 1]
    st.session_state[KEY] = step
    st.switch_page(view.page, query_params=address(view, step))


def _forget() -> None:
    st.session_state.pop(KEY, None)
    st.query_params.pop(PARAMETER, None)
