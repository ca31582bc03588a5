"""Tables as they leave the laboratory: CSV for machines, Markdown and LaTeX for papers. No torch in here.

A `Table` is columns and rows. A row is a mapping from a column's key to its cell: a plain value (text, a whole number,
a real number, yes or no, None for none), or a `Cell`, which has besides how far the number may be off, and a note:

    Table([Column("run", "Run"), Column("elbo", "ELBO", unit="nats", digits=1, better="higher")],
          [{"run": "vae", "elbo": Cell(-86.34, spread=0.41)}, {"run": "pca", "elbo": None}]).markdown()

    | Run | ELBO (nats) |
    | --- | ---: |
    | vae | -86.3 ± 0.4 |
    | pca | – |

CSV has every number in full, and what it may be off in a column of its own beside it. Text in it that a spreadsheet
would take for a formula gets a quote in front; numbers stay numbers. In Markdown and LaTeX all text is inert, and
numbers have the digits of their column. The best of a column is bold where it says which way is better; leave `better`
empty where numbers do not rank, as those of unlike settings.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

UNSET = "–"  # what a row does not have
SHARE = "share"  # the unit of what is told in percent, as `vaecore.evaluate.results` has it
FORMULA = re.compile(r"^\s*[-=+@＝＋－＠]|^\t")  # what a spreadsheet takes for one
MARKDOWN = re.compile(r"[\\`*_\[\]{}$~#|^!]")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
TURNED = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # signs that turn the direction of a line
# A row that began with [ or * would be taken for an option of the line break before it.
IN_MATHEMATICS = str.maketrans({",": "{,}", "∞": r"\infty", "%": r"\%"})
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "[": "{[}", "]": "{]}", "*": "{*}",
    "–": "--", "—": "---", "…": r"\ldots{}", "−": "$-$", "±": r"$\pm$",
    "×": r"$\times$", "→": r"$\to$", "≤": r"$\leq$", "≥": r"$\geq$", "∞": r"$\infty$", "²": "$^2$", "³": "$^3$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$", "λ": r"$\lambda$",
    "μ": r"$\mu$", "π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "Δ": r"$\Delta$",
    "‖": r"$\|$", "·": r"$\cdot$", "°": r"$^\circ$", "₂": "$_2$", "\u2060": ""}
Value = str | float | int | bool | None


@dataclass(frozen=True)
class Cell:
    """One cell: its value, `spread`, how far a number may be off to either side, and a sentence about it."""

    value: Value
    spread: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its key in a row and in `facts`, and how it is shown.

    Of the unit `SHARE` 0.826 reads as 82.6%. `digits` are those after the point; without them a real number has four
    that count. The best of the column is bold where `better` says which way.
    """

    key: str
    title: str
    unit: str = ""
    digits: int | None = None
    better: Literal["higher", "lower", ""] = ""
    help: str = ""

    @property
    def heading(self) -> str:
        """The title with its unit."""
        return f"{self.title} ({self.unit})" if self.unit not in ("", SHARE) else self.title

    def said(self, value: Value) -> str:
        """A value as a person reads it."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return UNSET
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return value
        if isinstance(value, float) and math.isinf(value):
            return "∞" if value > 0 else "-∞"
        if self.unit == SHARE:
            return _unsigned_zero(f"{value:.1%}")
        if self.digits is not None:
            return _unsigned_zero(f"{value:,.{self.digits}f}")
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e15 else f"{value:.4g}"


Row = Mapping[str, Cell | Value]


@dataclass(frozen=True)
class Table:
    """Columns, and rows by the keys of these; what a row lacks is none. `notes` are sentences that stand below it."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    notes: Sequence[str] = ()

    def cell(self, row: Row, key: str) -> Cell:
        """What stands in a row under a column's key."""
        found = row.get(key)
        return found if isinstance(found, Cell) else Cell(found)

    def said(self) -> list[list[str]]:
        """Every cell as a person reads it, as -86.3 ± 0.4; a list a row."""
        return [[self._told(column, self.cell(row, column.key)) for column in self.columns] for row in self.rows]

    def facts(self) -> list[dict[str, Any]]:
        """Every row as JSON can hold it, its values in full by the columns' keys; what is no number is None.

        Beside a column in which numbers may be off stands `<key>_spread`, and `<key>_note` where a cell has a note.
        """
        spread = self._spread()
        found = []
        for row in self.rows:
            facts: dict[str, Any] = {}
            for column in self.columns:
                cell = self.cell(row, column.key)
                facts[column.key] = _finite(cell.value)
                if column.key in spread:
                    facts[f"{column.key}_spread"] = _finite(cell.spread)
                if cell.note:
                    facts[f"{column.key}_note"] = cell.note
            found.append(facts)
        return found

    # -- as text -----------------------------------------------------------------------------------

    def csv(self) -> str:
        """The table as CSV with a line of headings; numbers in full, a spread in the column after its number."""
        spread, text = self._spread(), io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([_inert(said) for column in self.columns for said in
                         (column.heading, f"{column.heading} ±")[:1 + (column.key in spread)]])
        for row in self.rows:
            cells = [(column.key, self.cell(row, column.key)) for column in self.columns]
            writer.writerow([_exact(value) for key, cell in cells for value in
                             (cell.value, cell.spread)[:1 + (key in spread)]])
        return text.getvalue()

    def markdown(self) -> str:
        """The table as GitHub's Markdown; the best of a column that ranks is bold."""
        lines = [[plain(column.heading) for column in self.columns],
                 ["---:" if self._numeric(column) else "---" for column in self.columns]]
        best = self._best()
        for row, told in zip(self.rows, self.said(), strict=True):
            lines.append([f"**{plain(said)}**" if self.cell(row, column.key).value in best.get(column.key, ()) else
                          plain(said) for column, said in zip(self.columns, told, strict=True)])
        text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
        return text + "".join(f"\n{plain(note)}\n" for note in self.notes)

    def latex(self) -> str:
        """The table as LaTeX with the rules of booktabs; the best of a column that ranks is bold."""
        best = self._best()
        lines = ["% Needs \\usepackage{booktabs}",
                 "\\begin{tabular}{" + "".join("r" if self._numeric(column) else "l" for column in self.columns) + "}",
                 "\\toprule", " & ".join(_typeset(column.heading) for column in self.columns) + r" \\", "\\midrule"]
        for row in self.rows:
            cells = [(column, self.cell(row, column.key)) for column in self.columns]
            lines.append(" & ".join(_set(column, cell, bold=cell.value in best.get(column.key, ()))
                                    for column, cell in cells) + r" \\")
        lines += ["\\bottomrule", "\\end{tabular}", *(f"% {_one_line(note)}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    # -- what the columns are ----------------------------------------------------------------------

    def _told(self, column: Column, cell: Cell) -> str:
        said = _one_line(column.said(cell.value))
        return f"{said} ± {column.said(cell.spread)}" if _finite(cell.spread) is not None and said != UNSET else said

    def _cells(self, column: Column) -> Iterator[Cell]:
        return (self.cell(row, column.key) for row in self.rows)

    def _spread(self) -> set[str]:
        """Keys of columns in which some number may be off."""
        return {column.key for column in self.columns if any(cell.spread is not None for cell in self._cells(column))}

    def _numeric(self, column: Column) -> bool:
        values = [cell.value for cell in self._cells(column) if cell.value is not None]
        return bool(values) and all(_number(value) for value in values)

    def _best(self) -> dict[str, set[Value]]:
        """The best values by key, of columns that rank: all that are told alike, unless that is every one."""
        found: dict[str, set[Value]] = {}
        for column in self.columns:
            values = [value for cell in self._cells(column) if _number(value := _finite(cell.value))]
            if column.better and values:
                best = (max if column.better == "higher" else min)(values)  # type: ignore[type-var]
                alike = [value for value in values if column.said(value) == column.said(best)]
                if len(alike) < len(values):
                    found[column.key] = set(alike)
        return found


# -- one cell --------------------------------------------------------------------------------------


def _number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _unsigned_zero(said: str) -> str:
    """-0.00 is 0.00."""
    return said[1:] if said.startswith("-") and not said.strip("-0.,") else said


def _one_line(text: str) -> str:
    """Text without what would break a line, act on a terminal or turn its direction."""
    return TURNED.sub("", CONTROLS.sub(" ", text)).strip()


def _inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula; line breaks stay, for CSV has quotes for them."""
    text = text.replace("\x00", "").replace("\r", "\n")
    return f"'{text}" if FORMULA.match(text) else text


def _exact(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _inert(value) if isinstance(value, str) else repr(value)


def plain(text: str) -> str:
    """Text for Markdown that stays as it is: no markup, no HTML, no link."""
    text = MARKDOWN.sub(r"\\\g<0>", _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return re.sub(r"(?i)(?<=https):(?=//)|(?<=http):(?=//)|(?<=ftp):(?=//)|(?<=mailto):", "&#58;",
                  re.sub(r"(?i)\bwww\.", "www&#46;", text)).replace("@", "&#64;")


def _typeset(text: str) -> str:
    """Text for LaTeX."""
    return "".join(LATEX.get(sign, sign) for sign in _one_line(text))


def _set(column: Column, cell: Cell, *, bold: bool) -> str:
    """A cell in LaTeX: numbers in mathematics, so that a minus is one."""
    if not _number(cell.value) or column.said(cell.value) == UNSET:
        return _typeset(column.said(cell.value))
    said, off = ("" if each is None else column.said(each).translate(IN_MATHEMATICS)
                 for each in (cell.value, _finite(cell.spread)))
    return "$" + (rf"\mathbf{{{said}}}" if bold else said) + (rf" \pm {off}" if off else "") + "$"
