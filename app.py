"""Latent Lab: the server. Start it with `make app`, or `streamlit run app.py`.

The script that Streamlit runs lies in `pages/`, not here: beside its main script Streamlit looks for a folder `pages/`
and shows what it finds there to the first visitor of a server, in place of the navigation.
"""

import streamlit as st

from pages.components import map_routes, networks, seen, serve

app = st.App("pages/index.py", routes=[*serve.routes(), *networks.routes(), *seen.routes(), *map_routes.routes()])
