"""Talk: scenes of the dashboard in an order; recorded, put in order, worded, rehearsed and taken along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import streamlit as st

from pages.components import serve
from pages.shared import changing
from pages.shared.checkpoints import store
from pages.shared.words import duration, escaped
from vaecore import lecture, permission, talks
from vaecore.errors import StoreError
from vaecore.schema import ConfigError, parse, problem
from vaecore.talks import FILE, SHIPPED, Scene, Talk

CHOSEN, AT, BEFORE, TROUBLE = "talk-name", "talk-scene", "talk-before", "talk-trouble"  # in the session
NEW = "talk-new"  # begins the names of the new scene's fields there
FIRST = "my-talk"  # the name that is proposed for one's first talk
# A wide formula scrolls the card around it, whose fields the keyboard reaches, and never the page.
LAYOUT = """<style>
.katex-display { overflow: visible !important; }
:is(.st-key-talk-record, .st-key-talk-scene-card) { overflow-x: auto; }
</style>"""


# -- what is done ----------------------------------------------------------------------------------
# Another tab may have changed the talk since this one was drawn: what a button does begins with the talk as it is now.


def done(name: str, change: Callable[[Talk | None], Talk | None], at: int | None = None, what: str = "") -> None:
    """Keep a talk as `change` makes it of the present one, or remove it with None; what was there can be brought back.
    """
    st.session_state.pop(TROUBLE, None)
    try:
        before = talks.talk_of_store(name, store()) if name in talks.names(store()) else None
        after = change(before)
        if after is None:
            talks.remove(store(), name)
        else:
            talks.keep(store(), name, after)
    except (StoreError, ConfigError) as error:
        st.session_state[TROUBLE] = f"{name}: {error}" if isinstance(error, ConfigError) else str(error)
        return
    if before is not None:
        st.session_state[BEFORE] = (name, before, after, what)
    st.session_state["talk-chosen"] = SHIPPED if after is None else name
    if at is not None:
        st.session_state["talk-at"] = at


def undo() -> None:
    """Bring back what was there before the last change, unless something else was changed since."""
    if BEFORE not in st.session_state:
        return  # the second half of a double click
    name, before, after, _ = st.session_state[BEFORE]

    def back(now: Talk | None) -> Talk:
        if now != after:
            raise StoreError(f"'{name}' was changed meanwhile, and that would be lost: nothing was undone. Change it "
                             "below.")
        kept: Talk = before
        return kept

    done(name, back)
    if TROUBLE not in st.session_state:
        st.session_state.pop(BEFORE)


def put(name: str, at: int, scene: Scene, new: Scene | None, to: int, what: str) -> None:
    """Put `new` to the place `to` instead of the scene at the place `at`, if this is still there; None removes it."""
    def changed(now: Talk | None) -> Talk:
        there = list(now.scenes) if now else []
        if now is None or there[at:at + 1] != [scene]:
            raise StoreError(f"'{name}' was changed meanwhile: '{scene.title}' is no longer scene {at + 1}. Nothing "
                             "was done; choose it again below.")
        del there[at]
        there[to:to] = [new] if new else []
        return now.model_copy(update={"scenes": tuple(there)})

    done(name, changed, to if new else max(0, at - 1), what)


def save(name: str, at: int, scene: Scene, key: str, to: int, what: str) -> None:
    """Keep what was typed into the fields of a scene, at the place `to`."""
    if (new := worded(key)) is not None:
        put(name, at, scene, new, to, what)


def add() -> None:
    """Keep what was typed into the form of a new scene at the end of a talk, of a new one where the name is new."""
    into = st.session_state["talk-into"] or ""
    if (scene := worded(NEW)) is None or changing.twice("talk-kept", f"{into} {scene.model_dump_json()}"):
        return

    def longer(now: Talk | None) -> Talk:
        title, there = (now.title, now.scenes) if now else (into[:120], ())  # what is longer is refused as a name
        if len(there) >= talks.MOST_SCENES:
            raise problem("scenes", len(there), f"'{into}' has {len(there)} already.",
                          f"A talk has at most {talks.MOST_SCENES}: remove one, or keep it in another talk.")
        return parse(Talk, {"title": title, "scenes": [*there, scene]})

    done(into, longer, talks.MOST_SCENES, "a scene was added")
    if TROUBLE not in st.session_state:
        st.query_params.pop("keep", None)


def make_mine() -> None:
    """A copy of the shipped talk, under a name that is free."""
    if not changing.twice("talk-copied"):
        done(_free("my-lecture"), lambda _: talks.talk(), 0)


def worded(key: str) -> Scene | None:
    """A scene of what was typed into the fields of `key`; what is wrong with it is said on the page."""
    typed = {name: st.session_state[f"{key}-{name}"] for name in Scene.model_fields}
    try:
        return parse(Scene, {**typed, "address": talks.recorded(typed["address"]), "seconds": typed["seconds"] or None,
                             "equation": talks.typed_equation(typed["equation"])})
    except ConfigError as error:
        st.session_state[TROUBLE] = str(error)
        return None


# -- what is shown ---------------------------------------------------------------------------------


def fields(given: Mapping[str, Any], key: str, *, locked: bool) -> None:
    """The fields of a scene, filled in with what is given."""
    asked: dict[str, Any] = {}
    for name, info in Scene.model_fields.items():
        value = given.get(name)
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
    with suppress(ConfigError):  # of a number that is none: said when it is kept
        if typed := talks.typed_equation(asked["equation"]):
            st.latex(typed if isinstance(typed, str) else lecture.equation(typed).latex)


def record(address: str, own: list[str]) -> None:
    """The form that keeps an address as a scene."""
    with st.container(border=True, key="talk-record"):
        st.subheader("Keep as a scene", anchor=False)
        st.selectbox("Talk", own or [FIRST], key="talk-into", width=320, accept_new_options=True,
                     help="One of your talks, or type a new name: small letters, digits and '-'.")
        with suppress(ConfigError):  # what is no address stands in the field as it came, to be mended there
            address = talks.recorded(address)
        fields({"address": address, "title": "New scene"}, NEW, locked=False)
        changing.button("Keep", key="talk-keep", type="primary", icon=":material/bookmark_add:", on_click=add,
                        help="Add it at the end of the talk.")


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
            changing.button("Make it mine", key="talk-copy", icon=":material/content_copy:", on_click=make_mine,
                            help="A copy that can be changed.")
        else:
            changing.button("Remove the talk", key="talk-remove", icon=":material/delete:", on_click=done,
                            args=(name, lambda _: None, 0, f"'{name}' was removed"),
                            help="It can be brought back at once.")
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
        key = f"talk-{name}-{at}-{hash(scene)}"
        fields(dict(scene), key, locked=locked)
        with st.container(horizontal=True, gap="small"):
            st.link_button("Open", f"{serve.below('').rstrip('/')}{scene.address}", icon=":material/open_in_new:",
                           help="The scene by itself, in another tab.")
            changing.button("Save", key="talk-save", type="primary", icon=":material/save:", disabled=locked,
                            on_click=save, args=(name, at, scene, key, at, "the scene was changed"),
                            help="Keep what was typed.")
            for label, to, icon in (("Earlier", at - 1, "arrow_upward"), ("Later", at + 1, "arrow_downward")):
                changing.button(label, key=f"talk-{label}", icon=f":material/{icon}:", on_click=save,
                                disabled=locked or not 0 <= to <= last,
                                args=(name, at, scene, key, to, "a scene was moved"),
                                help="Change its place in the talk; what was typed is kept.")
            changing.button("Remove", key="talk-scene-remove", icon=":material/delete:", on_click=put,
                            disabled=locked, args=(name, at, scene, None, at, "a scene was removed"),
                            help="It can be brought back at once.")


def upload() -> None:
    """A talk's file, taken into the store."""
    with st.expander("Take in a talk's file", icon=":material/upload:"):
        given = changing.file_uploader("A talk's file", type=["yaml", "yml", "json"], key="talk-upload",
                                       help="What Download gave, or what you have written.")
        if (given is not None and changing.button("Keep it", key="talk-upload-keep", help="Under the file's own name.")
                and not changing.twice("talk-uploaded", given.file_id)):
            st.session_state.pop(TROUBLE, None)
            try:
                read = talks.from_text(given.getvalue()[:talks.LARGEST_TALK + 1].decode("utf-8-sig"))
            except UnicodeDecodeError:
                st.session_state[TROUBLE] = f"{given.name} is no text. {talks.HOW}"
            except ConfigError as error:
                st.session_state[TROUBLE] = str(error)
            else:
                name = "".join(c if c.isascii() and c.isalnum() else "-" for c in given.name.rpartition(".")[0].lower())
                done(_free(name.strip("-")[:50] or FIRST), lambda _: read, 0)
            st.rerun()


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
        st.caption(escaped(f"{st.session_state[BEFORE][3].capitalize()}."), width="stretch")
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
