"""Bring data of one's own: an upload, a path on this machine, or what was brought before; what was understood is shown
before it is used.

There is no list of kinds here: the data sets declare what they take.
"""

from __future__ import annotations

import contextlib
import html
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st

from pages.shared import changing, measure, pictures
from pages.shared.checkpoints import store
from pages.shared.words import escaped
from vaecore import shelf
from vaecore.files import trouble
from vaecore.schema import ConfigError, parse
from vaecore.store import StoreError
from vaecore.words import size

if TYPE_CHECKING:
    from vaecore.data import DataConfig, Dataset
    from vaecore.data.own.file import OwnFile
    from vaecore.explore.look import Look

OPEN, FROM, KIND, FIT = "bring:open", "bring:from", "bring:kind", "bring:fit"
FOUND = "bring:found"  # which upload was kept last, and where
UPLOADED, USED = "bring:uploaded", "bring:used"  # what this visitor put into the store, and whether it was used
CHOSEN = "train:brought"  # the configuration of the data that are to be used, for the form
UPLOAD, FOLDER, PATH, BEFORE = "Files", "A folder", "A path", "Brought before"
CLASSES_SHOWN, FITS_BYTES = 24, 32 * 2**20  # of arrays that are read once more for each way to fit them


def open_button() -> None:
    """The way in."""
    changing.button("Bring your own data", key="train-bring", icon=":material/upload:", on_click=_open, width="stretch",
                    help="Upload files, or name a file or folder on this machine: pictures, tables, texts, clips, or "
                         "several modalities. What is understood of them is shown before anything is used.")


def _open() -> None:
    st.session_state[OPEN] = True


def _close() -> None:
    """Nothing is used: an upload that nothing uses goes again."""
    st.session_state[OPEN] = False
    _drop()


def _drop() -> None:
    st.session_state.pop(FOUND, None)
    path = st.session_state.pop(UPLOADED, None)
    for kept in shelf.brought(store()) if path else ():
        if str(kept.path) == path and not st.session_state.get(USED) and not shelf.remembered(store(), path):
            with contextlib.suppress(StoreError, OSError):  # a run uses it, or it stays: it is offered again
                shelf.remove(store(), kept)


@dataclass(frozen=True)
class Place:
    """Where the data lie, and what the visitor calls them."""

    path: str
    name: str


def taken() -> dict[str, Any] | None:
    """The fields of the data that the visitor has just decided to use; only once."""
    found: dict[str, Any] | None = st.session_state.pop(CHOSEN, None)
    return found


def dialog(asked: DataConfig | None) -> None:
    """Draw the dialog where it is open; `asked` are the data that the form asks for, which may have no path yet."""
    if st.session_state.get(OPEN):
        _dialog(asked)


@st.dialog("Bring your own data", width="medium", on_dismiss=_close, icon=":material/upload:")
def _dialog(asked: DataConfig | None) -> None:
    earlier = shelf.brought(store())
    ways = [UPLOAD, FOLDER, PATH, *([BEFORE] if earlier else [])]
    way = st.segmented_control("From where", ways, default=UPLOAD, required=True, key=FROM, on_change=_drop,
                               label_visibility="collapsed")
    try:
        place = _before(earlier) if way == BEFORE else _path() if way == PATH else _uploaded(folder=way == FOLDER)
    except ConfigError as error:
        return _trouble(error, "")
    except OSError as error:
        st.error(escaped(f"The files cannot be kept. {trouble(error)}"), icon=":material/error:")
        return
    if place is not None:
        _understood(place, asked)


# -- from where ------------------------------------------------------------------------------------


