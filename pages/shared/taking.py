"""What of a checkpoint can be taken along: the whole run, a card, HTML, codes, films, ONNX, a script or a notebook.

Every file is made when its button is pressed, by the functions that `vaecore export` calls.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import hand, sending
from pages.shared.words import escaped
from vaecore.views import SINGLE, view_of

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from vaecore.data import SplitName
    from vaecore.explore import Checkpoint, CrossModal
    from vaecore.explore.export.frames import Motion
    from vaecore.explore.export.redo import Redone
    from vaecore.store import Run

MAX_NUMBERS = 20_000_000  # of codes that a page makes a file of; more are for the command line
TYPES = {".csv": "text/csv", ".npz": "application/zip", ".zip": "application/zip",
         ".parquet": "application/vnd.apache.parquet", ".gif": "image/gif", ".webp": "image/webp",
         ".mp4": "video/mp4", ".html": "text/html",
         ".onnx": "application/octet-stream", ".py": "text/x-python", ".ipynb": "application/x-ipynb+json"}
MOTIONS = {"traversal": "Traversal", "walk": "Walk", "interpolation": "Interpolation"}


@st.fragment
def folded(found: Checkpoint | CrossModal) -> None:
    """The same, folded away; nothing of it runs before it is unfolded."""
    fold = st.expander("Take it with you", icon=":material/luggage:", on_change="rerun", key="taking-folded")
    if fold.open:
        with fold:
            panel(found)


def panel(found: Checkpoint | CrossModal) -> None:
    """All files, each with its choices and its button."""
    from vaecore.explore.single import Checkpoint

    with st.container(key="taking", width=900):
        _whole(found.run)
        if (found.run.path / "metrics.jsonl").is_file():
            _curves(found.run)
        _page(found.run)
        _codes(found)
        if isinstance(found, Checkpoint):
            motion = _film(found)
            _program(found, motion)
        _networks(found)
        st.caption(f"On the command line: `vaecore export {escaped(found.run.id)} --help`.")


def _whole(run: Run) -> None:
    with _row("The run itself", "As a zip that another laboratory imports, and as a model card: facts, numbers and "
              "limits, with what was published beside them."):
        sending.zipped([run], f"taking-{run.id}")
        sending.carded(run, f"taking-{run.id}")


def _curves(run: Run) -> None:
    from vaecore.sharing.tensorboard import NEEDED, zipped_events

    with _row("Curves for TensorBoard", "Event files in a zip, to unpack into its `--logdir`."):
        if _installed("tensorboardX"):
            _button("TensorBoard", lambda: zipped_events(run), run, "-tensorboard", ".zip")
        else:
            st.caption(NEEDED)


def _page(run: Run) -> None:
    def made() -> bytes:
        from vaecore.explore.export.html import html_page

        return html_page(run)

    with _row("One HTML page", "Sliders, training curves and map, live in one file: it opens from disk, on any "
              "computer, without a server and without a network."):
        _button("HTML", made, run, "", ".html")


def _codes(found: Checkpoint | CrossModal) -> None:
    from vaecore.data import SPLITS
    from vaecore.explore.export.split_codes import ENDINGS, codes_file

    run = found.run
    with _row("Codes of a split", "A row for each observation: its number in the split, its label, means and sigmas of "
              "q(z|x)."):
        split: SplitName = st.segmented_control("Split", SPLITS, default="test", required=True, key="taking-split",
                                                help="Which observations.")
        ending = st.segmented_control("File", ENDINGS, default=".csv", required=True, key="taking-codes",
                                      help="CSV for spreadsheets, NPZ for NumPy, Parquet for data frames.")
        charged = found.has_prior and not found.model.point_codes
        kl = charged and st.toggle("KL by dimension", key="taking-kl",
                                   help="A column more for each dimension, in nats.")
        if reason := _not_here(run, split, sum(found.model.latents.values()) * (3 if kl else 2)):
            st.caption(escaped(reason))
            return

        def made() -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"codes{ending}"
                codes_file(run, path, split, kl=bool(kl))
                return path.read_bytes()

        _button("Codes", made, run, f"-codes-{split}", str(ending))


def _film(found: Checkpoint) -> Motion:
    from vaecore.explore.codes import ROUTES
    from vaecore.explore.export.frames import FILMS, KINDS, Motion, film

    run, last = found.run, len(found.examples) - 1
    kinds = [kind for kind in KINDS if kind != "interpolation" or last > 0]
    with _row("A film that loops", "A dimension that moves, a smooth random walk, or the way from one test image to "
              "another and back."):
        kind = st.segmented_control("What", kinds, default=kinds[0], required=True, format_func=MOTIONS.__getitem__,
                                    key="taking-motion", help="What moves. A walk is the same for the same seed.")
        more: dict[str, int | str] = {}
        if kind == "traversal":
            more["dimension"] = st.selectbox("Dimension", found.order, format_func=lambda d: f"z{d}", width=110,
                                             key=f"taking-dimension-{run.id}", help="The most informative first.")
        elif kind == "walk":
            more["seed"] = st.number_input("Seed", 0, 2**31 - 1, 0, width=130, key="taking-seed",
                                           help="The same seed walks the same way.")
        else:
            more["first"] = st.number_input("From", 0, last, 0, width=110, key="taking-from", help="A test image.")
            more["last"] = st.number_input("To", 0, last, 1, width=110, key="taking-to", help="Another test image.")
            more["path"] = st.selectbox("Path", ROUTES, width=140, key="taking-path",
                                        help="Straight, spherical, or the shortest in the decoder's metric.")
        frames = st.number_input("Frames", 4, 400, 60, 2, width=120, key="taking-frames", help="How many pictures.")
        rate = st.number_input("A second", 1, 60, 20, width=120, key="taking-rate", help="Frames a second.")
        ending = st.segmented_control("File", [each for each in FILMS if each != ".mp4" or _installed("av")],
                                      default=".gif", required=True, key="taking-film",
                                      help="GIF plays everywhere, WebP has all colours, MP4 is the smallest.")
        even = int(frames) + int(frames) % 2  # there and back
        motion = Motion(kind, frames=even, **more)  # type: ignore[arg-type]
        _button("Film", lambda: film(found, motion, str(ending), rate=float(rate)), run, f"-{kind}", str(ending))
    return motion


def _program(found: Checkpoint, motion: Motion) -> None:
    from vaecore.explore.export.redo import At, notebook, script

    run = found.run
    with _row("A view as a program", "Python that makes the same pixels again: of the code under the sliders, or of "
              "the film above."):
        code, film = "the code", "the film"
        which = st.segmented_control("Of", [code, film], default=code, required=True, key="taking-program",
                                     help="The code is the one that the sliders stand at now.")
        units = hand.positions(found, "taking")[found.latent]
        view: Redone = motion if which == film else At(tuple(round(float(value), 3) for value in units))
        _button("Script", lambda: script(run.id, view).encode(), run, "-view", ".py")
        _button("Notebook", lambda: notebook(run.id, view).encode(), run, "-view", ".ipynb")


def _networks(found: Checkpoint | CrossModal) -> None:
    from vaecore.explore.export.graph import NoGraph
    from vaecore.explore.export.networks import WHAT, module_of
    from vaecore.explore.export.onnx_model import NEEDED, onnx_model

    run = found.run
    with _row("Networks as ONNX", "Decoder and encoder in one file each, for any number of observations at once."):
        if not (_installed("onnx") and _installed("onnxscript")):
            st.caption(NEEDED)
            return
        for what in WHAT:
            try:
                module_of(found.model, what)
            except NoGraph as error:
                st.caption(escaped(f"No {what}: {error}"))
                continue
            _button(what.capitalize(), partial(onnx_model, run, what), run, f"-{what}", ".onnx")


def _row(title: str, words: str) -> DeltaGenerator:
    st.markdown(f"**{title}**  \n{words}")
    return st.container(horizontal=True, vertical_alignment="bottom", gap="small")


def _button(title: str, made: Callable[[], bytes], run: Run, name: str, ending: str) -> None:
    st.download_button(title, made, f"{run.id.replace('/', '-')}{name}{ending}", TYPES[ending], on_click="ignore",
                       key=f"taking-{title}-{run.id}", icon=":material/download:",
                       help=f"Make the file ({ending}) and save it. It may take some seconds.")


def _not_here(run: Run, split: str, numbers: int) -> str:
    """Why the codes of a split cannot be made on a page; nothing where they can."""
    from vaecore.data import DataUnavailable
    from vaecore.schema import ConfigError
    from vaecore.store import StoreError

    try:
        run.config().data.here()
    except (DataUnavailable, ConfigError, StoreError) as error:
        at_hand = " The page Latent map saves the codes of those that are at hand." if view_of(run) is SINGLE else ""
        return f"{error}{at_hand}"
    sizes = run.summary().get("sizes")
    count = sizes.get(split) if isinstance(sizes, dict) else None
    if isinstance(count, int) and count * numbers > MAX_NUMBERS:
        return f"These are {count * numbers:,} numbers: use the command line."
    return ""


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
