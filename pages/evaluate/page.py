"""Evaluate: a checkpoint judged in the background, and what was found, each number with its settings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import streamlit as st

from pages.evaluate import asking
from pages.shared import address, changing, evaluating, evaluation, published, task
from pages.shared.checkpoints import listed, pick, with_weights
from pages.shared.moved import ask_where
from pages.shared.tables import offer
from pages.shared.words import escaped, span
from vaecore.evaluate.evaluation import Evaluation, Evidence
from vaecore.evaluate.kept import results as kept
from vaecore.evaluate.parts import PARTS, title
from vaecore.evaluate.results import Result, columns, finite, whole
from vaecore.evaluate.settings import Settings
from vaecore.lab import background
from vaecore.store import Run
from vaecore.tables import Column, Table

LIKE = ("split", "importance_samples", "observations", "seed")  # settings that comparable likelihoods share


# -- what to measure -------------------------------------------------------------------------------


def order(run: Run) -> bool:
    """The settings and the button; while one is running, how far it is. Whether one is running."""
    now = background.evaluation(run).progress()
    with st.container(border=True, gap="small", key="order"):
        if now.running:
            st.fragment(watch, run_every=1.0, key=f"watch-{run.id.replace('/', '-')}")(run)
            return True
        ask_where(run, "evaluate-where")
        settings = asking.settings(run)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            changing.button("Evaluate", key="evaluate-start", type="primary", icon=":material/play_arrow:",
                            on_click=start, args=(run,), disabled=settings is None,
                            help="In the background on this machine; it goes on when this page is closed. The same "
                                 "settings replace the earlier result.")
            if any(facts.settings == settings and not facts.partial for facts in kept(run)):
                st.caption("These settings have a result below; a new one replaces it.", width="content")
            several(run, settings)
        task.ended(key_of(run), now, good=any(line.startswith(background.KEPT) for line in now.lines))
    return False


def several(run: Run, settings: Settings | None) -> None:
    """Other runs to be evaluated with the same settings, one after the other."""
    names = {one.id: one for one in with_weights()}
    offered = listed(names.values(), [run.id])
    with st.popover("Many runs", icon=":material/playlist_add:", key="evaluate-several",
                    help="Several runs with these settings, one after the other."):
        chosen = st.multiselect("Runs", offered.ids, key="evaluate-runs", default=[run.id],
                                format_func=lambda name: offered.lines.get(name, name),
                                help="They wait for each other; what does not apply to one is left out.")
        changing.button("Queue", key="evaluate-queue", icon=":material/playlist_play:", type="primary",
                        on_click=start_several, args=(names,), disabled=settings is None or not chosen,
                        help="In the background; it goes on when this page is closed, and after the server ends.")


def start_several(names: Mapping[str, Run]) -> None:
    """Queue an evaluation of the runs that are chosen."""
    if (settings := asking.entered()) is not None:
        evaluating.submit([names[name] for name in st.session_state["evaluate-runs"]], settings)


def start(run: Run) -> None:
    """Begin in the background."""
    if (settings := asking.entered()) is None:
        return  # the page says why
    st.session_state[f"{key_of(run)}-asked"] = settings
    task.start(background.evaluation(run), key_of(run), settings.words())


def key_of(run: Run) -> str:
    """Under which its evaluation stands in the session."""
    return f"evaluate-{run.id}"


def watch(run: Run) -> None:
    """How far it is, every second until it ends."""
    job = background.evaluation(run)
    now = job.progress()
    if not now.running:
        st.rerun()  # the page shows what came of it, and looks no more
    asked: Settings | None = st.session_state.get(f"{key_of(run)}-asked")  # unknown where another session began it
    whole = asking.offer(run, asked) if asked else None
    task.running(job, key_of(run), now, of=f", {span(whole.seconds, whole.at_most)} in all" if whole else "",
                 label="Cancel", button="evaluate-stop", help="What is done by then is kept, and marked as partial.")
    where = background.reached(now.lines)
    part, share = where if where else ("", 0.0)
    words = f"{title(part)}: {share:.0%}" if part else "Getting ready …"
    if whole and part in whole.took:
        words += f", step {list(whole.took).index(part) + 1} of {len(whole.took)}"
        share = whole.share(part, share)
    st.progress(max(share, 0.01), text=words)  # what has begun is seen, however long the rest takes


# -- what was found --------------------------------------------------------------------------------


def results(run: Run, *, running: bool) -> None:
    """One evaluation in full, all of the run's in a table, and those of other runs with the same settings."""
    found = kept(run)
    ended = not running and st.session_state.pop(f"{key_of(run)}-asked", None)
    if not found and running:
        st.info(f"{escaped(run.id)} is being evaluated for the first time. What is found will stand here when it has "
                "ended.", icon=":material/hourglass_top:")
        return
    if not found:
        st.info(f"{escaped(run.id)} has not been evaluated yet. Choose what to measure above and press Evaluate.",
                icon=":material/straighten:")
        return
    newest = named(found)
    if ended:  # what it found is wanted to be seen; a browser keeps its choice where the session has none
        st.session_state[f"evaluate-shown-{run.id}"] = next(iter(newest))
        address.write("evaluation", [])
    chosen = found[-1] if len(found) == 1 else newest[address.kept(
        "evaluation", st.selectbox, "Evaluation", list(newest), of_run=True, key=f"evaluate-shown-{run.id}",
        format_func=lambda name: evaluation.headline(newest[name]),
        help="Every evaluation of this run, newest first. Numbers of different settings do not compare.")]
    outdated(run, chosen)
    evaluation.show(chosen)
    published.beside(run)
    if len(found) > 1:
        table([(run.id, facts) for facts in reversed(found)], "Every evaluation of this run", "history",
              "A row is one evaluation with its settings. Rows with another split, K, number of observations or seed "
              "do not compare.")
    beside(run, chosen)


