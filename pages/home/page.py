"""Home: what Latent Lab is, what to do first, the gallery, and the user's own runs. Paints without torch."""

import streamlit as st

from pages.home import live, minute
from pages.home.groups import grouped
from pages.home.purposes import PURPOSES
from pages.shared import cards, checkpoints, prepared, tour

NEWEST = 6

st.title("Latent Lab", anchor=False)
with st.container(horizontal=True, vertical_alignment="center", key="welcome"):
    st.markdown("The generative models of one lecture on variational autoencoders, to train, watch, explore and "
                "compare on this machine.", width="content")
    tour.link()

store = checkpoints.store()
shipped = checkpoints.gallery()
if (plane := next((run for run in shipped if live.fits(run)), None)) is not None:
    live.show(plane)
minute.show()

st.header("One click away", anchor=False, help="Prepared views, on the runs that came with the project.")
with st.grid(3, min_column_width=300):
    for view in prepared.views(shipped):
        with st.container(border=True, height="stretch", gap="xsmall"):
            st.subheader(view.title, anchor=False)
            st.markdown(view.says)
            st.space("stretch")
            st.page_link(view.page, label=view.label, icon=view.icon, query_params=view.parameters)

own = store.runs()
if own:  # before the gallery, below which nobody would look for them
    st.header("Your runs", anchor=False, help="The newest that were started here; the page Runs lists all.")
    with st.grid("auto", min_column_width=330):
        listed = [run for run in own if not checkpoints.archived(run)]
        for run in listed[:NEWEST]:
            cards.run_card(run)
    with st.container(horizontal=True):
        st.page_link("runs/page.py", label=f"All {len(listed)} runs" if len(listed) > 1 else "All runs",
                     icon=":material/table_rows:", query_params={"q": "is:own"},
                     help="In one table: search, sort, name, tag, compare and remove many at once.")
        st.page_link("compare/page.py", label="Compare runs", icon=":material/compare:")
        st.page_link("monitor/page.py", label="Watch runs", icon=":material/monitoring:")

st.header("Gallery", anchor=False, help="Runs that came with the project, ready to be explored. Numbers are "
          "read from their files; those in large type compare within their group.")
for group, held in grouped(shipped):
    st.subheader(group.title, anchor=False)
    st.caption(group.says)
    with st.grid("auto", min_column_width=330):
        for card in held:
            cards.gallery_card(card.run, card.figure, large=card.large, purpose=PURPOSES.get(card.run.path.name, ""))
if not shipped:
    st.info(f"No run is in {store.root / 'gallery'}. `make gallery` makes those that come with the project; "
            "or train your own.", icon=":material/info:")

if not own:
    st.header("Your runs", anchor=False, help="The newest that were started here; the page Runs lists all.")
    st.caption("You have not trained anything yet: the first takes about a minute, by the button above.")
