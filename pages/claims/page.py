"""Claims: what papers say, the experiment here that could refute it, and how that came out."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import address, changing, published, studies, task
from pages.shared.checkpoints import store
from pages.shared.verdicts import VERDICTS, verdict
from pages.shared.words import duration, escaped
from vaecore import literature
from vaecore.lab import background

if TYPE_CHECKING:
    from vaecore.lab.task import Progress
    from vaecore.studies import Result, Study

TAIL = 8  # lines of a running experiment that are shown


# -- one claim -------------------------------------------------------------------------------------


def card(claim: Study, result: Result | None, *, open: bool) -> None:
    """What the paper says beside what was found here; the experiment and its numbers behind a click."""
    look, now = VERDICTS[verdict(claim, result)], background.study(store(), claim.id).progress()
    with st.container(border=True, key=f"claim-{claim.id}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(f"{claim.id} · {claim.title}", anchor=claim.id.lower(), width="content")
            st.badge(look.word, icon=look.icon, color=look.colour)
            st.space("stretch")
            if not now.running:
                run_button(claim, result)
        if now.running:
            st.fragment(watch, run_every=2.0, key=f"watch-{claim.id}")(claim, result)
        else:
            ended(claim, now)
        with st.grid(2, min_column_width=360, gap="medium"):
            with st.container(gap="xsmall"):
                st.caption("The claim")
                st.markdown(escaped(claim.says))
                st.caption(escaped(claim.source))
                if claim.published:
                    st.markdown(f":material/compare_arrows: **Published elsewhere.** {escaped(claim.published)}")
                published.of_claim(literature.of_claim(claim.id), f"published-{claim.id}")
            with st.container(gap="xsmall"):
                st.caption("Found here")
                found(claim, result)
        details = st.expander("The experiment, its rule and its numbers", icon=":material/science:", type="compact",
                              key=f"details-{claim.id}", expanded=open)
        with details:
            with st.grid(2, min_column_width=360, gap="medium"):
                st.markdown(f"**What is done here.** {escaped(claim.experiment)}")
                st.markdown(f"**Reproduced when.** {escaped(claim.rule)}")
            if result:
                numbers(claim, result)


def found(claim: Study, result: Result | None) -> None:
    """The finding in a sentence, and what makes it mean something."""
    from vaecore.studies import about, in_words

    if result is None:
        st.markdown(f"Nothing yet: the experiment takes {about(claim, result)}.")
        return
    if not result.by_rule_of(claim):
        was = escaped(result.rule) if result.rule else "it does not say which."
        st.warning(f"Judged by an earlier rule; run it again. That rule was: {was}", icon=":material/gavel:")
    st.markdown(escaped(result.summary))
    st.caption(escaped(result.spans()))
    took = in_words(result.cpu_seconds / 60) if result.cpu_seconds else "CPU minutes not measured"
    wall = f" in {duration(result.seconds)}" if 0 <= result.seconds < math.inf else ""
    st.caption(escaped(f"{result.date} · {took}{wall} on {result.device} · torch {result.torch}"))


def numbers(study: Study, result: Result) -> None:
    """The kept table, a picture where there is one, and the note."""
    import pandas as pd

    columns = list(dict.fromkeys(name for row in result.table for name in row))
    if columns:
        rows = [{name: plain(row.get(name)) for name in columns} for row in result.table]
        words = [name for name in columns if any(isinstance(row[name], str) for row in rows)]
        frame = pd.DataFrame([{name: "–" if row[name] is None and name in words else row[name] if name not in words
                               else str(row[name]) for name in columns} for row in rows], columns=columns)
        whole = {name for name in columns if all(isinstance(row[name], int | None) for row in rows)}
        st.dataframe(frame, hide_index=True, height="content", placeholder="–", key=f"table-{study.id}",
                     column_config={name: column(name, study.meaning(name), text=name in words,
                                                 whole=name in whole) for name in columns})
    if exhibit := study.shown(result):
        studies.show_charts(exhibit, key=f"claim-{study.id}")
    if result.note:
        st.markdown(f":material/info: {escaped(result.note)}")


def plain(value: object) -> float | int | str | None:
    """A cell that a table can hold: numbers that are none are left empty."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return value if abs(value) < 2**53 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str) else None


