"""A task of the background on a page: started, watched, stopped, and what became of the last try.

A `key` names it in the session: there it is noted that it was stopped from here, and what could not be done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from pages.shared import changing
from pages.shared.words import duration, escaped
from vaecore.files import trouble
from vaecore.lab import LabError
from vaecore.lab.background import reached
from vaecore.lab.task import Progress, Task
from vaecore.store import StoreError


def start(task: Task, key: str, *options: Mapping[str, str]) -> None:
    """Begin it in the background."""
    st.session_state.pop(f"{key}:stopped", None)
    try:
        task.start(*options)
    except (LabError, StoreError, OSError) as error:
        st.session_state[f"{key}:error"] = trouble(error)


def stop(task: Task, key: str) -> None:
    """Ask it to end; what it keeps is its own affair."""
    try:
        task.stop()
        st.session_state[f"{key}:stopped"] = True
    except (LabError, StoreError, OSError) as error:
        st.session_state[f"{key}:error"] = trouble(error)


def stopped(key: str) -> bool:
    """Whether it was stopped from here since it was last started."""
    return bool(st.session_state.get(f"{key}:stopped"))


def tell(key: str) -> None:
    """What could not be done, once."""
    if error := st.session_state.pop(f"{key}:error", None):
        st.error(escaped(error), icon=":material/error:")


def running(task: Task, key: str, now: Progress, *, of: str = "", label: str, button: str, help: str) -> None:
    """A line of one that is running, `of` about how long it takes, with the button that stops it."""
    tell(key)
    stopping = stopped(key)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("Stopping" if stopping else "Running", color="orange" if stopping else "blue",
                 icon=":material/hourglass_top:" if stopping else ":material/play_circle:")
        st.markdown(f"for {duration(now.seconds)}{of}", width="content")
        changing.button(label, key=button, icon=":material/stop:", on_click=stop, args=(task, key), disabled=stopping,
                        help=help)


def watch(task: Task, key: str, button: str, words: Callable[[str, float], str]) -> None:
    """How far one is that keeps nothing when it is stopped; the whole page again when it has ended.

    `words` tell of a part and its share; call it in a fragment that runs every second.
    """
    now = task.progress()
    if not now.running:
        st.rerun()
    part, share = reached(now.lines) or ("", 0.0)
    st.progress(share, words(part, share))
    running(task, key, now, label="Stop", button=button, help="Nothing of it is kept then.")


def ended(key: str, last: Progress, *, good: bool, said: str = "") -> None:
    """What became of the last try, unless it was `good`; `said` of one stopped here, or else its last words."""
    tell(key)
    if good or not (last.lines or (said and stopped(key))):
        return
    words = escaped(next(filter(str.strip, reversed(last.lines)), "")[:300])
    if stopped(key):
        st.caption(f":material/stop_circle: {said or words}")
    else:
        st.warning(f"The last try ended without a result: it was stopped, or it failed. It last said: {words}",
                   icon=":material/error:")
