"""Talk: scenes of the dashboard in an order; recorded, put in order, worded, rehearsed and taken along."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import streamlit as st

from pages.components import serve
from pages.shared import changing
from pages.shared.checkpoints import store
from pages.shared.words import duration, escaped
from vaecore import lecture, permission, talks
from vaecore.errors import StoreError
from vaecore.schema import ConfigError, parse
from vaecore.talks import FILE, SHIPPED, Scene, Talk

CHOSEN, AT, BEFORE, TROUBLE = "talk-name", "talk-scene", "talk-before", "talk-trouble"  # in the session
FIRST = "my-talk"  # the name that is proposed for one's first talk
# A wide formula scrolls the card around it, whose fields the keyboard reaches, and never the page.
LAYOUT = """<style>
.katex-display { overflow: visible !important; }
:is(.st-key-talk-record, .st-key-talk-scene-card) { overflow-x: auto; }
</style>"""


# -- what is done ----------------------------------------------------------------------------------


def done(name: str, changed: Talk | None, at: int | None = None, what: str = "") -> None:
    """Keep a talk as `changed`, or remove it with None; what was there before can be brought back."""
    st.session_state.pop(TROUBLE, None)
    try:
        before = talks.talk_of_store(name, store()) if name in talks.names(store()) else None
        if changed is None:
            talks.remove(store(), name)
        else:
            talks.keep(store(), name, changed)
    except (StoreError, ConfigError) as error:
        st.session_state[TROUBLE] = str(error)
        return
    if before is not None:
        st.session_state[BEFORE] = (name, before, what)
    st.session_state["talk-chosen"] = SHIPPED if changed is None else name
    if at is not None:
        st.session_state["talk-at"] = at


def undo() -> None:
    """Bring back what was there before the last change."""
    name, before, _ = st.session_state.pop(BEFORE)
    done(name, before)
    st.session_state.pop(BEFORE, None)


def worded(**fields: Any) -> Scene | None:
    """A scene of what was typed; what is wrong with it is said on the page."""
    equation = fields.pop("equation").strip()
    try:
        return parse(Scene, {
            **fields, "address": talks.recorded(fields["address"]), "seconds": int(fields["seconds"]) or None,
            "equation": int(equation) if equation.isdigit() else equation or None})
    except ConfigError as error:
        st.session_state[TROUBLE] = str(error)
        return None


# -- what is shown ---------------------------------------------------------------------------------


def fields(scene: Scene | None, key: str, *, locked: bool) -> dict[str, Any]:
    """The fields of a scene, filled in."""
    asked: dict[str, Any] = {}
    for name, info in Scene.model_fields.items():
        value = getattr(scene, name) if scene else None
        label, help = info.title or name.capitalize(), info.description
        if name == "seconds":
            asked[name] = st.number_input(label, 0, 7_200, value or 0, step=10, key=f"{key}-{name}", disabled=locked,
                                          width=160, help=f"{help} 0 says nothing of it.")
        elif name == "line":
            asked[name] = st.text_area(label, value or "", key=f"{key}-{name}", height=110, disabled=locked,
                                       max_chars=2_000, help=help)
        else:
            asked[name] = st.text_input(label, "" if value is None else str(value), key=f"{key}-{name}", help=help,
                                        disabled=locked, placeholder="none" if name == "equation" else None,
                                        max_chars=talks.LONGEST_ADDRESS if name == "address" else None)
    if (typed := asked["equation"].strip()) and (not typed.isdigit() or 0 < int(typed) <= len(lecture.EQUATIONS)):
        st.latex(lecture.equation(int(typed)).latex if typed.isdigit() else typed)
    return asked


def record(address: str, own: list[str]) -> None:
    """The form that keeps an address as a scene."""
    with st.container(border=True, key="talk-record"):
        st.subheader("Keep as a scene", anchor=False)
        into = st.selectbox("Talk", own or [FIRST], key="talk-into", width=320, accept_new_options=True,
                            help="One of your talks, or type a new name: small letters, digits and '-'.")
        asked = fields(Scene(address=talks.recorded(address), title="New scene"), "talk-new", locked=False)
        if changing.button("Keep", key="talk-keep", type="primary", icon=":material/bookmark_add:",
                           help="Add it at the end of the talk.") and into and (scene := worded(**asked)):
            there = talks.talk_of_store(into, store()) if into in own else Talk(title=into)
            done(into, parse(Talk, {"title": there.title, "scenes": [*there.scenes, scene]}), len(there.scenes))
            if TROUBLE not in st.session_state:
                st.query_params.pop("keep", None)
                st.rerun()


def whole(name: str, talk: Talk) -> None:
    """What is done with a talk as a whole."""
    locked = name == SHIPPED
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        stage = f"{serve.below('stage')}?name={quote(name)}"
        st.link_button("Give it", stage, icon=":material/slideshow:", type="primary",
                       help="Opens the stage. PageDown and PageUp step; s opens the speaker's window.")
        st.link_button("Rehearse", f"{stage}&rehearse=1", icon=":material/timer:",
                       help="The stage with the speaker's line and a clock over each scene.")
        st.download_button("Download", talk.to_yaml(), f"{name}.yaml", "application/yaml", key="talk-download",
                           icon=":material/download:", on_click="ignore",
                           help="The talk as a file, for `vaecore talk FILE` or another laboratory.")
        if locked:
            changing.button("Make it mine", key="talk-copy", icon=":material/content_copy:", on_click=done,
                            args=(_free("my-lecture"), talk, 0), help="A copy that can be changed.")
        else:
            changing.button("Remove the talk", key="talk-remove", icon=":material/delete:", on_click=done,
                            args=(name, None, 0, f"'{name}' was removed"), help="It can be brought back at once.")
    there = [f"{len(talk.scenes)} scene{'s' * (len(talk.scenes) != 1)}"]
    if talk.seconds:
        there.append(f"{duration(talk.seconds)} as planned")
    st.caption(" · ".join(there) + ("" if not locked else " · shipped: make it yours to change it"))
    if found := list(talks.faults(talk, store())):
        listed = "\n".join(f"- {escaped(str(each))}" for each in found)
        st.warning(f"These scenes cannot be opened here:\n\n{listed}", icon=":material/link_off:")


def scenes(name: str, talk: Talk) -> None:
    """The scenes in their order, and the one that is chosen, to be worded."""
    if not talk.scenes:
        st.info("No scenes yet. Open any page, set it as you want it to be seen, and press the "
                "bookmark in its upper corner, or the key k: *Keep as a scene*.", icon=":material/bookmark_add:")
        return
    locked, last = name == SHIPPED or bool(permission.refusal()), len(talk.scenes) - 1
    if "talk-at" in st.session_state:
        st.session_state[AT] = min(st.session_state.pop("talk-at"), last)
    elif st.session_state.get(AT, 0) > last:
        st.session_state[AT] = last
    left, right = st.columns([2, 3], gap="large")
    with left:
        at = st.radio("Scenes", range(len(talk.scenes)), key=AT, persist_state="session",
                      format_func=lambda i: f"{i + 1}. {escaped(talk.scenes[i].title)}",
                      help="Choose one to word it or to move it.")
    with right, st.container(border=True, key="talk-scene-card"):
        scene = talk.scenes[at]
        asked = fields(scene, f"talk-{name}-{at}-{hash(scene)}", locked=locked)
        with st.container(horizontal=True, gap="small"):
            st.link_button("Open", f"{serve.below('').rstrip('/')}{scene.address}", icon=":material/open_in_new:",
                           help="The scene by itself, in another tab.")
            if changing.button("Save", key="talk-save", type="primary", icon=":material/save:", disabled=locked,
                               help="Keep what was typed.") and (new := worded(**asked)):
                done(name, _with(talk, [*talk.scenes[:at], new, *talk.scenes[at + 1:]]), at, "the scene was changed")
                st.rerun()
            others = [*talk.scenes[:at], *talk.scenes[at + 1:]]
            for label, to, icon in (("Earlier", at - 1, "arrow_upward"), ("Later", at + 1, "arrow_downward")):
                moved = _with(talk, [*others[:max(0, to)], scene, *others[max(0, to):]])
                changing.button(label, key=f"talk-{label}", icon=f":material/{icon}:", on_click=done,
                                disabled=locked or not 0 <= to <= last, args=(name, moved, to, "a scene was moved"),
                                help="Change its place in the talk.")
            changing.button("Remove", key="talk-scene-remove", icon=":material/delete:", on_click=done, disabled=locked,
                            args=(name, _with(talk, others), max(0, at - 1), "a scene was removed"),
                            help="It can be brought back at once.")


def upload() -> None:
    """A talk's file, taken into the store."""
    with st.expander("Take in a talk's file", icon=":material/upload:"):
        given = changing.file_uploader("A talk's file", type=["yaml", "yml", "json"], key="talk-upload",
                                       help="What Download gave, or what you have written.")
        if given is not None and changing.button("Keep it", key="talk-upload-keep", help="Under the file's own name."):
            st.session_state.pop(TROUBLE, None)
            try:
                read = talks.from_text(given.getvalue()[:talks.LARGEST_TALK + 1].decode("utf-8-sig"))
            except UnicodeDecodeError:
                st.session_state[TROUBLE] = f"{given.name} is no text. {talks.HOW}"
            except ConfigError as error:
                st.session_state[TROUBLE] = str(error)
            else:
                name = "".join(c if c.isascii() and c.isalnum() else "-" for c in given.name.rpartition(".")[0].lower())
                done(_free(name.strip("-")[:50] or FIRST), read, 0)
            st.rerun()