def named(found: Sequence[Evaluation]) -> dict[str, Evaluation]:
    """Evaluations by their words in the address, the newest first: a place in the list would soon be another's."""
    words: dict[str, Evaluation] = {}
    times: Counter[str] = Counter()
    for facts in found:
        times[when := re.sub("[^0-9]+", "-", facts.date).strip("-") or "undated"] += 1
        words[when if times[when] == 1 else f"{when}-n{times[when]}"] = facts
    return dict(reversed(words.items()))


def outdated(run: Run, facts: Evaluation) -> None:
    """A warning where the run has other weights by now."""
    from vaecore.training.checkpoints import WEIGHTS, BrokenCheckpoint, step_of

    try:
        step = step_of(run.path / WEIGHTS)
    except BrokenCheckpoint as error:
        st.error(escaped(f"{run.id} cannot be opened. {error}"), icon=":material/broken_image:")
        return
    if facts.step not in (None, step):
        st.warning(f"This was found of the weights of step {whole(facts.step)}; the run has those of "
                   f"step {step:,} by now. Evaluate it again.", icon=":material/update:")


def beside(run: Run, facts: Evaluation) -> None:
    """The same settings of other runs on the same data; how many are left out for other settings."""
    alike, other = [(run.id, facts)], 0
    for one in with_weights():
        if one.id == run.id:
            continue
        there = [each for each in kept(one) if not each.partial]
        same = [each for each in there if comparable(each, facts)]
        other += bool(there) and not same
        if same:
            alike.append((one.id, same[-1]))
    left = (f" {other} other {'run is' if other == 1 else 'runs are'} left out: evaluated with other settings, or on "
            "other data, pixels or likelihood." if other else "")
    if len(alike) > 1 and not facts.partial:
        settings = facts.settings
        observed = f"{settings.observations:,}" if settings.observations else "all"
        sampled = "" if facts.exact else f"K = {settings.importance_samples:,}, "
        table(alike, "Beside other runs", "beside",
              f"All on {settings.split}, {sampled}{observed} observations, "
              f"seed {settings.seed}; same data, pixels and likelihood.{left}")
    elif left:
        st.caption(f"No other run has an evaluation that compares with this one.{left}")


def comparable(a: Evaluation, b: Evaluation) -> bool:
    """Whether their likelihoods can be set against each other."""
    same_data = a.identity == b.identity if a.identity and b.identity else a.data == b.data
    return (same_data and all(getattr(a.settings, name) == getattr(b.settings, name) for name in LIKE)
            and (a.pixels, a.likelihood_name, a.conditional) == (b.pixels, b.likelihood_name, b.conditional))


def numbers(found: Result | None) -> dict[str, float | None]:
    """The numbers of a result that have a column."""
    return {} if found is None else {each.column.name: finite(getattr(found, each.name))
                                     for each in columns(type(found)) if each.column}


def table(rows: list[tuple[str, Evaluation]], heading: str, key: str, caption: str) -> None:
    """Evaluations, a row each: the settings, the evidence, and of each part what has a column and compares."""
    import pandas as pd

    st.subheader(heading, anchor=False)
    first = rows[0][1].found
    frame = pd.DataFrame([{
        "Run": name, "Date": facts.date + (" (partial)" if facts.partial else ""), "Split": facts.settings.split,
        "K": 0 if facts.exact else facts.settings.importance_samples, "Seed": facts.settings.seed,
        "ELBO": finite(facts.bound), **facts.evidence.errors,
        **{title: value for part, found in facts.found.items() if part not in first or found.alike(first[part])
           for title, value in numbers(found).items()}} for name, facts in rows]).dropna(axis=1, how="all")
    number = st.column_config.NumberColumn
    kinds: list[type[Result]] = [Evidence, *(part.result for part in PARTS.values())]
    declared = [each.column for kind in kinds for each in columns(kind) if each.column]
    config = {"Run": st.column_config.TextColumn(pinned=True),
              "K": number(help="Importance samples; 0 where log p(x) is exact."),
              **{each.name: number(format=each.format, help=each.help) for each in declared},
              **{name: number(format="%.4f", help="Per observed number.") for name in frame.columns
                 if name == "MSE" or name.startswith("MSE of ")}}
    st.dataframe(frame, hide_index=True, height="content", placeholder="–", key=f"evaluate-{key}",
                 column_config={name: config[name] for name in frame.columns if name in config})
    st.caption(caption)
    offer(Table([Column(name, name) for name in frame.columns], frame.to_dict("records"), title=heading,
                notes=[caption]), f"evaluations-{key}")


# -- the page --------------------------------------------------------------------------------------


with st.container(key="head"):
    st.title("Evaluate", anchor=False)
    st.markdown("How good a run is: its likelihood, its reconstructions, its samples and its code. Each number "
                "stands with the settings it depends on.", width=900)
    run = pick("Run", page="evaluate", key="evaluate-run")
if run is not None:
    running = order(run)
    evaluating.queue()
    results(run, running=running)
