"""Traverse's tab *Directions*: further sliders for the hand, between groups of codes or along what changes most here.

What was made is kept in the session, by run: `sliders` gives it to the hand.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from pages.components import cloud
from pages.components.hand import Direction
from pages.shared import checkpoints, hand, pictures
from pages.shared.words import escaped
from vaecore.memory import held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vaecore.explore import Checkpoint
    from vaecore.explore.codes import Codes
    from vaecore.explore.directions import Attribute, Local
    from vaecore.explore.groups import Labelled
    from vaecore.mapping import Part

MOST_DIRECTIONS = 16  # directions of one run
LOCAL = 6  # local ones at a code
STEPS = 7  # pictures of one
REST = "all others"
BETWEEN = ("From the mean code of one class to that of another. One unit of the slider is the whole way, so that a "
           "code like those of the first class becomes one like those of the second.")
HERE = ("Singular vectors of the decoder's Jacobian at the code under the hand, the strongest first. One unit of a "
        "slider changes what is decoded by 0.05 in root mean square, to first order, or moves the code by one standard "
        "deviation where that is less. They go on from each other while the code moves: none turns round.")
STALE = "They belong to the code where they were made: make them anew when you have gone far."


@dataclass(frozen=True)
class Made:
    """A direction that was made: a unit of its slider moves a code by `move` (r,)."""

    name: str
    move: Codes
    words: str
    local: bool


def sliders(checkpoint: Checkpoint) -> list[Direction]:
    """The directions made in this session, and those that a link speaks of, as further sliders of the hand."""
    _made_anew(checkpoint)
    unit = checkpoint.scale()[1]
    return [Direction(made.name, checkpoint.latent, made.move / unit, made.words)
            for made in _made(checkpoint).values()]


def _made_anew(checkpoint: Checkpoint) -> None:
    """Make those between classes that have a place in the address, `d.<name>`, once for each link."""
    wanted = tuple(name.removeprefix("d.") for name in st.query_params if name.startswith("d."))[:MOST_DIRECTIONS]
    key = f"asked-{checkpoint.run.id}"
    if not wanted or st.session_state.get(key) == wanted:
        return
    st.session_state[key] = wanted
    known = _labelled(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), checkpoint)
    if known is None:
        return
    from vaecore.explore.directions import attribute

    there = [label for label in range(len(known.names)) if (known.labels == label).any()]
    for a in there:
        if not any(each.endswith(f"to {known.names[a]}") for each in wanted):
            continue  # there may be thousands of classes
        for b in (None, *there):
            name = _called(known, a, b)
            if name in wanted and name not in _made(checkpoint) and a != b:
                with suppress(ValueError):  # between two equal means, or to a class that is the only one
                    found = attribute(known.of(a), known.others(a) if b is None else known.of(b), name)
                    _add(checkpoint, [Made(name, found.vector, found.words, False)])


def _called(known: Labelled, a: int, b: int | None) -> str:
    """The name of the direction from class `b`, or from all others, to class `a`."""
    return f"to {known.names[a]}" if b is None else f"{known.names[b]} to {known.names[a]}"


def panel(checkpoint: Checkpoint) -> None:
    """Make directions, see what each changes at the code under the hand, and take them away."""
    here = checkpoint.place(hand.positions(checkpoint, "directions")[checkpoint.latent])
    between, local = st.columns(2, gap="large")
    with between:
        _between(checkpoint)
        _between_made(checkpoint, here)
    with local:
        _local(checkpoint, here)


def _between_made(checkpoint: Checkpoint, here: Codes) -> None:
    """Those between groups that are sliders now."""
    made = _made(checkpoint)
    groups = [each for each in made.values() if not each.local]
    if not groups:
        return
    st.markdown("**Sliders that were made**", help="Each is a slider of the hand above. The pictures start from its "
                "code, in the middle, and go one and a half units to either side.")
    _strips(checkpoint, here, [(each.name, "", each.move, 1.5) for each in groups])
    for each in groups:
        st.caption(f"**{escaped(each.name)}** {escaped(each.words)}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        gone = groups[0].name if len(groups) == 1 else st.selectbox(
            "Slider", [each.name for each in groups], key=f"gone-{checkpoint.run.id}", width=200,
            help="Which of them to take away.")
        if st.button("Take it away", icon=":material/delete:", key="take-away", help="The code stays where it is."):
            del made[gone]
            st.rerun()


def _between(checkpoint: Checkpoint) -> None:
    st.markdown("**From class to class**", help=BETWEEN)
    st.caption("A slider that makes a code like those of one class into one like those of another.")
    known = _labelled(str(checkpoint.run.path), checkpoints.stamps(checkpoint.run), checkpoint)
    if known is None:
        st.caption("The classes of these data are not known, so there are none to go between. Lassos of the page "
                   "Latent map make a direction as well.")
    else:
        there = [label for label in range(len(known.names)) if (known.labels == label).any()]
        names: list[str] = [known.names[label] for label in there]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            b = st.selectbox("From", [REST, *names], key=f"b-{checkpoint.run.id}", width=170,
                             help="The class that the slider leaves: B.")
            a = st.selectbox("To", names, key=f"a-{checkpoint.run.id}", width=170,
                             help="The class that the slider goes to: A.")
            if st.button("Make a slider of it", icon=":material/add:", key="make-between", disabled=a == b,
                         help=BETWEEN):
                label, other = there[names.index(a)], None if b == REST else there[names.index(b)]
                _attribute(checkpoint, known.of(label), known.others(label) if other is None else known.of(other),
                           _called(known, label, other))
        st.caption(f"Mean codes of {escaped(known.source)}.")
    held = cloud.sets(checkpoint.run.id)
    if held is not None and len(held.a) and len(held.b):
        st.markdown("**From lasso B to lasso A**", help="As they were drawn on the page Latent map.")
        if st.button(f"{len(held.b):,} → {len(held.a):,} {held.split} observations", icon=":material/lasso_select:",
                     key="make-lasso", help="The mean code of lasso A less that of lasso B, as one more slider."):
            _lassos(checkpoint, held)


def _lassos(checkpoint: Checkpoint, held: cloud.Sets) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.explore.groups import codes_of
    from vaecore.schema import ConfigError
    from vaecore.store import StoreError

    try:
        a, b = (codes_of(checkpoint, cast("Part", held.split), rows) for rows in (held.a, held.b))
    except (DataUnavailable, ConfigError, StoreError, ValueError) as error:
        st.error(escaped(str(error)))
        return
    _attribute(checkpoint, a, b, "lasso B to A")


def _attribute(checkpoint: Checkpoint, a: Codes, b: Codes, name: str) -> None:
    """One more slider, and the page anew so that the hand has it; says on the page what is wrong."""
    from vaecore.explore.directions import attribute

    try:
        found: Attribute = attribute(a, b, name)
    except ValueError as error:
        st.error(escaped(str(error)))
        return
    _add(checkpoint, [Made(name, found.vector, found.words, False)])
    st.rerun()


def _local(checkpoint: Checkpoint, here: Codes) -> None:
    st.markdown("**Local directions**", help=HERE)
    st.caption("Small steps from the code under the hand that change what is decoded most.")
    kept: dict[str, Any] = st.session_state.setdefault(f"local-{checkpoint.run.id}", {})
    like: Local | None = kept.get("found") if kept.get("stamps") == checkpoints.stamps(checkpoint.run) else None
    try:
        found = checkpoint.directions(here, LOCAL, like)
    except RuntimeError:  # of torch
        st.caption("This decoder cannot be differentiated, so it has no Jacobian.")
        return
    kept.update(found=found, stamps=checkpoints.stamps(checkpoint.run))
    facts = found.facts()
    _strips(checkpoint, here, [(fact["name"], f"{fact['value']:.3g}", move, 3.0)
                               for fact, move in zip(facts, found.moves, strict=True)])
    st.caption("The number is the singular value: how far the picture moves with a code that moves by 1, in pixel "
               "values." if checkpoint.vector is None else "The number is the singular value: how far the numbers move "
               "with a code that moves by 1.")
    made = _made(checkpoint)
    old = [name for name, each in made.items() if each.local]
    with st.container(horizontal=True):
        wanted = st.button("Make sliders of them" if not old else "Make them anew", icon=":material/add:",
                           key="make-local", help=f"{HERE} {STALE}")
        if old and st.button("Take them away", icon=":material/delete:", key="take-local",
                             help="The code stays where it is."):
            for name in old:
                del made[name]
            st.rerun()
    if wanted:
        _add(checkpoint, [Made(fact["name"], move, f"The picture moves by {fact['value']:.3g} with a code that moves "
                               f"by 1 along it; one unit moves the code by {fact['step']:.2g}. {STALE}", True)
                          for fact, move in zip(facts, found.moves, strict=True)])
        st.rerun()


def _strips(checkpoint: Checkpoint, here: Codes, rows: Sequence[tuple[str, str, Codes, float]]) -> None:
    """What each direction changes: name, note, move of a unit, units to either side."""
    import numpy as np

    from vaecore.explore.pictures import grid, legible, on_screen

    units = np.linspace(-1, 1, STEPS, dtype=np.float32)[:, None]
    images = legible(checkpoint.decode(np.concatenate([here + reach * units * move for _, _, move, reach in rows])))
    pictures.rows([pictures.Labelled(name, on_screen(grid(images[STEPS * n:STEPS * (n + 1)], STEPS)), note)
                   for n, (name, note, _, _) in enumerate(rows)], "Along the direction", width=560, label=7)


def _add(checkpoint: Checkpoint, found: Sequence[Made]) -> None:
    made = _made(checkpoint)
    for each in found:
        made.pop(each.name, None)
        made[each.name] = each
    for name in list(made)[:max(0, len(made) - MOST_DIRECTIONS)]:
        del made[name]


def _made(checkpoint: Checkpoint) -> dict[str, Made]:
    """By name; none of other weights than the run has now."""
    key, stamps = f"directions-{checkpoint.run.id}", checkpoints.stamps(checkpoint.run)
    kept = st.session_state.get(key)
    if kept is None or kept[0] != stamps:
        kept = st.session_state[key] = (stamps, {})
    found: dict[str, Made] = kept[1]
    return found


@held(meanwhile=partial(st.spinner, "Encoding observations of each class …"))
def _labelled(path: str, stamps: tuple[int, ...], _checkpoint: Checkpoint) -> Labelled | None:  # noqa: ARG001 (the key)
    from vaecore.explore.groups import labelled

    return labelled(_checkpoint)
