"""Everything that is known of one run, beside the table: picture, what differs, numbers, kin, and a note."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.runs import actions
from pages.runs import look as looks
from pages.shared import cards, forking, lines, pictures, sending
from pages.shared.checkpoints import explore_links
from pages.shared.words import duration, escaped
from vaecore import lab
from vaecore.library import marks
from vaecore.library.fields import FIELDS
from vaecore.library.order import equal, equal_but_seed
from vaecore.library.records import Record
from vaecore.marks import LONGEST_NOTE, LONGEST_TITLE
from vaecore.naming import named, short

MOST_KIN = 12  # forks, or equal runs, that are named


def panel(one: Record, records: Sequence[Record]) -> None:
    """The run `one`, among all `records` of the store."""
    with st.container(border=True, key="runs-panel", gap="small"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(escaped(one.title), anchor=False)
            st.button("Close", key="runs-close", icon=":material/close:", type="tertiary", on_click=looks.ask,
                      kwargs={"open": ""}, help="Close this panel; the run stays ticked or not.")
        _head(one)
        _picture(one)
        _doors(one)
        _words(one)
        _differs(one)
        _numbers(one)
        _kin(one, records)


def _head(one: Record) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if one.state != "unreadable":
            st.badge(one.state, color=cards.COLOURS[one.state], help=cards.MEANINGS[one.state])
        for tag in one.tags:
            st.badge(escaped(tag), color="gray")
    if one.title != one.id:
        st.caption(escaped(one.id))
    if one.detail and one.state in ("failed", "lost", "unreadable"):
        st.error(escaped(one.detail[:500]), icon=":material/error:")
    if one.state == "failed":
        forking.offer(one.run, lab.status(one.run.path))
    if one.problem:
        st.warning(escaped(one.problem[:500]), icon=":material/broken_image:")
    facts = [one.family, one.source, f"seed {one.seed}" if one.seed is not None else "",
             f"{one.steps:,} steps" if one.steps is not None else "",
             f"{one.parameters:,} parameters" if one.parameters is not None else "",
             f"trained in {duration(one.seconds)}" if one.seconds is not None else "",
             f"on {one.device}" if one.device else "", FIELDS["made"].said(one.made) if one.made else ""]
    st.markdown(escaped(" · ".join(filter(None, facts))))


def _picture(one: Record) -> None:
    if (png := cards.preview(one.run)) is not None:
        pictures.show(png, f"Samples that {one.id} draws", width=640)
    elif written := cards.written(one.run):
        lines.brief(written)


def _doors(one: Record) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if one.trained:
            explore_links(one.run)
            st.page_link("evaluate/page.py", label="Evaluate", icon=":material/straighten:",
                         query_params={"run": one.id}, help="How good it is, and what was found.")
        if one.state != "unreadable":
            st.page_link("monitor/page.py", label="Monitor", icon=":material/monitoring:",
                         query_params={"runs": one.id}, help="Its curves.")
            if st.button("Train one like it", key="runs-like", icon=":material/content_copy:", type="tertiary",
                         help="Open Train with its data, model and settings filled in, to change and start."):
                st.session_state["train_from"] = one.id
                st.switch_page("train/page.py")
    if one.trained:
        with st.container(horizontal=True, gap="small", key="runs-take-along"):
            sending.zipped([one.run], f"runs-{one.id}")
            sending.carded(one.run, f"runs-{one.id}")


def _differs(one: Record) -> None:
    if not one.values:
        return
    changes = named(one.values)
    if changes.changes:
        st.markdown(f"**Differs from {escaped(changes.preset or changes.base)}** in")
        st.markdown("\n".join(["| Field | Here | There |", "|---|---|---|", *(
            f"| {_cell(each.field)} | {_cell(short(each.value))} | {_cell(short(each.usual))} |"
            for each in changes.changes)]))
    elif changes.preset:
        st.markdown(f"Just as its preset {escaped(changes.preset)}.")


def _numbers(one: Record) -> None:
    if not one.numbers:
        return
    rows = ["| Number | Found (95 % interval) |", "|---|---:|"]
    settings: dict[str, list[str]] = {}
    for key, found in one.numbers.items():
        field = FIELDS[key]
        unit = f" {field.unit}" if field.unit not in ("", "share") else ""
        kind = f" ({found.kind or field.kind})" if found.kind or field.kind else ""
        interval = "" if found.low is None or found.high is None else (
            f"({field.said(found.low)} to {field.said(found.high)})")
        said = _cell(field.said(found.value) + unit).replace(" ", "\u00a0")  # a number stays with its unit
        rows.append(f"| {_cell(field.title + kind)} | {said} {_cell(interval)} |")
        if found.setting:
            settings.setdefault(found.setting, []).append(field.title)
    st.markdown("\n".join(rows))
    for setting, titles in settings.items():
        st.caption(escaped(f"{', '.join(titles)}: {setting}"))


def _kin(one: Record, records: Sequence[Record]) -> None:
    titles = {each.id: each.title for each in records}
    told = []
    if one.parent:
        told.append(f"Forked from {_named([one.parent], titles)}.")
    if forks := [each.id for each in records if each.parent == one.id]:
        told.append(f"Forks of it: {_named(forks, titles)}.")
    same = equal(records).get(one.id, ())
    if same:
        told.append(f"Of the very same configuration and seed: {_named(same, titles)}.")
    if seeds := [each for each in equal_but_seed(records).get(one.id, ()) if each not in same]:
        told.append(f"The same but for the seed: {_named(seeds, titles)}.")
    if one.experiment:
        told.append(f"Of {one.experiment}.")
    for sentence in told:
        st.markdown(escaped(sentence))


def _named(ids: Sequence[str], titles: dict[str, str]) -> str:
    more = f" and {len(ids) - MOST_KIN} more" if len(ids) > MOST_KIN else ""
    return ", ".join(titles.get(each, each) for each in ids[:MOST_KIN]) + more


def _words(one: Record) -> None:
    """Name and note, written in place: they are kept when the field is left.

    A field belongs to the text that it was drawn with: what is written elsewhere meanwhile stands in a new one.
    """
    why = actions.refusal()
    own = one.id.replace("/", "-")
    title, note = f"runs-panel-title-{own}-{hash(one.title)}", f"runs-panel-note-{own}-{hash(one.note)}"
    st.text_input("Name", one.title if one.title != one.id else "", key=title, disabled=bool(why),
                  max_chars=LONGEST_TITLE, placeholder=one.id, on_change=_rename, args=(one, title),
                  help=why or "What the run is called on every page. Its id stays, and links to it stay right.")
    st.text_area("Note", one.note, key=note, max_chars=LONGEST_NOTE, disabled=bool(why),
                 on_change=_note, args=(one, note), help=why or "Kept when you leave the field.")


def _rename(one: Record, key: str) -> None:
    actions.do(lambda: [marks.rename(one.run, st.session_state[key], instead_of=one.title)], "The name is kept.")


def _note(one: Record, key: str) -> None:
    actions.do(lambda: marks.note([one.run], st.session_state[key], instead_of=one.note), "The note is kept.")


def _cell(text: str) -> str:
    """Text in a cell of a table of Markdown."""
    return escaped(" ".join(text.split())).replace("|", "\\|") or " "
