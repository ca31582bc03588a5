"""What the lecture's table is made of: equations, sections, errata, and the doors from them into the laboratory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["H", "M", "L"]  # a wrong result, a choice to make and state, notation
SEVERITIES: dict[Severity, str] = {"H": "a wrong result", "M": "a choice to make", "L": "notation"}


@dataclass(frozen=True)
class Door:
    """A page that shows something, opened at it."""

    label: str
    address: str  # of the dashboard, with its parameters: "/traverse?run=gallery/vae"


@dataclass(frozen=True)
class Erratum:
    """Where coding what is printed goes wrong: `docs/errata.md` has the same words."""

    id: str
    severity: Severity
    where: str
    printed: str
    correct: str
    code: str  # where the code does what is correct, in words
    equations: tuple[int, ...] = ()
    formula: str = ""  # the corrected one as LaTeX, where there is one

    @property
    def latex(self) -> str:
        """The corrected formula in one line; empty where there is none."""
        return " ".join(self.formula.split())


@dataclass(frozen=True)
class Equation:
    """A numbered equation as the lecture prints it, and where it lives here."""

    number: int
    formula: str  # LaTeX, in as many lines as it takes
    says: str
    code: tuple[str, ...]  # dotted paths of what computes it
    doors: tuple[Door, ...]
    claims: tuple[str, ...] = ()

    @property
    def latex(self) -> str:
        """The formula in one line, without its number."""
        return " ".join(self.formula.split())


@dataclass(frozen=True)
class Section:
    """Slides under one title, with the equations on them."""

    part: str
    title: str
    says: str
    equations: tuple[int, ...] = ()
    code: tuple[str, ...] = ()  # of what no numbered equation has
    doors: tuple[Door, ...] = ()
    claims: tuple[str, ...] = ()
    errata: tuple[str, ...] = ()  # besides those of its equations

    @property
    def name(self) -> str:
        """What the address calls it: "posterior-collapse"."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())