def _uploaded(*, folder: bool) -> Place | None:
    """What was uploaded, kept in the store."""
    from vaecore.data.own.door import own
    from vaecore.data.own.file import MAX_FILE_BYTES

    kinds = list(own().values())
    endings = sorted({ending.lstrip(".").rpartition(".")[2] for kind in kinds for ending in kind.endings})
    most = MAX_FILE_BYTES // 10**6
    files = changing.file_uploader(
        "A folder, with all in it" if folder else "One file, several, or a zip", None if folder else endings,
        accept_multiple_files="directory" if folder else True, key=f"bring:{'folder' if folder else 'files'}",
        max_upload_size=most, help=f"At most {most} MB a file; larger data are named by their path on this machine. "
        "They are kept beside the runs and never run as a program.")
    if not files:
        shown = {kind.upload: kind.endings for kind in kinds}  # pictures are asked for by several kinds, and once here
        st.caption(" · ".join(f"**{upload}** {', '.join(ending.lstrip('.') for ending in endings[:6])}"
                              f"{' …' if len(endings) > 6 else ''}" for upload, endings in shown.items()))
        _drop()
        return None
    marks = tuple(file.file_id for file in files)
    if st.session_state.get(FOUND, (None,))[0] != marks:  # once an upload, not at every click
        _drop()
        with st.spinner("Keeping the files …"):
            path, new = shelf.keep(store(), [(file.name, file.getvalue()) for file in files])
        st.session_state[FOUND] = marks, str(path)
        if new:
            st.session_state[UPLOADED] = str(path)
            st.session_state[USED] = False
    name = files[0].name if len(files) == 1 else f"{len(files):,} files"
    if folder:
        name = files[0].name.partition("/")[0]
    return Place(st.session_state[FOUND][1], name)


def _path() -> Place | None:
    path = st.text_input("File or folder on this machine", key="bring:path", placeholder="/data/faces",
                         max_chars=1000, help="It stays where it is. A run remembers its digest, and notices when it "
                                              "changes.").strip()
    return Place(path, path) if path else None


def _before(earlier: list[shelf.Kept]) -> Place | None:
    """One of those brought before; each can be removed."""
    titles = {str(kept.path): _line(kept) for kept in earlier}
    if error := st.session_state.pop("bring:error", ""):
        st.error(escaped(error), icon=":material/error:")
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    path = left.selectbox("Brought before", list(titles), key="bring:before", format_func=lambda path: titles.get(
        path, path), index=None, placeholder="Choose one")
    chosen = next((kept for kept in earlier if str(kept.path) == path), None)
    if chosen is None:
        return None
    ids = shelf.users(store(), chosen) if chosen.here else []
    what = "Delete" if chosen.here else "Forget"
    with right.popover(what, icon=":material/delete:", disabled=bool(ids), help=(
            f"Used by {', '.join(ids[:5])}{', …' if len(ids) > 5 else ''}: remove that first." if ids else
            "Delete this upload." if chosen.here else "Forget this path; what lies there stays.")):
        st.markdown(f"{what} **{escaped(chosen.name)}**?")
        changing.button(what, key="bring:remove", type="primary", disabled=bool(ids), on_click=_remove, args=(chosen,))
    if not chosen.there:
        st.warning(escaped(f"{chosen.path} is not there any more."), icon=":material/folder_off:")
        return None
    return Place(str(chosen.path), chosen.name)


def _remove(kept: shelf.Kept) -> None:
    try:
        shelf.remove(store(), kept)
    except (StoreError, OSError) as error:
        st.session_state["bring:error"] = trouble(error)
    else:
        st.session_state["bring:before"] = None


def _line(kept: shelf.Kept) -> str:
    when = time.strftime("%d %b %Y, %H:%M", time.localtime(kept.when))
    takes = f" · {size(kept.bytes)}" if kept.bytes else ""
    return f"{kept.name} · {when}{takes}" + ("" if kept.here else f" · {kept.path}")


# -- what was understood ---------------------------------------------------------------------------


def _understood(place: Place, asked: DataConfig | None) -> None:
    from vaecore.data import DataUnavailable
    from vaecore.data.base import OneSize
    from vaecore.data.own.door import meant, possible, read_as

    kinds = possible(place.path)
    choice, key = st.container(), f"{KIND}:{place.path}"  # drawn when it is known what it is read as by itself
    picked = st.session_state.get(key) or ""
    try:
        with st.spinner("Reading …", show_time=True):
            wanted = picked or (meant(asked, place.path) if asked else "")  # as a preset for such data reads them
            found = read_as(place.path, wanted, lambda kind: parse(kind, {"path": place.path}),
                            measure.dataset_of)
            config: OwnFile = found.config
            if not picked and len(kinds) > 1 and config.tag in kinds:
                st.session_state[key] = config.tag
            if isinstance(config, OneSize):
                config = _fitted(config, config.fit, found.dataset, place)
            look = measure.look_at(config)
    except ConfigError as error:
        return _trouble(error, place.path, place.name)
    except DataUnavailable as error:
        st.warning(escaped(str(error)), icon=":material/cloud_off:")
        return
    finally:
        if len(kinds) > 1:
            choice.segmented_control("Read as", list(kinds), format_func=lambda name: kinds[name].title, wrap=True,
                                     key=key, help="What it looks like comes first.")
    show(look, config, place)
    if changing.button("Use these data", type="primary", icon=":material/check:", key="bring:use", width="stretch"):
        st.session_state[CHOSEN] = config.model_dump(mode="json")
        st.session_state[USED] = True
        st.session_state[OPEN] = False
        shelf.used(store(), config.path, Path(place.name).name)
        for key in (UPLOADED, FOUND):
            st.session_state.pop(key, None)
        st.rerun()


