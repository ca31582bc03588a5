"""The ways to give a modality: a test sample, a drawing, a file, a class, a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal.showing import SHOWN, large, striped
from pages.cross_modal.state import Board, key
from pages.shared import address, lines, pictures, uploads
from pages.shared.words import escaped
from vaecore.modalities import Image, Label, Modality, Text, Vector

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.explore.crossmodal import CrossModal

WAYS: dict[type[Modality], tuple[str, ...]] = {
    Image: ("Test sample", "Draw", "Upload"), Vector: ("Test sample",), Label: ("Choose", "Type"), Text: ("Type",)}
WAY_HELP: dict[type[Modality], str] = {
    Image: "A test sample that travels with the run, a drawing of your own, or a picture file.",
    Label: "Choose a class, or type it."}
MAX_BUTTONS = 20  # classes; more are chosen from a list
PAD = 280  # of the pad to draw on


def give(checkpoint: CrossModal, name: str, found: Board) -> None:
    """How a modality is given; it is put into `found`, or else what is wrong is said."""
    modality = checkpoint.modalities[name]
    ways = ("Recording",) if modality.audible else modality.pick(WAYS)
    way = ways[0]
    if len(ways) > 1:
        way = address.kept(f"way.{name}", st.segmented_control, "How", ways, default=ways[0], required=True,
                           of_run=True, key=key("way", checkpoint, name), label_visibility="collapsed",
                           help=modality.pick(WAY_HELP)) or way
    try:
        value = GIVING[way](checkpoint, name, found)
        if value is not None:
            checkpoint.check({name: value})
    except ValueError as error:
        st.warning(escaped(str(error)), icon=":material/edit:")
        value = None
    if value is None:
        found.waiting.append(name)
    else:
        found.given[name] = value


def from_samples(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:
    """One of the test samples that travel with the checkpoint."""
    last = checkpoint.count - 1
    place = key("sample", checkpoint, name)
    vector = isinstance(checkpoint.modalities[name], Vector)
    with st.container() if vector else st.container(horizontal=True, gap="medium"):
        place_of_picture = st.container(width="stretch" if vector else SHOWN)
        with st.container(width="content", gap="small", horizontal=vector, vertical_alignment="bottom"):
            index = 0
            if last:
                index = address.kept(f"sample.{name}", st.number_input,
                                     "Recording" if name in checkpoint.audible else "Test sample", 0, last, key=place,
                                     of_run=True, width=150, help=f"One of the {last + 1} that travel with this "
                                     "run. The same number in another modality is the same observation.")
                st.button("Another", icon=":material/casino:", key=key("another", checkpoint, name), on_click=another,
                          args=(place, last), help="Some other one.")
    value = checkpoint.sample(name, int(index))
    found.samples[name] = int(index)
    with place_of_picture:
        given_picture(checkpoint, name, value)
    if name in checkpoint.audible:
        from vaecore.explore.sound import wav

        st.audio(wav(checkpoint.shown(name, value).images[0]), "audio/wav", alt=f"The given recording of {name}")
        st.caption("Loudness by pitch, from low to high, over time: what the model sees. The sound is made from it, so "
                   "it is rough.")
    return value


def another(place: str, last: int) -> None:
    # A step that has no divisor in common with most counts: it visits many before it comes back.
    st.session_state[place] = (int(st.session_state.get(place, 0)) + 23) % (last + 1)


def drawn(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:  # noqa: ARG001 (as the other ways)
    """A drawing of one's own."""
    from pages.components.pad import drawing_pad

    _, height, width = checkpoint.modalities[name].shape
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=PAD):
            pixels = drawing_pad(key("pad", checkpoint, name), size=(height, width), height=PAD, label=f"Draw {name}",
                                 like=checkpoint.ink(name))
        with st.container(width=SHOWN):
            if pixels is None or not pixels.any():
                st.caption("Draw with mouse, pen or finger; the picture is read when you lift it.")
                return None
            value = checkpoint.picture(name, pixels)
            st.caption("As the model reads it:")
            given_picture(checkpoint, name, value)
    return value