def _with(talk: Talk, scenes: list[Scene]) -> Talk:
    return talk.model_copy(update={"scenes": tuple(scenes)})


def _free(name: str) -> str:
    """The name, or with a number where it is taken."""
    taken = {*talks.names(store()), FILE}
    return next(each for number in range(1, talks.MOST_TALKS + 3)
                if (each := name if number == 1 else f"{name}-{number}") not in taken)


def choose(known: list[str]) -> str:
    """The talk that is looked at; the address keeps it."""
    asked = st.session_state.pop("talk-chosen", None) or (
        st.query_params.get("name") if st.query_params.get("name") != st.session_state.get("talk-address") else None)
    if asked in known:
        st.session_state[CHOSEN] = asked
    elif asked:
        st.warning(f"There is no talk '{escaped(asked[:60])}'. Choose one below.", icon=":material/link_off:")
    if st.session_state.get(CHOSEN) not in known:
        st.session_state[CHOSEN] = known[0]
    chosen = st.selectbox("Talk", known, key=CHOSEN, width=420, persist_state="session",
                          format_func=lambda name: "From PCA to SVG-LP · shipped" if name == SHIPPED else name,
                          help="The shipped talk, and those in your store.")
    st.query_params["name"] = st.session_state["talk-address"] = chosen
    return str(chosen)


st.html(LAYOUT)
st.title("Talk", anchor=False)
known = talks.names(store())
if trouble := st.session_state.get(TROUBLE):
    st.error(escaped(trouble), icon=":material/error:")
if BEFORE in st.session_state:
    with st.container(horizontal=True, vertical_alignment="center", key="talk-undo-row"):
        st.caption(escaped(f"{st.session_state[BEFORE][2].capitalize()}."), width="stretch")
        changing.button("Undo", key="talk-undo", icon=":material/undo:", type="tertiary", on_click=undo,
                        help="Bring back what was there before.")
if keep := st.query_params.get("keep", "")[:talks.LONGEST_ADDRESS]:
    record(keep, known[1:])
name = choose(known)
try:
    chosen = talks.talk_of_store(name, store())
except (StoreError, ConfigError) as error:
    st.error(escaped(f"{name}: {error}"), icon=":material/broken_image:")
else:
    whole(name, chosen)
    scenes(name, chosen)
upload()
