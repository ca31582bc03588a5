"""The lecture as a map: every section and numbered equation, what it says, and where it lives here. No torch.

`equation(16)` has its LaTeX, the code that computes it (`sources` finds file and line), pages that show it, claims
about it, and by `errata` where what is printed is wrong. The command is `vaecore lecture`, the page *Lecture*.
"""

from __future__ import annotations

from collections.abc import Iterator

from vaecore.lecture.entries import SEVERITIES, Door, Equation, Erratum, Section
from vaecore.lecture.equations import EQUATIONS
from vaecore.lecture.errata import ERRATA
from vaecore.lecture.sections import SECTIONS
from vaecore.schema import problem


def equation(number: int) -> Equation:
    """An equation by its number; raises `ConfigError` for one that the lecture does not have."""
    if not 1 <= number <= len(EQUATIONS):
        raise problem("lecture", number, "the lecture has no such equation.",
                      f"Its equations are 1 to {len(EQUATIONS)}.")
    return EQUATIONS[number - 1]


def section(name: str) -> Section:
    """A section by what the address calls it, as "posterior-collapse"; raises `ConfigError` where there is none."""
    found = next((each for each in SECTIONS if each.name == name), None)
    if found is None:
        raise problem("lecture", name[:80], "the lecture has no section of that name.",
                      "`vaecore lecture` lists sections and equations.")
    return found


def section_of(number: int) -> Section:
    """The section in which an equation stands."""
    return next(each for each in SECTIONS if equation(number).number in each.equations)


def errata(number: int) -> tuple[Erratum, ...]:
    """What is wrong with an equation, or has to be chosen in it."""
    return tuple(each for each in ERRATA if number in each.equations)


def errata_of(section: Section) -> tuple[Erratum, ...]:
    """What is wrong in a section besides its equations."""
    return tuple(each for each in ERRATA if each.id in section.errata)


def search(words: str) -> Iterator[tuple[Section, tuple[int, ...]]]:
    """Sections in which all words stand, each with those of its equations that have them, or all of its equations.

    A number in brackets, as "(16)", is an equation's; words are also found in claims, errata, code and formulas.
    """
    wanted = words.lower().split()
    for each in SECTIONS:
        own = _text(each.part, each.title, each.says, *each.code, *each.claims, *(door.label for door in each.doors),
                    *(text for one in errata_of(each) for text in _words(one)))
        found = tuple(n for n in each.equations if all(word in own + _of(n) for word in wanted)
                      and any(word in _of(n) for word in wanted))
        if found or all(word in own for word in wanted):
            yield each, found or each.equations


def _of(number: int) -> str:
    one = equation(number)
    return _text(f"({number})", one.latex, one.says, *one.code, *one.claims, *(door.label for door in one.doors),
                 *(text for each in errata(number) for text in _words(each)))


def _words(erratum: Erratum) -> tuple[str, ...]:
    return erratum.id, erratum.printed, erratum.correct, erratum.code


def _text(*parts: str) -> str:
    return " ".join(parts).lower()


__all__ = ["EQUATIONS", "ERRATA", "SECTIONS", "SEVERITIES", "Door", "Equation", "Erratum", "Section", "equation",
           "errata", "errata_of", "search", "section", "section_of"]