def uploaded(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:  # noqa: ARG001 (as the other ways)
    """A picture file."""
    from vaecore.explore.uploads import from_upload

    channels, height, width = checkpoint.modalities[name].shape
    file = uploads.ask(f"A picture of {name}", key("file", checkpoint, name), f"It is scaled to {width} × {height} "
                       "pixels, the size that this model reads. It stays on this machine.")
    if file is None:
        return None
    read = uploads.read(lambda undone: from_upload(file, (channels, height, width), checkpoint.ink(name),
                                                   undone=undone), key("undo", checkpoint, name))
    value = checkpoint.picture(name, read.pixels)
    given_picture(checkpoint, name, value)
    return value


def chosen(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:  # noqa: ARG001 (as the other ways)
    """A class by its button."""
    names = checkpoint.class_names(name)
    place = key("class", checkpoint, name)
    first = min(3, len(names) - 1)
    if len(names) > MAX_BUTTONS:
        number = address.kept(f"class.{name}", st.selectbox, "Class", range(len(names)), first, key=place, width=220,
                              of_run=True, format_func=lambda n: names[n], label_visibility="collapsed",
                              help="The class that the model is told.")
    else:
        number = address.kept(f"class.{name}", st.pills, "Class", range(len(names)), default=first, key=place,
                              of_run=True, format_func=lambda n: escaped(names[n]), required=True,
                              label_visibility="collapsed", help="The class that the model is told.")
    if number is None:
        return None
    large(names[int(number)])
    return checkpoint.label(name, int(number))


def typed(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:
    """A class or a sentence, typed."""
    from vaecore.explore.sentences import MAX_TYPED

    text = isinstance(checkpoint.modalities[name], Text)
    place = key("typed", checkpoint, name)
    begins = checkpoint.sentence(name, 0) if text else checkpoint.class_names(name)[-1]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"typing-{name}"):
        said = address.kept(f"typed.{name}", st.text_input, "Sentence" if text else "Class", begins, key=place,
                            of_run=True, max_chars=MAX_TYPED, width="stretch", placeholder="Type, then press Enter",
                            help="Type and press Enter. A word that the model did not meet in training is read as the "
                             "unknown word." if text else "Its number or its name.")
        if text and checkpoint.count > 1:
            st.button("Another", icon=":material/casino:", key=key("another", checkpoint, name), on_click=next_sentence,
                      args=(checkpoint, name, place), help=f"The next of {checkpoint.count} test sentences.")
    read = checkpoint.typed(name, said or "")
    if read.reading is None:
        large(said.strip())
        return read.value
    lines.chips([(word, "" if known else "unknown") for word, known in
                 zip(read.reading.words, read.reading.known, strict=True)]
                + [(word, "left out") for word in read.reading.left_out])
    if unknown := len(read.reading.unknown):
        st.caption(f"Marked: {unknown} word{'s' * (unknown > 1)} that this model does not know, read as the unknown "
                   "word.")
    at = st.session_state.get(f"{place}-at", 0)
    if said == checkpoint.sentence(name, at):
        found.samples[name] = at
    return read.value


def next_sentence(checkpoint: CrossModal, name: str, place: str) -> None:
    at = (st.session_state.get(f"{place}-at", 0) + 1) % checkpoint.count
    st.session_state[f"{place}-at"], st.session_state[place] = at, checkpoint.sentence(name, at)


def given_picture(checkpoint: CrossModal, name: str, value: Tensor) -> None:
    """What is given, to see."""
    from vaecore.explore.pictures import fitted, png

    found = checkpoint.shown(name, value)
    if isinstance(found.modality, Vector):
        striped(found, f"{name}, as it is given")
    else:
        pictures.show(png(found.images[0]), f"{name}, as it is given", width=fitted(found.images[0], SHOWN))


GIVING = {"Test sample": from_samples, "Recording": from_samples, "Draw": drawn, "Upload": uploaded, "Choose": chosen,
          "Type": typed}
