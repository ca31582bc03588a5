"""What was generated of a modality: pictures, sound, stripes, classes, sentences, beside what the sample has."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from pages.cross_modal.state import Board, across, key
from pages.shared import lines, pictures
from pages.shared.bars import bar, plain
from pages.shared.palette import BLUE, FAINT, ORANGE, PRIMARY
from pages.shared.words import escaped
from vaecore.evaluate.results import percent
from vaecore.modalities import Image, Label, Modality, Text, Vector

if TYPE_CHECKING:
    from vaecore.evaluate.parts.coherence import Judged
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.generated import Generated

MAX_SENTENCES = 8
MAX_COLUMNS = 12  # named under a vector
TAKES = 3  # of generated recordings that can be played
REACH = 3.0  # standard deviations that fill half a bar
BOX = 560  # CSS pixels of vectors
FLAT = 0.28  # their height, as a share of the width
SHOWN = 168  # of a given picture, or a single one
CELL = 140  # pixels across one of many that stand beside each other
LARGE = "font-size:4.5rem;line-height:1.15;font-weight:600;overflow-wrap:anywhere"
STRIPES = "Each stripe is one number: middle grey is 0, white +3, black −3."
COHERENCE_HELP = ("Share of test observations for which what is generated is of the class of what was given, as a "
                  "judge sees it; kept by Evaluate. At most about as good as the judge is on real ones: {ceiling}.")


def show(checkpoint: CrossModal, name: str, made: Mapping[str, Generated], board: Board, kept: Judged | None) -> None:
    """The samples of one modality, or why there are none."""
    if name not in made:
        if board.waiting:
            st.info(f"Waits for {escaped(' and '.join(board.waiting))}. Give it, or set its switch to Absent.",
                    icon=":material/hourglass_empty:")
        else:
            st.info("This model has no prior to draw from. Give at least one modality.", icon=":material/info:")
        return
    found = made[name]
    found.modality.pick(SHOWN_AS)(checkpoint, name, found)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        coherence_badge(kept, board, name)
        truth(checkpoint, name, board)
        if found.modality.pictured:
            save(checkpoint, name, found)
        if isinstance(found.modality, Vector):
            save_numbers(checkpoint, name, found)


def images(checkpoint: CrossModal, name: str, found: Generated) -> None:
    """Pictures, and the first of them to hear where they are sound."""
    from vaecore.explore.pictures import fitted, on_screen, png
    from vaecore.explore.sound import wav

    if len(found) == 1:
        pictures.show(png(found.images[0]), f"Generated {name}", width=fitted(found.images[0], SHOWN))
    else:
        columns = 8 if across(checkpoint) == 2 or len(found) > 16 else 4
        cells = "".join(pictures.image(on_screen(one, CELL), f"Generated {name} {place}", "none")
                        for place, one in enumerate(found.images, 1))
        st.html(f'<div class="cross-cells" style="--across:{columns}">{cells}</div>')
    if name in checkpoint.audible:
        st.caption(f"To hear: the first {min(TAKES, len(found))} of them, from the left. Made from the pictures, so "
                   "they sound rough." if len(found) > 1 else "Made from the picture, so it sounds rough.")
        with st.container(horizontal=True, gap="small"):
            for place in range(min(TAKES, len(found))):
                st.audio(wav(found.images[place]), "audio/wav", width=180, alt=f"Generated {name} {place + 1}")


def stripes(checkpoint: CrossModal, name: str, found: Generated) -> None:
    """Vectors, a row of grey each."""
    striped(found, f"{len(found)} generated of {name}")
    if columns := checkpoint.modalities[name].columns:
        shown = ", ".join(map(escaped, columns[:MAX_COLUMNS]))
        st.caption(f"From the left: {shown}{', …' if len(columns) > MAX_COLUMNS else ''}")
    in_units(found)


def in_units(found: Generated) -> None:
    """What was generated of standardised columns, on average, in the file's units: the farthest from their means."""
    import numpy as np

    vector = found.modality
    if not isinstance(vector, Vector) or not vector.scale:
        return
    apart, means = found.values.mean(0), found.numbers.mean(0)
    chosen = sorted(np.argsort(-np.abs(apart), kind="stable")[:MAX_COLUMNS].tolist())
    st.html(f'<div style="max-width:{BOX}px">' + "".join(
        bar(vector.column_names[d], float(apart[d]) / REACH, plain(means[d]), BLUE if apart[d] >= 0 else ORANGE,
            label_width="9rem", said_width="5rem") for d in chosen) + "</div>")
    st.caption("Means in the file's units; bars from the mean of each column, three standard deviations at the end."
               + (f" The {len(chosen)} farthest of {vector.size:,}." if len(chosen) < vector.size else ""))