def _fitted(config: OwnFile, fit: str, dataset: Dataset, place: Place) -> OwnFile:
    """With the way that pictures of another aspect come to one size, `fit` or what the visitor chooses instead."""
    from vaecore.data import DataUnavailable

    ways = [str(way) for way in get_args(type(config).model_fields["fit"].annotation)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        way = st.segmented_control("Pictures of another aspect", ways, default=fit, required=True,
                                   key=f"{FIT}:{config.tag}", width="content",
                                   help=type(config).model_fields["fit"].description)
        small = sum(array.nbytes for split in dataset.splits.values() for array in split.arrays.values()) <= FITS_BYTES
        each = small and st.toggle("Show what each does", key=f"{FIT}:each")
    if each:
        for column, name in zip(st.columns(len(ways)), ways, strict=True):
            with column:
                st.markdown(f"**{name}**")
                try:
                    look = measure.look_at(config.model_copy(update={"fit": name}))
                    pictures.show(look.picture, f"{name}: {look.alt}", width=200)
                except ConfigError as error:
                    st.caption(escaped(as_brought(error.problems[0].message, place)))
                except DataUnavailable as error:
                    st.caption(escaped(str(error)))
    return config.model_copy(update={"fit": way})


def show(look: Look, config: OwnFile, place: Place) -> None:
    """Counts, shapes, a sheet, classes, the split; what was done and what was left out, folded but counted."""
    left, right = st.columns([5, 6], gap="medium")
    with left:
        if look.picture:
            pictures.show(look.picture, look.alt, width=320)
        rows(look)
        for line in look.sentences[:5]:
            st.html(f'<p dir="auto" style="margin:0 0 .4rem;overflow-wrap:anywhere">{html.escape(line)}</p>')
    with right:
        st.markdown(f"**{escaped(config.title)}**  \n{escaped(look.shape)}")
        sizes = " · ".join(f"**{size:,}** {name}" for name, size in look.sizes.items())
        st.markdown(f"{sizes}  \n" + (f":small[Split {escaped(look.split_by)}.]" if look.split_by else ""))
        if look.classes:
            told = [f"{escaped(name)} **{count:,}**" for name, count in list(look.classes.items())[:CLASSES_SHOWN]]
            more = f" · and {len(look.classes) - CLASSES_SHOWN:,} more" if len(look.classes) > CLASSES_SHOWN else ""
            st.markdown(f"{len(look.classes):,} class{'es' * (len(look.classes) != 1)}: {' · '.join(told)}{more}")
        folded(look, place)
        st.caption(escaped(as_brought(look.source, place)))


def rows(look: Look) -> None:
    """The first rows of a small table, in the file's units."""
    if look.rows:
        st.dataframe(list(look.rows), hide_index=True, height="content")


def folded(look: Look, place: Place | None = None) -> None:
    """What was left out of the data and what was done to them: folded, but counted."""
    things = "thing" if len(look.done) == 1 else "things"
    for title, sentences, icon in (("left out", look.left_out, ":material/warning:"),
                                   (f"{things} done to them", look.done, ":material/build:")):
        if sentences:
            with st.expander(f"{len(sentences)} {title}", icon=icon, type="compact"):
                lines = [as_brought(sentence, place) if place else sentence for sentence in sentences]
                st.markdown("\n".join(f"- {escaped(line)}" for line in lines))


def _trouble(error: ConfigError, path: str, name: str = "") -> None:
    """What is wrong, in words of the visitor's files and not of the place where they are kept."""
    for each in error.problems:
        st.error(escaped(as_brought(f"{each.message} {each.remedy}", Place(path, name))), icon=":material/error:")


def as_brought(sentence: str, place: Place) -> str:
    """The sentence with the visitor's name for the data, where it has the place in the store where they are kept."""
    if not place.path or place.name in ("", place.path):
        return sentence
    kept = re.escape(Path(place.path).name)  # as a word: it may be short, and a part of others
    return re.sub(rf"(?<!\w){kept}(?!\w)", lambda _: place.name, sentence.replace(place.path, place.name))
