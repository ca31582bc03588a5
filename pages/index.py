"""Navigation, nothing else: `app.py` serves this script to every visitor of every page."""

from pathlib import Path

import streamlit as st

from pages.components import serve
from pages.components.serve import component
from pages.shared import address, charts, tour, warm
from pages.shared.access import gate
from pages.shared.checkpoints import CROSS_MODAL, FAMILIES, LATENT_MAP, SENTENCES, TRAVERSE, VIDEO

st.set_page_config(page_title="Latent Lab", page_icon="🧭", layout="wide")
gate.pass_or_stop()

page = st.navigation(
    {
        "": [
            st.Page("home/page.py", title="Home", icon=":material/home:", default=True,
                    help="What is here: the runs in the gallery, your own runs, and where to start."),
            st.Page("talk/page.py", title="Talk", icon=":material/slideshow:", url_path="talk",
                    help="Scenes in the order of a lecture: give the shipped talk, or record one of your own."),
            st.Page("lecture/page.py", title="Lecture", icon=":material/menu_book:", url_path="lecture",
                    help="Every section and equation: what it says, the page and the code that show it, its errata."),
            *gate.page(),
        ],
        "Train": [
            st.Page("train/page.py", title="Train", icon=":material/model_training:", url_path="train",
                    help="Choose data, a model and how to train it; start it, and see the queue."),
            st.Page("monitor/page.py", title="Monitor", icon=":material/monitoring:", url_path="monitor",
                    help="Live curves of one or several runs: ELBO, reconstruction, KL, beta."),
            st.Page("experiments/page.py", title="Experiments", icon=":material/labs:", url_path="experiments",
                    help="Several runs that answer one question, started together and looked at side by side."),
            st.Page("sweeps/page.py", title="Sweeps", icon=":material/grid_on:", url_path="sweeps",
                    help="One configuration with some fields varied, over several seeds: a grid, drawn, or searched."),
        ],
        "Explore": [
            st.Page(page.path, title=page.title, icon=page.icon, url_path=page.address, help=page.help)
            for page in (TRAVERSE, LATENT_MAP, CROSS_MODAL, SENTENCES, VIDEO)
        ],
        "Judge": [
            st.Page("runs/page.py", title="Runs", icon=":material/table_rows:", url_path="runs",
                    help="Every run in one table: search, sort, name, tag, compare, evaluate and remove many at once."),
            st.Page("compare/page.py", title="Compare", icon=":material/compare:", url_path="compare",
                    help="Runs side by side: what differs, their curves, the same images and the same codes."),
            st.Page("evaluate/page.py", title="Evaluate", icon=":material/straighten:", url_path="evaluate",
                    help="How good a run is: log p(x), reconstructions, samples, code, each with its settings."),
            st.Page(FAMILIES.path, title=FAMILIES.title, icon=FAMILIES.icon, url_path=FAMILIES.address,
                    help=FAMILIES.help),
            st.Page("claims/page.py", title="Claims", icon=":material/fact_check:", url_path="claims",
                    help="What papers say, the experiment here that could refute it, and how that came out."),
        ],
    },
    position="top",
)
st.html(Path(__file__).parent / "shared" / "theme.css")
component("talk")(key=charts.TALK, data={"scenes": serve.below("talk"), "zoom": charts.zoom()},
                  on_zoom_change=lambda: None)
component("address")(key="address")  # before the page, which may stop: it keeps one entry of Back a page
tour.bar()
address.enter(page.url_path)
with warm.alone():
    page.run()
warm.up()  # after the page has painted: the next one finds torch imported
