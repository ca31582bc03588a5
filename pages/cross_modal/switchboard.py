"""The switchboard of Cross-modal: a card a modality, with a switch, a way to give it, and what was generated."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import streamlit as st

from pages.shared import lines, pictures
from pages.shared.palette import RUNS, scheme
from pages.shared.words import escaped
from vaecore.evaluate.results import percent
from vaecore.modalities import Image, Label, Modality, Text, Vector

if TYPE_CHECKING:
    from torch import Tensor

    from vaecore.evaluate.parts.coherence import Judged
    from vaecore.explore.beliefs import Beliefs
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.generated import Generated

State = Literal["given", "generate", "absent"]
STATES: dict[State, str] = {"given": "Given", "generate": "Generate", "absent": "Absent"}
STATE_HELP = ("Given: the model is told it. Generate: the model makes it up from what is given. Absent: neither, as if "
              "it did not exist.")
WAYS: dict[type[Modality], tuple[str, ...]] = {
    Image: ("Test sample", "Draw", "Upload"), Vector: ("Test sample",), Label: ("Choose", "Type"), Text: ("Type",)}
WAY_HELP: dict[type[Modality], str] = {
    Image: "A test sample that travels with the checkpoint, a drawing of your own, or a picture file.",
    Label: "Choose a class, or type it."}
SAMPLES = (1, 4, 8, 16, 32)
MAX_SENTENCES = 8
MAX_COLUMNS = 12  # named under a vector
MAX_BUTTONS = 20  # classes; more are chosen from a list
TAKES = 3  # of generated recordings that can be played
BOX = 560  # CSS pixels of vectors
PAD = 280  # of the pad to draw on
FLAT = 0.28  # their height, as a share of the width
SHOWN = 168  # of a given picture, or a single one
FILES = ["png", "jpg", "jpeg", "webp", "bmp", "gif"]
LARGE = "font-size:4.5rem;line-height:1.15;font-weight:600;overflow-wrap:anywhere"
STRIPES = "Each stripe is one number: middle grey is 0, white +3, black −3."
COHERENCE_HELP = ("Share of test observations for which what is generated is of the class of what was given, as a "
                  "judge sees it; kept by Evaluate. At most about as good as the judge is on real ones: {ceiling}.")
TEMPERATURE_HELP = ("The spread of the codes is multiplied by it: at 0 each code is the mean, so that all samples are "
                    "alike; at 1 codes follow q(z | given); above 1 they are more daring.")


@dataclass(frozen=True)
class Board:
    """What the switches say: what is given and from which test sample, what is to be generated, and what is wrong."""

    given: dict[str, Tensor]
    samples: dict[str, int]  # where it is a test sample
    predict: list[str]
    waiting: list[str]  # modalities that are to be given, and are not yet


# -- state -----------------------------------------------------------------------------------------


def first_states(checkpoint: CrossModal) -> dict[str, State]:
    """Something to see at once: the label, or else the second modality, is given and all others are generated."""
    names = list(checkpoint.modalities)
    given = next((name for name, m in checkpoint.modalities.items() if isinstance(m, Label)), names[1])
    return {name: "given" if name == given else "generate" for name in names}


def presets(checkpoint: CrossModal) -> dict[str, dict[str, State]]:
    """What to show at a click, by what the button says."""
    names = list(checkpoint.modalities)

    def states(given: Iterable[str]) -> dict[str, State]:
        return {name: "given" if name in given else "generate" for name in names}

    if len(names) == 2:
        found = {f"{a} → {b}": states([a]) for a, b in itertools.permutations(names)}
    else:
        found = {f"{name} → others": states([name]) for name in names[:6]}
    return {**found, "nothing → all": states([])} if checkpoint.has_prior else found


def key(what: str, checkpoint: CrossModal, name: str = "") -> str:
    """Of a widget, which every checkpoint has for itself."""
    return f"{what}-{checkpoint.run.id}" + (f"-{name}" if name else "")


def put(checkpoint: CrossModal, states: Mapping[str, State]) -> None:
    """Set all switches."""
    for name, state in states.items():
        st.session_state[key("switch", checkpoint, name)] = STATES[state]


def redraw(checkpoint: CrossModal) -> None:
    """The next seed."""
    place = key("seed", checkpoint)
    st.session_state[place] = st.session_state.get(place, 0) + 1


def colours(checkpoint: CrossModal) -> dict[str, str]:
    """One for each modality, the same on cards and in curves."""
    palette = RUNS[scheme()]
    return {name: palette[place % len(palette)] for place, name in enumerate(checkpoint.modalities)}


# -- above the cards -------------------------------------------------------------------------------


def toolbar(checkpoint: CrossModal) -> tuple[int, float, int]:
    """Ready-made positions of the switches; how many samples, at which temperature, with which seed. The code of a
    linear method is a point: there is nothing to draw."""
    if not checkpoint.draws:
        with st.container(horizontal=True, gap="small"):
            ready_made(checkpoint)
        return 1, 0.0, 0
    with st.container(horizontal=True, vertical_alignment="bottom", key="toolbar"):
        count = st.segmented_control("Samples", SAMPLES, default=16, required=True, key="count-cross", wrap=False,
                                     persist_state="session", width="content",
                                     help="How many are generated of each modality, each from a code of its own.")
        temperature = st.slider("Temperature", 0.0, 1.5, 1.0, 0.05, key="temperature-cross", width=240, format="%.2f",
                                persist_state="session", help=TEMPERATURE_HELP)
        st.button("Redraw", icon=":material/casino:", key="redraw", type="primary", on_click=redraw,
                  args=(checkpoint,), help="New random numbers. The same switches and the same draw give the same.")
        st.space("stretch")
        with st.container(horizontal=True, width="content", gap="small", key="presets"):
            ready_made(checkpoint)
    return int(count or 16), float(temperature), int(st.session_state.get(key("seed", checkpoint), 0))


def ready_made(checkpoint: CrossModal) -> None:
    """Buttons that set all switches."""
    for label, states in presets(checkpoint).items():
        st.button(label, key=key("preset", checkpoint, label), on_click=put, args=(checkpoint, states),
                  help="Set all switches to this at once.")


# -- the cards -------------------------------------------------------------------------------------


def board(checkpoint: CrossModal, count: int, temperature: float, seed: int, kept: Judged | None) -> Board:
    """All cards, and what they say. What is given is read first, wherever its card is."""
    names = list(checkpoint.modalities)
    wide = across(checkpoint) == 2
    with st.grid(across(checkpoint), min_column_width=360 if wide else 330, gap="small"):
        cards = {name: st.container(border=True, height="stretch", gap="small") for name in names}
    tints = colours(checkpoint)
    states = {name: switch(checkpoint, name, cards[name], tints[name]) for name in names}
    found = Board({}, {}, [name for name in names if states[name] == "generate"], [])
    for name in names:
        with cards[name]:
            if states[name] == "given":
                give(checkpoint, name, found)
            elif states[name] == "absent":
                st.caption("Neither told to the model nor asked of it.")
    made = generated(checkpoint, found, count, temperature, seed)
    for name in found.predict:
        with cards[name]:
            show(checkpoint, name, made, found, kept)
    return found


def across(checkpoint: CrossModal) -> int:
    """Cards in a row."""
    return 2 if len(checkpoint.modalities) in (2, 4) else 3


def switch(checkpoint: CrossModal, name: str, card: st.delta_generator.DeltaGenerator, tint: str) -> State:
    """The head of a card: the modality and its switch."""
    place = key("switch", checkpoint, name)
    if place not in st.session_state:
        st.session_state[place] = STATES[first_states(checkpoint)[name]]
    beside = across(checkpoint) == 2  # else all of them beneath, as some names are too long
    with card, st.container(horizontal=beside, vertical_alignment="center" if beside else "top", gap="small",
                            horizontal_alignment="distribute" if beside else "left"):
        st.html(f'<div title="{html.escape(STATE_HELP)}" style="display:flex;align-items:center;gap:.55rem">'
                f'<span style="width:.95rem;height:.95rem;border-radius:50%;background:{tint}"></span>'
                '<strong style="font-size:1.35rem;overflow-wrap:anywhere">'
                f"{html.escape(name)}</strong></div>", width="content")
        chosen = st.segmented_control(f"What about {name}", list(STATES.values()), key=place, required=True,
                                      label_visibility="collapsed", width="content", wrap=False,
                                      persist_state="session")
    return next((state for state, label in STATES.items() if label == chosen), "absent")


def give(checkpoint: CrossModal, name: str, found: Board) -> None:
    """How a modality is given; it is put into `found`, or else what is wrong is said."""
    modality = checkpoint.modalities[name]
    ways = ("Recording",) if modality.audible else modality.pick(WAYS)
    way = ways[0]
    if len(ways) > 1:
        way = st.segmented_control("How", ways, default=ways[0], required=True, key=key("way", checkpoint, name),
                                   label_visibility="collapsed", persist_state="session",
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
    if not 0 <= st.session_state.setdefault(place, 0) <= last:  # new weights may have come with fewer
        st.session_state[place] = 0
    vector = isinstance(checkpoint.modalities[name], Vector)
    with st.container() if vector else st.container(horizontal=True, gap="medium"):
        place_of_picture = st.container(width="stretch" if vector else SHOWN)
        with st.container(width="content", gap="small", horizontal=vector, vertical_alignment="bottom"):
            index = st.session_state[place]
            if last:
                index = st.number_input("Recording" if name in checkpoint.audible else "Test sample", 0, last,
                                        key=place, width=150, persist_state="session",
                                        help=f"One of the {last + 1} that travel with this checkpoint. The same number "
                                        "in another modality is the same observation.")
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
            pixels = drawing_pad(key("pad", checkpoint, name), size=(height, width), height=PAD, label=f"Draw {name}")
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
    from vaecore.explore.drawing import MAX_PICTURE_BYTES, from_upload

    shape = checkpoint.modalities[name].shape
    file = st.file_uploader(f"A picture of {name}", type=FILES, key=key("file", checkpoint, name),
                            max_upload_size=MAX_PICTURE_BYTES // 10**6,
                            help=f"It is scaled to {shape[2]} × {shape[1]} pixels, the size that this model "
                                 "reads. It stays on this machine.")
    if file is None:
        return None
    channels, height, width = shape
    place = key("as-is", checkpoint, name)
    as_is = bool(st.session_state.get(place, False))
    read = from_upload(file.getvalue(), (channels, height, width), checkpoint.ink(name), as_is=as_is)
    if read.done or as_is:
        done = "; ".join(read.done)
        st.caption(f"{done[:1].upper()}{done[1:]}." if done else "As it is, only fitted to the model's size.")
        st.toggle("As it is", key=place, persist_state="session", help="Undo what was done: the picture is only fitted "
                  "to the size that this model reads. It is inverted and cropped because the data's images are drawn "
                  "on plain paper; the model has seen no others.")
    value = checkpoint.picture(name, read.pixels)
    given_picture(checkpoint, name, value)
    return value


def chosen(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:  # noqa: ARG001 (as the other ways)
    """A class by its button."""
    names = checkpoint.class_names(name)
    place = key("class", checkpoint, name)
    first = min(3, len(names) - 1)
    if len(names) > MAX_BUTTONS:
        number = st.selectbox("Class", range(len(names)), first, key=place, format_func=lambda n: names[n], width=220,
                              label_visibility="collapsed", help="The class that the model is told.",
                              persist_state="session")
    else:
        number = st.pills("Class", range(len(names)), default=first, key=place, format_func=lambda n: escaped(names[n]),
                          required=True, label_visibility="collapsed", help="The class that the model is told.",
                          persist_state="session")
    if number is None:
        return None
    large(names[int(number)])
    return checkpoint.label(name, int(number))


def typed(checkpoint: CrossModal, name: str, found: Board) -> Tensor | None:
    """A class or a sentence, typed."""
    from vaecore.explore.sentences import MAX_TYPED

    text = isinstance(checkpoint.modalities[name], Text)
    place = key("typed", checkpoint, name)
    if place not in st.session_state:
        st.session_state[place] = checkpoint.sentence(name, 0) if text else checkpoint.class_names(name)[-1]
        st.session_state[f"{place}-at"] = 0
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"typing-{name}"):
        said = st.text_input("Sentence" if text else "Class", key=place, max_chars=MAX_TYPED, width="stretch",
                             placeholder="Type, then press Enter", persist_state="session",
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


GIVING = {"Test sample": from_samples, "Recording": from_samples, "Draw": drawn, "Upload": uploaded, "Choose": chosen,
          "Type": typed}


def given_picture(checkpoint: CrossModal, name: str, value: Tensor) -> None:
    """What is given, to see."""
    from vaecore.explore.pictures import png

    found = checkpoint.shown(name, value)
    if isinstance(found.modality, Vector):
        striped(found, f"{name}, as it is given")
    else:
        pictures.show(png(found.images[0]), f"{name}, as it is given", width=SHOWN)


def large(word: str) -> None:
    """A class, to be read from the back row."""
    st.html(f'<div style="{LARGE}">{html.escape(word[:40])}</div>')


# -- what was generated ----------------------------------------------------------------------------


def generated(checkpoint: CrossModal, board: Board, count: int, temperature: float, seed: int
              ) -> dict[str, Generated]:
    """What is to be generated from what is given; nothing while something is waited for."""
    if not board.predict or board.waiting or not (board.given or checkpoint.has_prior):
        return {}
    from vaecore.explore.given import digest

    return _generated(str(checkpoint.run.path), stamp(checkpoint), digest(board.given), tuple(board.predict), count,
                      temperature, seed, checkpoint, board.given)


def believed(checkpoint: CrossModal, given: dict[str, Tensor]) -> Beliefs | None:
    """What each given modality knows of the latent."""
    from vaecore.explore.given import digest

    return _believed(str(checkpoint.run.path), stamp(checkpoint), digest(given), checkpoint, given)


def stamp(checkpoint: CrossModal) -> int:
    """When its weights were written: new ones are another checkpoint."""
    try:
        return checkpoint.run.weights.stat().st_mtime_ns
    except OSError:  # removed just now
        return 0


@st.cache_resource(max_entries=256, show_spinner=False)
def _generated(path: str, stamp: int, given: str, predict: tuple[str, ...], count: int, temperature: float,  # noqa: ARG001 (the cache's key)
               seed: int, _checkpoint: CrossModal, _given: dict[str, Tensor]) -> dict[str, Generated]:
    return _checkpoint.generate(_given, predict, count, temperature, seed)


@st.cache_resource(max_entries=256, show_spinner=False)
def _believed(path: str, stamp: int, given: str, _checkpoint: CrossModal, _given: dict[str, Tensor]  # noqa: ARG001 (the cache's key)
              ) -> Beliefs | None:
    return _checkpoint.experts(_given)


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


def images(checkpoint: CrossModal, name: str, found: Generated) -> None:
    """Pictures, and the first of them to hear where they are sound."""
    from vaecore.explore.pictures import png
    from vaecore.explore.sound import wav

    if len(found) == 1:
        pictures.show(png(found.images[0]), f"Generated {name}", width=SHOWN)
    else:
        columns = 8 if across(checkpoint) == 2 or len(found) > 16 else 4
        cells = "".join(pictures.image(png(one), f"Generated {name} {place}", "none")
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


def striped(found: Generated, alt: str) -> None:
    """Vectors as rows of one picture, always as wide and as high, however many there are and however long."""
    from vaecore.explore.pictures import png

    rows = found.images[:, 0]
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
        f'<span style="flex:1;background:rgba(128,134,170,.16);border-radius:4px"><span style="display:block;'
        f'height:1.05rem;border-radius:4px;background:var(--st-primary-color,#6A6FE0);'
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
