"""Lecture: every section and equation of it, typeset, and the way from each into the laboratory."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from pages.lecture import terms
from pages.shared import address
from pages.shared.checkpoints import store
from pages.shared.verdicts import VERDICTS, verdict
from pages.shared.words import escaped
from vaecore import lecture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vaecore.lecture import Door, Equation, Erratum, Section

HERE = "lecture/page.py"
FOUND = 12  # sections that a search shows whole
# A wide formula scrolls its card, whose links the keyboard reaches, and never the page. All links to this page would be
# marked as the open one, and cut.
LAYOUT = """<style>
.st-key-lecture .katex-display { overflow: visible !important; }
.st-key-lecture :is([class*="st-key-equation-"], [class*="st-key-terms-"], [class*="st-key-found-"]) {
  overflow-x: auto;
}
.st-key-lecture [data-testid="stPageLink-NavLink"] { background-color: transparent; height: auto; }
.st-key-lecture [data-testid="stPageLink-NavLink"]:hover { background-color: rgba(128, 128, 128, .15); }
.st-key-lecture [data-testid="stPageLink-NavLink"] * { white-space: normal; font-weight: inherit; }
</style>"""


# -- doors -----------------------------------------------------------------------------------------


def door(one: Door) -> None:
    """A link to a page, opened at what shows it."""
    at = urlsplit(one.address)
    name = at.path.removeprefix("/")
    st.page_link(f"{name.replace('-', '_')}/page.py", label=one.label, icon=":material/arrow_outward:",
                 query_params=parse_qsl(at.query), help="Opens it there.")


def short(dotted: str) -> str:
    """A method with its class, anything else by its own name."""
    *_, above, name = dotted.split(".")
    return f"{above}.{name}" if above[0].isupper() else name


def doors(opened: Sequence[Door], code: Sequence[str], claims: Sequence[str], key: str) -> None:
    """Pages, code as Python finds it, and claims with their verdicts."""
    from vaecore.lecture.sources import source
    from vaecore.studies import CLAIMS, kept

    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for one in opened:
            door(one)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for dotted in code:
            found = source(dotted)
            with st.popover(short(dotted), icon=":material/code:", key=f"code-{key}-{dotted}", help=found.place):
                st.caption(f"`{found.place}`")
                st.code(found.text, language="python", wrap_lines=True,
                        height=min(520, 40 + 21 * found.text.count("\n")))
    for name in claims:
        look = VERDICTS[verdict(CLAIMS[name], kept(store(), name))]
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.page_link("claims/page.py", label=f"{name} · {CLAIMS[name].title}", icon=":material/fact_check:",
                         query_params={"claim": name}, help="What the paper says, the experiment and its numbers.")
            st.badge(look.word, icon=look.icon, color=look.colour)


def erratum(one: Erratum) -> None:
    """What is printed, what is correct, and that the code does it."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(f"**Erratum {one.id}**", width="content")
            st.badge(lecture.SEVERITIES[one.severity], color="orange" if one.severity == "H" else "gray")
        st.markdown(f"Printed: {escaped(one.printed)}  \nCorrect: {escaped(one.correct)}")
        if one.latex:
            st.latex(one.latex)
        st.caption(f"In the code: {one.code}")


# -- a section -------------------------------------------------------------------------------------


def typeset(one: Equation) -> str:
    """The formula and its number. A tag at the right edge would lie over a wide formula, or scroll away."""
    return rf"{one.latex} \qquad ({one.number})"


def equation(one: Equation, *, linked: bool = True) -> None:
    """An equation as the lecture prints it, and everything that is known of it."""
    with st.container(border=True, key=f"equation-{one.number}", gap="small"):
        st.latex(typeset(one))
        st.markdown(escaped(one.says))
        doors(one.doors, one.code, one.claims, f"e{one.number}")
        for each in lecture.errata(one.number):
            erratum(each)
        if linked:
            st.page_link(HERE, label=f"This equation alone, ({one.number})", icon=":material/link:",
                         query_params={"equation": str(one.number)}, help="Its own address, to send or to show.")


