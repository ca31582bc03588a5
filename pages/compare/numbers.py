"""All evaluated numbers of the compared runs, with intervals, and their differences from one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.shared import address, changing, evaluating
from pages.shared.names import names
from pages.shared.tables import offer
from pages.shared.words import escaped
from vaecore.evaluate.settings import Settings
from vaecore.library.headline import Headline, comparable
from vaecore.memory import held
from vaecore.store import Run

if TYPE_CHECKING:
    import pandas as pd

    from vaecore.comparison.numbers import Comparison
    from vaecore.library.fields import Field

UNSET, UNLIKE = "–", " ≠"
GREY = "color: rgba(128, 128, 128, 0.75)"  # a difference inside its interval
REFERENCE = "background-color: rgba(128, 128, 128, 0.16)"
FILES = ("config.json", "about.json", "summary.json", "evaluation.json", "points.safetensors", "weights.safetensors")
IN_NATS = ("elbo", "log_p", "log_p_given_z", "log_p_is")  # of which it matters what they are: a bound, exact ...
PARTS = ("likelihood", "reconstruction")  # what is found of each observation


def numbers(runs: list[Run], facts: list[Headline]) -> None:
    """Every number, a row a run, each kind of observation in a table of its own."""
    st.subheader("Numbers", anchor=False, help="Of the evaluations of these runs, with equal settings where there are "
                 "such; of a run without one, of the end of its training, as lists of runs and the planes have "
                 "them: an evaluation has noise of its own. ± is half a 95 % interval over the "
                 "observations: by bootstrap, that of a Fréchet distance by jackknife, of clips by standard error.")
    kinds: dict[str, list[Run]] = {}
    for run, one in zip(runs, facts, strict=True):
        kinds.setdefault(one.one, []).append(run)
    for place, (kind, those) in enumerate(kinds.items()):
        if len(kinds) > 1:
            st.markdown(f"**Models of {escaped(kind)}s**")
        _table(those, f"{place or ''}")
    if reasons := comparable(facts):
        st.warning("Numbers in nats are not comparable here: the runs differ in "
                   f"{escaped(', in '.join(reasons))}. "
                   "Each is right on its own; set only runs of the same data, pixels or words, and likelihood against "
                   "each other.", icon=":material/balance:")
    if len({f.has_kl for f in facts if not f.exact}) > 1:
        st.caption("A VAE's ELBO and an autoencoder's log p(x|z) are different things: only the first pays for its "
                   "code. Compare their MSE.")
    for problem in (f.problem for f in facts if f.problem):
        st.warning(escaped(problem), icon=":material/broken_image:")
    evaluating.queue()


def _table(runs: list[Run], key: str) -> None:
    ids = [run.id for run in runs]
    reference, differences, called = ids[0], False, names(runs)
    if len(runs) > 1:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            reference = address.kept(f"reference{key}", st.selectbox, "Reference", ids, key=f"reference{key}",
                                     width=320, format_func=called.__getitem__, help="The run that differences are "
                                     "from, and whose settings an evaluation of the others should have.")
            differences = address.kept(f"differences{key}", st.toggle, "Differences", key=f"differences{key}",
                                       help="From the reference, on the same observations where both runs kept their "
                                       "values: grey where the interval holds 0, so that it may be none.")
    found = _compared(tuple(str(run.path) for run in runs), tuple(map(_stamps, runs)), reference, runs)
    st.dataframe(_styled(found, differences), height="content", placeholder=UNSET, key=f"compare-numbers{key}",
                 column_config=_columns(found))
    with st.container(horizontal=True, vertical_alignment="center"):
        offer(found.table(differences=differences), f"compare-numbers{key}")
        for note in _notes(found, called, differences):
            st.caption(escaped(note), width="content")
    _unpaired(found, called, key)


def _styled(found: Comparison, differences: bool) -> pd.io.formats.style.Styler:
    """Numbers as numbers, so that the table sorts, shown with their intervals."""
    import pandas as pd

    table = found.table(differences=differences)
    titles = {field.key: field.title for field in found.fields}
    called = names([one.run for one in found.runs])
    about = [{"Run": called[one.id], "Family": one.headline.family, "Data": one.headline.data,
              "r": one.headline.latent_size, "Evaluated": one.evaluation.date if one.evaluation else None,
              **({"Id": one.id} if called[one.id] != one.id else {})} for one in found.runs]
    frame = pd.DataFrame([{"Run": facts["Run"], **{title: table.cell(row, key).value for key, title in titles.items()},
                           **facts} for facts, row in zip(about, table.rows, strict=True)]).set_index("Run")
    for title in titles.values():
        frame[title] = frame[title].astype(float)
    styled, said = frame.style, table.said()
    for column, field in enumerate(found.fields, 1):
        for place, one in enumerate(found.runs):
            unlike = field.key in one.numbers and bool(found.unlike(field.key, one.id))
            what = found.differences.get((field.key, one.id)) if differences else None
            plus = "+" if what is not None and what.value > 0 else ""
            words = plus + said[place][column].replace("-", "−") + (UNLIKE if unlike else "")
            styled = styled.format(lambda _, words=words: words, subset=pd.IndexSlice[[called[one.id]], [field.title]])
            if what is not None and what.inside:
                styled = styled.map(lambda _: GREY, subset=pd.IndexSlice[[called[one.id]], [field.title]])
    if len(found.runs) > 1:
        styled = styled.map(lambda _: REFERENCE, subset=pd.IndexSlice[[called[found.reference]], :])
    return styled


def _columns(found: Comparison) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    kinds = {field.key: sorted({one.numbers[field.key].kind for one in found.having(field.key)} - {""})
             for field in found.fields}
    def heading(field: Field) -> str:
        what = [field.unit if field.unit != "share" else "", *(kinds[field.key] if field.key in IN_NATS else ())]
        return f"{field.title} ({', '.join(filter(None, what))})" if any(what) else field.title

    return {"Run": text(pinned=True, help="The run's name, or its id."), "Id": text(help="The run's folder."),
            "Family": text(help="Kind of model."), "Data": text(help="Data set, and which copy of it."),
            "r": number(help="Dimensions of the latent code."),
            "Evaluated": text(width="small", help="When the evaluation was made that these numbers are of; empty where "
                              "they are of the end of the training."),
            **{field.title: number(heading(field), help=" ".join(filter(None, [
                field.help, f"{field.better.capitalize()} is better." if field.better else ""])))
               for field in found.fields}}


def _notes(found: Comparison, called: dict[str, str], differences: bool) -> list[str]:
    """What stands below the table: which runs do not compare and why, each reason once."""
    reasons: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}  # by run, the run it is set against, and why
    for field in found.fields:
        for one in found.having(field.key):
            if refused := found.unlike(field.key, one.id):
                reasons.setdefault((called[one.id], found.standard(field.key), refused), []).append(field.title)
    alike: dict[tuple[str, tuple[str, ...], str], list[str]] = {}  # runs of which the same is to be said
    for (run, standard, refused), titles in reasons.items():
        alike.setdefault((standard, refused, ", ".join(titles)), []).append(run)
    told = [f"≠ {titles} of {', '.join(runs)}: other {', other '.join(refused)} than of "
            f"{called.get(standard, standard)}. Such numbers neither rank nor are paired."
            for (standard, refused, titles), runs in alike.items()]
    if differences and any(what.inside for what in found.differences.values()):
        told.insert(0, "Grey: the interval of the difference holds 0.")
    return told + [one.outdated for one in found.runs if one.outdated]


def _unpaired(found: Comparison, called: dict[str, str], key: str) -> None:
    """Runs whose values by observation are missing, and the button that finds them."""
    missing = [one for one in found.runs if not one.pointed]
    if not missing:
        return
    settings = _settings(found)
    with st.container(horizontal=True, vertical_alignment="center", key=f"unpaired{key}"):
        those = ", ".join(called[one.id] for one in missing[:4]) + (
            f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        st.caption(f":material/link_off: Not paired: of {escaped(those)} no evaluation has kept its value at each "
                   "observation. Until then a difference is judged by standard errors, unpaired.", width="content")
        changing.button("Evaluate these", key=f"evaluate-missing{key}", icon=":material/straighten:",
                        on_click=evaluating.submit, args=([one.run for one in missing], settings),
                        help=f"In the queue, one after the other: likelihood and reconstruction of {settings.split}, "
                        f"K = {settings.importance_samples:,}, {settings.observations or 'all'} observations.")


def _settings(found: Comparison) -> Settings:
    """Those of the reference's evaluation, for what is found of each observation."""
    chosen = found[found.reference].evaluation
    return (chosen.settings if chosen else Settings()).model_copy(update={"parts": PARTS})


def _stamps(run: Run) -> tuple[int, ...]:
    """When what the numbers are read from was last written."""
    from vaecore.evaluate.kept import file_of, points_file

    paths = [*(run.path / name for name in FILES), file_of(run), points_file(run)]
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


@held
def _compared(paths: tuple[str, ...], stamps: tuple[tuple[int, ...], ...], reference: str,  # noqa: ARG001 (the key)
              _runs: list[Run]) -> Comparison:
    from vaecore.comparison.numbers import compare

    return compare(_runs, reference=reference)
