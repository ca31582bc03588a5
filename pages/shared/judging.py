"""The judge of a run's data on a page: what components are told of it, and the offer to make it where there is none.

Nothing is trained because a page is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import changing, task
from pages.shared.words import escaped
from vaecore.lab import background

if TYPE_CHECKING:
    from vaecore.explore import Checkpoint
    from vaecore.explore.crossmodal import CrossModal
    from vaecore.explore.judged import KeptJudge
    from vaecore.store import Run

EVERY = 1.0  # seconds between looks at how far it is
OFFER = "The judge of these data has not been made yet."
WHAT = ("A judge is a classifier that is trained on the data's own labels. It says what class a decoded picture is of, "
        "and how sure it is, while you move. It is made once for all runs of the same data, and kept.")


def judges(opened: Checkpoint | CrossModal) -> dict[str, dict[str, Any]]:
    """By modality what `lib/verdict.js` needs of its judge, with the address of its network; else `offer`, in words.

    Nothing of data without labels, and of modalities that have no judge, as a label, which says itself what it is.
    """
    return {name: {"offer": OFFER} if found is None else _told(opened.run, found)
            for name, found in _found(opened).items()}


def offer(opened: Checkpoint | CrossModal) -> None:
    """A line with a button where a judge is missing, and how far it is while it is made; nothing where all are here."""
    if all(_found(opened).values()):
        return
    run = opened.run
    if background.judging(run).progress().running:
        st.fragment(_making, run_every=EVERY, key=f"judging-{run.id.replace('/', '-')}")(run)
        return
    key, last = _key(run), background.judging(run).progress()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="judge-offer"):
        changing.button("Make the judge", key=f"make-judge-{run.id}", icon=":material/gavel:", on_click=task.start,
                        args=(background.judging(run), key),
                        help=f"{WHAT} It takes some 20 seconds, in the background.")
        st.caption("It says of what is decoded which class that is, and how sure it is.", width="content")
    task.ended(key, last, good=False, said="Stopped: nothing was kept.")


def _making(run: Run) -> None:
    task.watch(background.judging(run), _key(run), "judge-stop",
               lambda _, share: f"The judge of the data of {escaped(run.id)} learns: {share:.0%}")


def _key(run: Run) -> str:
    return f"judge:{run.id}"


def _found(opened: Checkpoint | CrossModal) -> dict[str, KeptJudge | None]:
    from vaecore.explore.told import judges

    return judges(opened)


def _told(run: Run, found: KeptJudge) -> dict[str, Any]:
    from pages.components.networks import network_address
    from vaecore.explore.told import verdict

    return verdict(found) | {"address": network_address(run, "judge", found.modality)}
