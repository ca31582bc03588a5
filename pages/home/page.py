"""Home: what Latent Lab is, what to do first, the gallery, and the user's own runs. Paints without torch."""

from itertools import islice

import streamlit as st

from pages.home import live
from pages.home.groups import grouped
from pages.shared import cards, checkpoints

NEWEST = 6
MINUTE = {"preset": "vae-minute"}  # what Train begins with: a minute, measured, with the digits that are in the package

STEPS = (
    ("1 · Train", "A variational autoencoder on handwritten digits takes about a minute on a laptop.",
     "train/page.py", "Train a VAE", ":material/model_training:"),
    ("2 · Watch", "See its ELBO, reconstruction and KL while it learns, step by step.",
     "monitor/page.py", "Open Monitor", ":material/monitoring:"),
    ("3 · Scrub", "Move a slider for each latent dimension, and watch what the decoder draws.",
     "traverse/page.py", "Open Traverse", ":material/tune:"),
    ("4 · Collapse", "See a decoder learn to ignore the code, know why, and choose the remedy.",
     "experiments/page.py", "Open Experiments", ":material/science:"),
)

st.title("Latent Lab", anchor=False)
st.markdown("Train, watch, explore and compare the generative models of one lecture on variational autoencoders, on "
            "this machine. A model learns to squeeze each image into a few numbers, its *latent code*, and to draw it "
            "again from them.", width=900)

store = checkpoints.store()
shipped = checkpoints.gallery()
if (plane := next((run for run in shipped if live.fits(run)), None)) is not None:
    live.show(plane)

st.header("What to do first", anchor=False)
with st.grid(4, min_column_width=230):
    for title, text, page, label, icon in STEPS:
        with st.container(border=True, height="stretch", gap="xsmall"):
            st.subheader(title, anchor=False)
            st.markdown(text)
            st.space("stretch")
            st.page_link(page, label=label, icon=icon, query_params=MINUTE if page == "train/page.py" else None)

own = store.runs()
if own:  # before the gallery, below which nobody would look for them
    st.header("Your runs", anchor=False, help="The newest that were started here; the page Runs lists all.")
    with st.grid("auto", min_column_width=330):
        newest = (run for run in own if not checkpoints.describe(run).archived)
        for run in islice(newest, NEWEST):
            cards.run_card(run)
    with st.container(horizontal=True):
        st.page_link("runs/page.py", label=f"All {len(own)} runs" if len(own) > 1 else "All runs",
                     icon=":material/table_rows:", query_params={"q": "is:own"},
                     help="In one table: search, sort, name, tag, compare and remove many at once.")
        st.page_link("compare/page.py", label="Compare runs", icon=":material/compare:")
        st.page_link("monitor/page.py", label="Watch runs", icon=":material/monitoring:")

st.header("Gallery", anchor=False, help="Checkpoints that came with the project, ready to be explored. Numbers are "
          "read from their files; those in large type compare within their group.")
for group, held in grouped(shipped):
    st.subheader(group.title, anchor=False)
    st.caption(group.says)
    with st.grid("auto", min_column_width=330):
        for card in held:
            cards.gallery_card(card.run, card.figure, large=card.large)
if not shipped:
    st.info(f"No checkpoint is in {store.root / 'gallery'}. `make gallery` makes those that come with the project; "
            "or train your own.", icon=":material/info:")

if not own:
    st.header("Your runs", anchor=False, help="The newest that were started here; the page Runs lists all.")
    st.info("You have not trained anything yet. Your first model takes about a minute.", icon=":material/info:")
    st.page_link("train/page.py", label="Train a VAE", icon=":material/model_training:", query_params=MINUTE)