def column(name: str, help: str | None, *, text: bool, whole: bool) -> Any:
    """How a column is headed and rounded."""
    words = name
    for typed, read in (("gamma", "γ"), ("beta", "β"), ("-ELBO", "−ELBO"), ("||", "‖"), ("Frechet", "Fréchet")):
        words = words.replace(typed, read)
    if words.startswith("sd "):
        words = words.replace("sd ", "spread " if words.startswith("sd at ") else "spread of ", 1)
    words = words[:1].upper() + words[1:] if words[:1].isascii() else words
    if text:
        return st.column_config.TextColumn(words, help=help)
    return st.column_config.NumberColumn(words, help=help, format="%d" if whole else "%.4g")


# -- running it ------------------------------------------------------------------------------------


def run_button(claim: Study, result: Result | None) -> None:
    """Start it, after asking."""
    from vaecore.studies import about

    with st.popover(f"Run it {'again ' if result else ''}({about(claim, result)})", key=f"run-{claim.id}",
                    icon=":material/play_arrow:"):
        st.markdown(f"**{claim.id}** runs in the background on this machine, takes {about(claim, result)}, "
                    "longer where others use the machine, and goes on when this page is closed.")
        if result:
            st.markdown(f"When it ends, its result replaces the one of {escaped(result.date)}, whichever way it comes "
                        "out. Stopped before, it changes nothing.")
        changing.button("Run it now", key=f"start-{claim.id}", type="primary", icon=":material/play_arrow:",
                        on_click=task.start, args=(background.study(store(), claim.id), f"claims-{claim.id}"))


def ended(claim: Study, last: Progress) -> None:
    """What became of the last try, where that is not a result."""
    task.ended(f"claims-{claim.id}", last, said="Stopped; nothing was kept of it.", good=any(
        line.startswith((f"{claim.id}: reproduced", f"{claim.id}: not reproduced")) for line in last.lines))


def watch(claim: Study, result: Result | None) -> None:
    """The last lines of a running experiment, every two seconds until it ends."""
    from vaecore.studies import about

    job = background.study(store(), claim.id)
    now = job.progress()
    if not now.running:
        st.rerun()  # the page shows what came of it, and looks no more
    task.running(job, f"claims-{claim.id}", now, of=f" of {about(claim, result)}", label="Stop",
                 button=f"stop-{claim.id}", help="End it now. Nothing of it is kept, and an earlier result stays.")
    st.code("\n".join(now.lines[-TAIL:]) or "Getting ready …", language=None, wrap_lines=True, height=215)


# -- the page --------------------------------------------------------------------------------------


def tally(results: dict[str, Result | None]) -> str:
    """How many came out how."""
    from vaecore.studies import CLAIMS

    counts = Counter(verdict(CLAIMS[name], result) for name, result in results.items())
    words = {name: "judged by an earlier rule" if name == "earlier rule" else name for name in VERDICTS}
    return ", ".join(f"{counts[name]} {words[name]}" for name in VERDICTS if counts[name] or name != "earlier rule")


def page() -> None:
    """The counts, a filter, and a card for each claim; one that the address asks for comes first and open."""
    with st.container(key="head"):
        st.title("Claims", anchor=False)
        st.markdown("What papers on variational autoencoders say, tried here. Each claim has an experiment that could "
                    "refute it and a rule; a result says where that was fixed after a first seed had been seen, and is "
                    "kept whichever way it comes out.",
                    width=900)
    with st.spinner("Getting ready …"):
        from vaecore.studies import CLAIMS, kept  # (brings torch, which takes seconds when it is the first time)
    results = {name: kept(store(), name) for name in CLAIMS}
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"**{tally(results)}**", width="content")
        wanted = address.kept("verdict", st.pills, "Show", list(VERDICTS), key="claims-show", selection_mode="multi",
                              format_func=lambda name: VERDICTS[name].word, label_visibility="collapsed",
                              help="Only claims with these verdicts; all of them where none is chosen.")
    asked = st.query_params.get("claim", "").upper()
    if asked and asked not in CLAIMS:
        st.warning(f"There is no claim '{escaped(asked[:20])}' here; all of them are shown.",
                   icon=":material/link_off:")
    shown = [name for name in CLAIMS if not wanted or verdict(CLAIMS[name], results[name]) in wanted or name == asked]
    for name in sorted(shown, key=lambda name: name != asked):  # stable: all others keep their order
        card(CLAIMS[name], results[name], open=name == asked)
    if not shown:
        st.info("No claim has such a verdict. Choose another above.", icon=":material/filter_alt:")


page()
