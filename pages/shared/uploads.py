"""A picture that a visitor uploads, read as the data need it: what was done is said, with a switch to undo it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from pages.shared import changing, pictures
from pages.shared.words import escaped

if TYPE_CHECKING:
    from collections.abc import Collection

    from vaecore.explore.uploads import Step, Upload

FILES = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]
SHOWN = 196  # CSS pixels of a picture
MOST_FILES = 40
NAME = 60  # characters of a file's name in sight
HELPS: dict[Step, str] = {
    "turn": "The camera that took the picture says how it was held.",
    "stretch": "Cameras and scanners fill 8 to 14 of the 16 bits of a file. As it is, such a picture is nearly black.",
    "paper": "Where the picture is transparent it becomes paper. Off, the other shade is taken.",
    "edge": "A scanner leaves a dark edge beside the sheet.",
    "invert": "The data's images are drawn on the other kind of paper; the model has seen no others.",
    "find": "What is drawn is searched for, the shade of its paper taken away, and cropped and placed as the data are.",
    "cut": "The middle is kept, at the model's aspect. Off, the whole picture is shown, with paper beside it."}


def ask(label: str, key: str, help: str, *, several: bool = False) -> bytes | None:
    """A field for a picture's file, or for `several`, of which one is looked at after the other; None without one."""
    from vaecore.explore.uploads import MAX_PICTURE_BYTES

    most = MAX_PICTURE_BYTES // 10**6
    if not several:
        file = changing.file_uploader(label, type=FILES, key=key, max_upload_size=most, help=help)
        return None if file is None else bytes(file.getvalue())
    files = changing.file_uploader(label, type=FILES, key=key, max_upload_size=most, help=help,
                                   accept_multiple_files=True)
    if len(files) > MOST_FILES:
        st.warning(f"Of {len(files)} files the first {MOST_FILES} are read.", icon=":material/info:")
        files = files[:MOST_FILES]
    if not files:
        return None
    names = [escaped(file.name[:NAME]) for file in files]
    place = 0
    if len(files) > 1:
        place = st.segmented_control("Which", range(len(files)), default=0, required=True, key=f"{key}-which",
                                     format_func=lambda n: f"{n + 1}. {names[n]}", help="The picture to look at.") or 0
    return bytes(files[min(place, len(files) - 1)].getvalue())


def read(how: Callable[[Collection[Step]], Upload], key: str, *, shown: bool = True) -> Upload:
    """The upload, read by `how` without what is undone: what was done to it, with the switches.

    Beside them the picture is `shown` as it was. Raises `ValueError` for what is no picture.
    """
    from vaecore.explore.uploads import STEPS

    undone = [step for step in STEPS if st.session_state.get(f"{key}-{step}", True) is False]
    found = how(undone)
    steps = [step for step in STEPS if step in undone or any(done.step == step for done in found.done)]
    if not shown:
        told(found, steps, key)
        return found
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=SHOWN):
            before(found)
        with st.container(width="stretch", gap="small"):
            told(found, steps, key)
    return found


def told(found: Upload, steps: Sequence[Step], key: str) -> None:
    """What was done in words, and a switch for each step."""
    from vaecore.explore.uploads import SWITCHES

    st.caption(found.sentence or "Only fitted to the size that the model reads.")
    with st.container(horizontal=True, gap="medium"):
        for step in steps:
            st.toggle(SWITCHES[step], value=True, key=f"{key}-{step}", help=HELPS[step], persist_state="session")


def before(found: Upload) -> None:
    """The picture as its file has it."""
    from vaecore.explore.pictures import fitted, on_screen

    pictures.show(on_screen(found.before, 2 * SHOWN), "The picture as its file has it",
                  width=fitted(found.before, SHOWN))
    st.caption("As the file has it")
