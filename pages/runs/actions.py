"""What is done with the ticked runs, many at once: looked at together, evaluated, marked, removed, taken along.

Each function of the library answers for every run by itself; what went wrong stands below the buttons, until the next
thing is done. A removal can be undone there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import streamlit as st

from pages.runs import ticked
from pages.shared import changing, evaluating
from pages.shared.checkpoints import MAX_COMPARED, MAX_WATCHED, choose_several, store
from pages.shared.words import escaped
from vaecore import permission
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.settings import Settings
from vaecore.files import trouble
from vaecore.lab import LabError, evaluations
from vaecore.library import marks, trash
from vaecore.library.marks import Done
from vaecore.library.records import Record
from vaecore.marks import LONGEST_NOTE, LONGEST_TITLE
from vaecore.schema import ConfigError
from vaecore.store import Run, StoreError

TOLD, REMOVED = "runs-told", "runs-removed"  # in the session: what came of it, and what an undo brings back
LISTED = 4  # problems that are written out


def bar(those: Sequence[Record], shown: Sequence[Record], beside: Callable[[], None]) -> None:
    """The buttons for the runs that are ticked; grey where none is, so that nothing moves. `beside` draws to the right.
    """
    here = {each.id for each in shown}
    beyond = sum(each.id not in here for each in those)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs-actions"):
        st.markdown(f"**{len(those)} ticked**" + (f", {beyond} of them not in this table" if beyond else ""),
                    width="content")
        _looks(those)
        _evaluate(those)
        _marks(those)
        _delete(those)
        st.button("Untick", key="runs-untick", icon=":material/remove_done:", type="tertiary", disabled=not those,
                  on_click=ticked.tick, args=((),), help="Tick no run; nothing else happens.")
        st.space("stretch")
        beside()
    told()
    evaluating.queue()


def refusal() -> str:
    """Why nothing may be changed here, for a help; empty where it may."""
    return escaped(permission.refusal())


def told() -> None:
    """What came of what was done last."""
    if removed := st.session_state.get(REMOVED):
        with st.container(horizontal=True, vertical_alignment="center", key="runs-undo-row"):
            st.markdown(f":material/delete: {_runs(len(removed))} in the trash.", width="content")
            changing.button("Undo", key="runs-undo", icon=":material/undo:", type="tertiary", on_click=_undo,
                            args=(tuple(removed),), help="Bring back what was removed last.")
    for good, text in st.session_state.get(TOLD, ()):
        (st.success if good else st.warning)(escaped(text), icon=":material/check:" if good else ":material/error:")


# -- looking at several ----------------------------------------------------------------------------


def _looks(those: Sequence[Record]) -> None:
    trained, ids = [each for each in those if each.trained], [each.id for each in those]
    few = "Tick two runs or more." if len(those) < 2 else "Two runs or more need weights." if len(trained) < 2 else ""
    if st.button("Compare", key="runs-compare", icon=":material/compare:", type="primary",
                 disabled=not 2 <= len(trained) <= MAX_COMPARED,
                 help=few or (f"At most {MAX_COMPARED} runs are compared." if len(trained) > MAX_COMPARED else
                              "What differs, their curves and numbers, the same images and codes.")):
        _go("compare", [each.id for each in trained])
    if st.button("Monitor", key="runs-monitor", icon=":material/monitoring:", disabled=not 1 <= len(ids) <= MAX_WATCHED,
                 help="Tick a run." if not ids else f"At most {MAX_WATCHED} runs at once." if len(ids) > MAX_WATCHED
                 else "Their curves."):
        _go("monitor", ids)


def _go(page: str, ids: list[str]) -> None:
    choose_several(ids, page)
    st.switch_page(f"{page}/page.py", query_params={"runs": ids})


def _evaluate(those: Sequence[Record]) -> None:
    able = [each for each in those if each.trained]
    with st.popover("Evaluate", icon=":material/straighten:", disabled=not able, key="runs-evaluate",
                    help="Many runs in a queue, one after the other." if able else "Tick runs that have weights."):
        st.markdown(f"{_runs(len(able))}, one after the other, on this machine; it goes on when this page is closed. "
                    "The page Evaluate shows what is found.")
        st.pills("What to measure", list(PARTS), selection_mode="multi", default=list(PARTS), format_func=title,
                 key="runs-parts", help="What does not apply to a run is left out. The evidence always is found.")
        changing.button("Queue", key="runs-queue", icon=":material/playlist_add:", type="primary", on_click=_submit,
                        args=(tuple(able),), help="With the usual settings otherwise: the page Evaluate offers "
                        "others.")


def _submit(able: Sequence[Record]) -> None:
    _begin()
    try:
        left = evaluations.submit([each.run for each in able], Settings(parts=list(st.session_state["runs-parts"])))
    except (StoreError, LabError, ConfigError, OSError, ValueError) as error:
        _tell(trouble(error))
        return
    _tell(f"{_runs(len(able) - len(left))} queued for evaluation.", good=True)
    _problems([f"{one}: {why}" for one, why in left.items()])


# -- marking ---------------------------------------------------------------------------------------


def _marks(those: Sequence[Record]) -> None:
    with st.popover("Mark", icon=":material/label:", disabled=not those, key="runs-mark",
                    help="Name, tags, note, pin and archive." if those else "Tick a run."):
        if len(those) == 1:
            _field("Name", "runs-title", those[0].title if those[0].title != those[0].id else "", LONGEST_TITLE,
                   lambda text: [marks.rename(those[0].run, text, instead_of=those[0].title)], those, "Rename",
                   "The id stays, and links to it stay right. Empty: its own name again.")
        _field("Add tags", "runs-tag", "", 400, lambda text: marks.tag(_all(those), add=text.replace(",", " ").split()),
               those, "Add", "Words, with spaces between.")
        if tags := sorted({tag for each in those for tag in each.tags}):
            st.pills("Tags they have", tags, selection_mode="multi", key="runs-untag",
                     format_func=escaped, help="Press those to take away.")
            changing.button("Take away", key="runs-untag-do", icon=":material/label_off:",
                            disabled=not st.session_state["runs-untag"], on_click=do,
                            args=(lambda: marks.tag(_all(those), remove=st.session_state["runs-untag"]),
                                  "Tags were taken away."),
                            help="From every ticked run that has them.")
        _field("Note", "runs-note", those[0].note if len(those) == 1 else "", LONGEST_NOTE,
               lambda text: marks.note(_all(those), text, instead_of=those[0].note if len(those) == 1 else None), those,
               "Write",
               "It takes the place of the note they have; empty: no note." if len(those) < 2 else
               f"The same note to {_runs(len(those))}, in the place of theirs.", area=True)
        with st.container(horizontal=True, gap="small"):
            for label, icon, act, help in (
                    ("Pin", "keep", lambda: marks.pin(_all(those)), "To the top of the table and of every list."),
                    ("Unpin", "keep_off", lambda: marks.pin(_all(those), pinned=False), "To their places again."),
                    ("Archive", "archive", lambda: marks.archive(_all(those)),
                     "Lists leave them out; is:archived finds them."),
                    ("Bring back", "unarchive", lambda: marks.archive(_all(those), archived=False),
                     "Out of the archive.")):
                changing.button(label, key=f"runs-{label.lower().replace(' ', '-')}", icon=f":material/{icon}:",
                                on_click=do, args=(act, ""), help=help)


def _field(label: str, key: str, value: str, most: int, act: Callable[[str], list[Done]], those: Sequence[Record],
           button: str, help: str, *, area: bool = False) -> None:
    """A field with a button; it belongs to these runs and to the text it is drawn with, and begins anew with others.

    The button takes what stands in the field when it is pressed: it may come before the page was drawn with it.
    """
    own = f"{key}-{hash((value, *(each.id for each in those)))}"
    (st.text_area if area else st.text_input)(label, value, key=own, max_chars=most, help=help)
    changing.button(button, key=f"{key}-do", icon=":material/check:", on_click=do,
                    args=(lambda: act(st.session_state[own] or ""), ""), help=help)


# -- removing --------------------------------------------------------------------------------------


def _delete(those: Sequence[Record]) -> None:
    own = [each for each in those if each.run.writable]
    with st.popover("Remove", icon=":material/delete:", disabled=not own, key="runs-delete", on_change="rerun",
                    help="Into the trash; it can be undone." if own else "Tick runs of your own: shipped ones, and "
                    "those of other stores, stay."):
        stay = len(those) - len(own)
        st.markdown(f"{_runs(len(own))} into the trash?" + (f" {_runs(stay)} shipped or of another store stay."
                                                           if stay else ""))
        changing.button("Move to the trash", key="runs-delete-do", icon=":material/delete:", type="primary",
                        on_click=remove, args=(tuple(own),), help="They can be brought back until it is emptied.")


def remove(those: Sequence[Record]) -> None:
    """Move runs to the trash, and remember them for Undo."""
    _begin()
    st.session_state["runs-delete"] = False  # else its popover stays, and asks of no runs
    if (done := _guarded(lambda: trash.remove(_all(those)))) is not None:
        st.session_state[REMOVED] = [each.name for each in done if each.fine]
        gone = {each.id for each in done if each.fine}
        ticked.tick(one for one in ticked.ticked() if one not in gone)
        _problems([each.problem for each in done if not each.fine])


def _undo(names: Sequence[str]) -> None:
    _begin()
    if (done := _guarded(lambda: trash.restore(store(), names))) is not None:
        _tell(f"{_runs(sum(each.fine for each in done))} brought back.", good=True)
        _problems([each.problem for each in done if not each.fine])


# -- what came of it -------------------------------------------------------------------------------


def do(act: Callable[[], Iterable[Done]], good: str) -> None:
    """Do something to several runs, and tell what came of it: `good`, or of how many "{runs}" it is true."""
    _begin()
    if (done := _guarded(lambda: list(act()))) is not None:
        fine = sum(each.fine for each in done)
        if fine:
            _tell((good or "{runs} marked.").format(runs=_runs(fine)), good=True)
        _problems([each.problem for each in done if not each.fine])


def _guarded(act: Callable[[], list[Done]]) -> list[Done] | None:
    try:
        return act()
    except (StoreError, LabError, OSError) as error:
        _tell(trouble(error))
        return None


def _begin() -> None:
    st.session_state[TOLD] = []
    st.session_state.pop(REMOVED, None)


def _tell(text: str, *, good: bool = False) -> None:
    st.session_state.setdefault(TOLD, []).append((good, text))


def _problems(problems: Sequence[str]) -> None:
    if problems:
        more = f" And {len(problems) - LISTED} more." if len(problems) > LISTED else ""
        _tell(" ".join(problems[:LISTED]) + more)


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def _all(those: Iterable[Record]) -> list[Run]:
    return [each.run for each in those]