def section(one: Section, alone: int | None) -> None:
    """A section with its equations, or one of these alone, and the terms of the ELBO where it has one."""
    at = lecture.SECTIONS.index(one)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.page_link(HERE, label="The whole lecture", icon=":material/map:", query_params={},
                     help="All sections and equations on one page.")
        if alone is not None:
            st.page_link(HERE, label="The whole section", icon=":material/unfold_more:",
                         query_params={"section": one.name}, help="All equations of this section.")
        for step, label, icon in ((-1, "Before", ":material/arrow_back:"), (1, "Next", ":material/arrow_forward:")):
            if 0 <= at + step < len(lecture.SECTIONS):
                other = lecture.SECTIONS[at + step]
                st.page_link(HERE, label=f"{label}: {other.title}", icon=icon, query_params={"section": other.name},
                             help=other.says)
    st.caption(one.part)
    st.subheader(one.title, anchor=False)
    st.markdown(escaped(one.says))
    with st.spinner("Finding the code …"):  # (importing it brings torch, which takes seconds the first time)
        if alone is None:
            doors(one.doors, one.code, one.claims, one.name)
            for each in lecture.errata_of(one):
                erratum(each)
        shown = one.equations if alone is None else (alone,)
        apart = next((number for number in shown if number in terms.FIRST), None)  # one a page: its x, z and term
        for number in shown:                                                       # stand in the address
            equation(lecture.equation(number), linked=alone is None)
            if number == apart:
                terms.panel(number)


# -- the map ---------------------------------------------------------------------------------------


def numbers(one: Section, found: Sequence[int]) -> str:
    """The equations of a section and what is wrong in it: "(17) (18)  E3"."""
    wrong = {each.id for n in found for each in lecture.errata(n)} | set(one.errata)
    return " ".join([*(f"({n})" for n in found), *(each.id for each in lecture.ERRATA if each.id in wrong)])


def the_map() -> None:
    """Every section by its part, each a link, with its equations and errata."""
    parts = list(dict.fromkeys(one.part for one in lecture.SECTIONS))
    with st.grid(3, min_column_width=330, gap="medium"):
        for part in parts:
            with st.container(border=True, gap="xsmall", key=f"part-{parts.index(part)}"):
                st.markdown(f"**{part}**")
                for one in lecture.SECTIONS:
                    if one.part == part:
                        said = numbers(one, one.equations)
                        st.page_link(HERE, label=f"{one.title} {f':gray[{said}]' if said else ''}".strip(),
                                     query_params={"section": one.name}, help=one.says)


def results(words: str) -> None:
    """The sections in which these words stand, with the equations that have them."""
    found = list(lecture.search(words))
    if not found:
        st.info("Nothing in the lecture has all of these words. Search for a number as (16), a claim as C13, an "
                "erratum as E3, or a word as prior.", icon=":material/search_off:")
        return
    equations = sum(len(those) for _, those in found)
    st.caption(f"{len(found)} {'section' if len(found) == 1 else 'sections'}, {equations} "
               f"{'equation' if equations == 1 else 'equations'}"
               f"{f'; the first {FOUND} sections are shown' if len(found) > FOUND else ''}")
    for one, those in found[:FOUND]:
        with st.container(border=True, gap="xsmall", key=f"found-{one.name}"):
            st.page_link(HERE, label=f"**{one.title}** :gray[{numbers(one, those)}]", help="Open this section.",
                         query_params={"section": one.name})
            st.markdown(escaped(one.says))
            for number in those:
                st.latex(typeset(lecture.equation(number)))


# -- the page --------------------------------------------------------------------------------------


def asked() -> tuple[Section | None, int | None]:
    """The section and the equation that the address asks for; says on the page where there is no such thing."""
    number, name = st.query_params.get("equation"), st.query_params.get("section")
    if number is not None:
        wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 5 else 0
        if 1 <= wanted <= len(lecture.EQUATIONS):
            return lecture.section_of(wanted), wanted
        st.warning(f"There is no equation '{escaped(number[:20])}': they are (1) to ({len(lecture.EQUATIONS)}).",
                   icon=":material/link_off:")
    if name is not None:
        found = next((one for one in lecture.SECTIONS if one.name == name), None)
        if found is not None:
            return found, None
        st.warning(f"The lecture has no section '{escaped(name[:60])}'; all of them are shown.",
                   icon=":material/link_off:")
    return None, None


def page() -> None:
    """What is searched for, the open section, or the map."""
    st.html(LAYOUT)
    with st.container(key="lecture", gap="small"):
        st.title("Lecture", anchor=False)
        one, alone = asked()
        if one is not None:
            section(one, alone)
            return
        st.markdown("The lecture on variational autoencoders as a map: what each section and equation says, the page "
                    "that shows it, the code that computes it, the claims about it, and where what is printed is "
                    "wrong.", width=900)
        words = address.kept("find", st.text_input, "Search", key="find", icon=":material/search:", max_chars=80,
                             placeholder="a word, (16), C13, E3", width=420,
                             help="Sections and equations that have all of these words, in titles, sentences, "
                             "formulas, code, claims or errata.").strip()
        if words:
            results(words)
        else:
            the_map()


page()