def striped(found: Generated, alt: str) -> None:
    """Vectors as rows of one picture, always as wide and as high, however many there are and however long."""
    from vaecore.explore.pictures import few_stripes, png

    rows = few_stripes(found.images)[:, 0]
    wide = -(-BOX // rows.shape[1])
    tall = max(1, round(FLAT * rows.shape[1] * wide / len(rows)))
    pictures.show(png(rows.repeat(tall, 0).repeat(wide, 1)), alt, width=BOX)
    st.caption(f"A row each. {STRIPES}" if len(found) > 1 else STRIPES)


def probabilities(checkpoint: CrossModal, name: str, found: Generated) -> None:
    """Classes as bars: their probability, averaged over the samples."""
    chances = found.values.mean(0)
    names = checkpoint.class_names(name)
    shown = sorted(range(len(names)), key=lambda n: -chances[n])[:12]
    best = shown[0]
    rows = "".join(
        f'<div style="display:flex;align-items:center;gap:.7rem;height:1.6rem">'
        f'<span style="min-width:2rem;text-align:right;font-weight:{700 if n == best else 400}">'
        f"{html.escape(names[n])}</span>"
        f'<span style="flex:1;background:{FAINT};border-radius:4px"><span style="display:block;'
        f'height:1.05rem;border-radius:4px;background:{PRIMARY};'
        f'width:{max(0.4, 100 * float(chances[n])):.1f}%"></span></span><span style="width:3.4rem;text-align:right;'
        f'font-variant-numeric:tabular-nums">{100 * float(chances[n]):.0f} %</span></div>' for n in sorted(shown))
    alt = html.escape(f"Probabilities of {name}")
    st.html('<div style="display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 2rem">'
            f'<strong style="{LARGE}">{html.escape(names[best][:40])}</strong>'
            f'<div role="img" aria-label="{alt}" style="flex:1 1 14rem;max-width:{BOX}px">{rows}</div></div>')
    st.caption(f"p({escaped(name)} | z), averaged over {len(found)} code{'s' * (len(found) > 1)}.")


def sentences(checkpoint: CrossModal, name: str, found: Generated) -> None:  # noqa: ARG001 (as the other kinds)
    """Sentences, one under the other; the same one only once."""
    counted: dict[str, int] = {}
    for sentence in found.sentences:
        counted[sentence] = counted.get(sentence, 0) + 1
    often = sorted(counted, key=lambda sentence: -counted[sentence])[:MAX_SENTENCES]
    lines.show([lines.plain(one, f"{counted[one]} ×" if len(found) > 1 else "") for one in often], label=2.6)
    if len(counted) > len(often):
        st.caption(f"The {len(often)} most frequent of {len(counted)} different ones. Of each code the likeliest "
                   "words.")
    else:
        st.caption("Of each code the likeliest words.")


SHOWN_AS: dict[type[Modality], Callable[[CrossModal, str, Generated], None]] = {
    Image: images, Vector: stripes, Label: probabilities, Text: sentences}


def truth(checkpoint: CrossModal, name: str, board: Board) -> None:
    """What the test sample itself has, where everything that is given comes from one."""
    if not board.given or set(board.samples) != set(board.given) or len(set(board.samples.values())) != 1:
        return
    index = next(iter(board.samples.values()))
    if not checkpoint.has(name, index):
        return
    value = checkpoint.shown(name, checkpoint.sample(name, index))
    if isinstance(value.modality, Image):
        from vaecore.explore.pictures import png

        own = pictures.image(png(value.images[0]), f"{name} of the sample", "64px")
        st.html('<div style="display:flex;align-items:center;gap:.6rem"><span style="opacity:.75;font-size:.9rem;'
                f'white-space:nowrap">the sample\'s own</span>{own}</div>', width="content")
    elif isinstance(value.modality, Label):
        st.caption(f"The sample's own: {escaped(checkpoint.class_names(name)[int(value.classes[0])])}", width="content")
    elif isinstance(value.modality, Text):
        st.caption(f"The sample's own: {escaped(value.sentences[0])}")


def coherence_badge(kept: Judged | None, board: Board, name: str) -> None:
    """How coherent this is on the whole test set, where that was measured."""
    if kept is not None and (share := kept.known(board.given, name)) is not None:
        st.badge(f"coherence {percent(share)}", icon=":material/verified:", color="blue",
                 help=COHERENCE_HELP.format(ceiling=percent(kept.ceiling.get(name))))


def save(checkpoint: CrossModal, name: str, found: Generated) -> None:
    """A button that saves the picture, large."""
    from vaecore.explore.pictures import grid, legible, png, scale_for

    def picture() -> bytes:
        columns = math.ceil(math.sqrt(len(found))) if isinstance(found.modality, Image) else 1
        sheet = grid(legible(found.images), columns)
        return png(sheet, scale_for(sheet, 1200))

    pictures.download(picture, f"{checkpoint.run.id}-{name}", key=key("save", checkpoint, name))


def save_numbers(checkpoint: CrossModal, name: str, found: Generated) -> None:
    """A button that saves vectors as CSV, in the file's units."""
    from vaecore.explore.exported import as_csv

    vector = found.modality
    assert isinstance(vector, Vector)
    pictures.download_numbers(lambda: as_csv(vector.column_names, found.numbers), f"{checkpoint.run.id}-{name}",
                              key=key("save-numbers", checkpoint, name))


def large(word: str) -> None:
    """A class, to be read from the back row."""
    st.html(f'<div style="{LARGE}">{html.escape(word[:40])}</div>')
