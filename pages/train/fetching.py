"""The published data sets that the form's choice reads and that are not here: what each weighs, and the button."""

from __future__ import annotations

import streamlit as st

from pages.shared import changing
from pages.shared import task as background
from pages.shared.words import escaped
from vaecore.data import DataConfig
from vaecore.data.published import PUBLISHED, Published, megabytes
from vaecore.data.standing import missing
from vaecore.lab import downloading

EVERY = 1.0  # seconds between looks at how far it is


def unavailable(config: DataConfig, why: str) -> None:
    """What is not here, and a card for each published data set that would mend it; `why` is what loading it says."""
    first, _, ways = why.partition(". ")
    if not missing(config):
        st.warning(escaped(why), icon=":material/cloud_off:")
        return
    st.warning(f"{escaped(first)}.", icon=":material/cloud_off:")
    _offers(config)
    with st.expander("On the command line, or by hand", icon=":material/terminal:", type="compact"):
        st.caption(escaped(ways))


def larger(config: DataConfig) -> None:
    """Where a smaller copy is read, the offer of the whole."""
    if lacking := missing(config):
        whole = ", ".join(f"{chosen.title} ({megabytes(chosen.size)})" for chosen in lacking)
        with st.expander(escaped(whole), icon=":material/download:", type="compact", key="train-larger"):
            _offers(config)


def where(config: DataConfig) -> str:
    """The folders that the published data sets of a configuration are read from, in a sentence; empty without one."""
    places = [str(place) for name in config.reads() if (place := PUBLISHED[name].place())]
    return f" Read from {escaped(', '.join(places))}." if places else ""


def _offers(config: DataConfig) -> None:
    """A card for each of them, which watches its download while it runs."""
    for chosen in missing(config):
        if downloading.download(chosen).progress().running:
            st.fragment(_running, run_every=EVERY)(chosen)
        else:
            _offer(chosen)


def _offer(chosen: Published) -> None:
    """What it weighs, under which terms, and the button that fetches it."""
    task, key = downloading.download(chosen), f"train:download:{chosen.name}"
    last = task.progress()
    with st.container(border=True, key=f"train-download-card-{chosen.name}"):
        st.markdown(f"**{escaped(chosen.title)}**  \n{megabytes(chosen.size)} · {escaped(chosen.licence)}")
        accepted = True
        if chosen.accept:
            st.caption(escaped(chosen.accept))
            accepted = st.checkbox("I accept this licence", key=f"train-accept-{chosen.name}")
        changing.button("Go on with the download" if background.stopped(key) else "Download it now",
                        key=f"train-download-{chosen.name}", icon=":material/download:", disabled=not accepted,
                        on_click=background.start, args=(task, key),
                        help="Fetches the published files from the internet, checks and converts them, and keeps them "
                             "for later. It goes on in the background; nothing is fetched unless you press this.")
        background.ended(key, last, good=False, said="Stopped. What has come is kept: the download goes on from there.")


def _running(chosen: Published) -> None:
    """How far the download is, with the button that stops it; the whole page again when it has ended."""
    task, key = downloading.download(chosen), f"train:download:{chosen.name}"
    now = task.progress()
    if not now.running:
        st.rerun()
    words, share = downloading.reached(now.lines) or ("Connecting …", 0.0)
    with st.container(border=True, key=f"train-download-card-{chosen.name}"):
        st.progress(share, f"{escaped(chosen.title)}: {words}")
        background.running(task, key, now, label="Stop", button=f"train-download-stop-{chosen.name}",
                           help="What has come is kept: the download goes on from there another time.")
