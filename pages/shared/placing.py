"""Where it runs, beside a button that starts trainings: this machine, or a cluster where there is one.

One quiet button that opens a form, drawn from the declaration of the places. What was chosen stays for the session,
and stands in the address.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import streamlit as st

from pages.shared.form import draft
from pages.shared.form.draft import Draft
from pages.shared.form.drawing import Pen
from pages.shared.form.tree import Group, Leaf
from pages.shared.words import escaped
from vaecore import permission
from vaecore.lab import Here, Slurm, cluster
from vaecore.lab.scheduler import Partition
from vaecore.lab.where import FIELDS, PLACES, Submission, asked, in_words, meant
from vaecore.schema import ConfigError, Problem, flag, parse

KEY = "where"  # of what is entered, in the session
ICONS = {"here": ":material/computer:", "slurm": ":material/dns:"}
ADDRESS = ("on", *FIELDS)


def choose(what: str = "it runs", *, without: tuple[str, ...] = ()) -> Here | Slurm | None:
    """The button and its form; the place that is chosen, None where what is entered cannot be used.

    Fields in `without` are not asked for, and stay as usual whatever was chosen for them on another page. Once on a
    page.
    """
    _from_address()
    group = draft.now(Submission(), KEY).groups[0]
    place, problems = _entered(group)
    if place is not None:
        usual = type(place)()
        place = place.model_copy(update={name: getattr(usual, name) for name in without
                                         if name in type(place).model_fields})
    words = "Cannot be used as entered" if place is None else in_words(place)
    with st.popover(words, icon=ICONS[group.chosen] if place else ":material/error:", type="tertiary", width="stretch",
                    key=f"{KEY}-popover", help=f"Where {what}: this machine or a cluster."):
        _form(group, problems, without)
    if place is not None:
        _to_address(place)
    return place


def inline() -> Here | Slurm | None:
    """The form where it stands among other things, only where there is a cluster; the place that is chosen."""
    group = draft.now(Submission(), KEY).groups[0]
    place, problems = _entered(group)
    if cluster.refusal() and group.chosen == "here":
        return place
    _form(group, problems, ())
    return place


def other(last: Here | Slurm) -> tuple[Here | Slurm, str] | None:
    """Another place than that of last time where a run can be resumed, and what a button for it says.

    From a cluster this machine; from here the cluster that was chosen in this session.
    """
    if isinstance(last, Slurm):
        return Here(), "Resume here"
    _from_address()  # the queue may be drawn before the form
    place, _ = _entered(draft.now(Submission(), KEY).groups[0])
    return (place, "Resume on SLURM") if isinstance(place, Slurm) and not trouble(place) else None


def trouble(place: Here | Slurm | None) -> str:
    """Why nothing can be started there, in a sentence; empty where it can."""
    if place is None:
        return "Where it runs: mend what is marked there."
    return cluster.refusal() if isinstance(place, Slurm) else ""


def options(place: Here | Slurm | None) -> str:
    """The place as options of a command, with a space before them; empty for the usual one."""
    if place is None or place == Here():
        return ""
    return " " + shlex.join([word for name, value in asked(place).items() for word in (flag(name), value)])


def _entered(group: Group) -> tuple[Here | Slurm | None, tuple[Problem, ...]]:
    values = draft.entered(group, Draft(KEY))
    try:
        return parse(Submission, {group.path: values}).where, ()
    except ConfigError as error:
        return None, error.problems


def _form(group: Group, problems: tuple[Problem, ...], without: tuple[str, ...]) -> None:
    entries, refusal = Draft(KEY), cluster.refusal()
    pen = Pen(entries, problems)
    titles: Mapping[str, str] = {tag: each.title for tag, each in PLACES.items()}
    with st.container(width=520, gap="small"):
        # What was chosen before the cluster went away can be taken back.
        st.segmented_control("Where it runs", list(titles), key=entries.place(group.tag_path, group.chosen),
                             format_func=lambda tag: titles[tag], required=True,
                             disabled=bool(refusal) and group.chosen == "here",
                             help="The same training, the same folder: only who runs it differs.")
        if refusal:
            st.caption(f":material/cloud_off: {escaped(refusal)}")
        leaves = [leaf for leaf in group.leaves if leaf.name not in without]
        if group.chosen == "slurm":
            with pen.grid():
                for leaf in leaves:
                    if leaf.name == "partition":
                        _partition(pen, leaf)
                    elif not leaf.advanced:
                        pen.leaf(leaf)
            st.caption("Its nodes see the same store. A training that reaches its time limit saves, is queued again "
                       "and goes on.")
        folded = [leaf for leaf in leaves if leaf.advanced]
        with st.expander("Advanced", icon=":material/tune:", type="compact", key=f"{KEY}-advanced",
                         expanded=any(pen.of(leaf.path) for leaf in folded)), pen.grid():
            for leaf in folded:
                pen.leaf(leaf)


def _partition(pen: Pen, leaf: Leaf) -> None:
    """The partitions that the cluster tells of, or any other that is written."""
    there = {each.name: each for each in cluster.partitions() if not permission.refusal()}  # not for strangers
    usual = next((each.name for each in there.values() if each.default), "")
    value = pen.draft.leaf(leaf)

    def said(name: str) -> str:
        if not name:
            return f"{usual} (default)" if usual else "Default"
        return f"{name} · {_facts(there[name])}" if name in there else name

    st.selectbox(leaf.label, list(dict.fromkeys(["", *there, value])), key=pen.draft.place(leaf.path, value),
                 format_func=said, accept_new_options=True, help=leaf.help)
    pen.complain(leaf.path, leaf.info)


def _facts(partition: Partition) -> str:
    """What a partition has, in a few words."""
    limit = "" if partition.minutes is None else f", at most {partition.minutes:,} min"
    gpus = f", {partition.gpus} GPU{'s' * (partition.gpus != 1)} each" if partition.gpus else ""
    nodes = f"{partition.nodes} node{'s' * (partition.nodes != 1)}"
    return f"{nodes}{gpus}{limit}{'' if partition.up else ', down'}"


# -- the address -----------------------------------------------------------------------------------


def _from_address() -> None:
    """What a link asks for is entered, once; one that cannot be used is passed over, and said to be."""
    said = {name: st.query_params[name][:300] for name in ADDRESS if name in st.query_params}
    if not said or said == st.session_state.get(f"{KEY}:address"):
        return
    st.session_state[f"{KEY}:address"] = said
    try:
        place = meant(said)
    except ConfigError as error:
        st.toast(f"Where it runs is not taken from the address. {escaped(str(error))}", icon=":material/link_off:")
        return
    if place is not None:
        draft.now(Submission(), KEY)
        draft.enter(KEY, Submission(where=place))


def _to_address(place: Here | Slurm) -> None:
    told = {} if place == Here() else asked(place)
    for name in ADDRESS:
        if name in told:
            if st.query_params.get(name) != told[name]:
                st.query_params[name] = told[name]
        elif name in st.query_params:
            del st.query_params[name]
    st.session_state[f"{KEY}:address"] = told
