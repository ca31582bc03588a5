"""A table says the same as CSV, Markdown and LaTeX, and no text in it acts in any of them."""

from __future__ import annotations

import csv
import io
import math

import pytest

from vaecore.tables import UNSET, Cell, Column, Row, Table

COLUMNS = [Column("run", "Run"), Column("elbo", "ELBO", unit="nats", digits=1, better="higher"),
           Column("steps", "Steps"), Column("closed", "Closed form")]
ROWS: list[Row] = [{"run": "vae", "elbo": Cell(-86.345678901234, spread=0.41), "steps": 12_000, "closed": False},
                   {"run": "vamp", "elbo": Cell(-85.0, spread=0.5, note="of another K"), "steps": 9, "closed": True},
                   {"run": "pca", "elbo": None}]
TABLE = Table(COLUMNS, ROWS, notes=["Means over 1,000 images."])


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def one(text: str) -> Table:
    return Table([Column("word", "Word")], [{"word": text}])


def test_csv_has_numbers_in_full_and_the_spread_beside_them() -> None:
    head, first, second, third = read(TABLE.csv())
    assert head == ["Run", "ELBO (nats)", "ELBO (nats) ±", "Steps", "Closed form"]
    assert first == ["vae", "-86.345678901234", "0.41", "12000", "no"]
    assert second == ["vamp", "-85.0", "0.5", "9", "yes"] and third == ["pca", "", "", "", ""]


def test_markdown() -> None:
    assert TABLE.markdown() == (
        "| Run | ELBO (nats) | Steps | Closed form |\n"
        "| --- | ---: | ---: | --- |\n"
        "| vae | -86.3 ± 0.4 | 12,000 | no |\n"
        "| vamp | **-85.0 ± 0.5** | 9 | yes |\n"
        "| pca | – | – | – |\n"
        "\nMeans over 1,000 images.\n")


def test_latex_has_the_rules_of_booktabs() -> None:
    assert TABLE.latex() == (
        "% Needs \\usepackage{booktabs}\n"
        "\\begin{tabular}{lrrl}\n"
        "\\toprule\n"
        "Run & ELBO (nats) & Steps & Closed form \\\\\n"
        "\\midrule\n"
        "vae & $-86.3 \\pm 0.4$ & $12{,}000$ & no \\\\\n"
        "vamp & $\\mathbf{-85.0} \\pm 0.5$ & $9$ & yes \\\\\n"
        "pca & -- & -- & -- \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "% Means over 1,000 images.\n")


def test_nothing_is_best_where_nothing_ranks_or_all_are_equal() -> None:
    unranked = Table([Column("elbo", "ELBO", digits=1)], ROWS)
    assert "**" not in unranked.markdown() and "mathbf" not in unranked.latex()
    for values in ([-1.0], [-1.0, -1.0], [-1.01, -1.02]):  # told alike: none is better to the eye
        rows = [{"elbo": value} for value in values]
        assert "**" not in Table([COLUMNS[1]], rows).markdown(), values
    lowest = Table([Column("mse", "MSE", digits=2, better="lower")], [{"mse": 0.2}, {"mse": 0.1}, {"mse": math.nan}])
    assert lowest.markdown().count("**0.10**") == 1 and UNSET in lowest.markdown()


def test_facts_are_in_full_and_hold_no_number_that_is_none() -> None:
    first, second, third = TABLE.facts()
    assert first == {"run": "vae", "elbo": -86.345678901234, "elbo_spread": 0.41, "steps": 12_000, "closed": False}
    assert second["elbo_note"] == "of another K"
    assert third == {"run": "pca", "elbo": None, "elbo_spread": None, "steps": None, "closed": None}
    assert Table([COLUMNS[1]], [{"elbo": math.inf}]).facts() == [{"elbo": None}]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "\n=cmd|' /C calc'!A0",
                                     "＝1+1", "-86.3", "\x00=1"])
def test_text_that_begins_like_a_formula_is_inert(formula: str) -> None:
    said = list(csv.reader(io.StringIO(one(formula).csv(), newline="")))[1][0]
    assert said == "'" + formula.replace("\x00", "").replace("\r", "\n")
    assert read(Table([Column("x", formula)], []).csv())[0][0].startswith("'")


def test_numbers_are_no_formulas() -> None:
    assert read(Table([Column("x", "X")], [{"x": -1.5}, {"x": -3}]).csv())[1:] == [["-1.5"], ["-3"]]


@pytest.mark.parametrize(("text", "said"), [
    ("a|b", r"a\|b"), ("<script>", "&lt;script&gt;"), ("*b* _i_ `c`", r"\*b\* \_i\_ \`c\`"), ("[x](y)", r"\[x\](y)"),
    ("a\nb", "a b"), ("$x$ ~s~", r"\$x\$ \~s\~"), ("\\|", r"\\\|"), ("&lt;", "&amp;lt;"), ("a\u202eb", "ab"),
    ("http://x.y", "http&#58;//x.y"), ("a@b.c", "a&#64;b.c"), ("www.x.y", "www&#46;x.y")])
def test_markdown_has_no_markup_of_text(text: str, said: str) -> None:
    assert one(text).markdown().splitlines()[2] == f"| {said} |"


@pytest.mark.parametrize(("text", "said"), [
    ("a_b", r"a\_b"), ("50 %", r"50 \%"), (r"\input{x}", r"\textbackslash{}input\{x\}"), ("a & b", r"a \& b"),
    ("#$^~", r"\#\$\textasciicircum{}\textasciitilde{}"), ("vae β4", r"vae $\beta$4"), ("[2pt]", "{[}2pt{]}"),
    ("*", "{*}"), ("a\n\nb", "a b"), ("R²", "R$^2$"), ("x < y", r"x \textless{} y")])
def test_latex_has_no_command_of_text(text: str, said: str) -> None:
    assert one(text).latex().splitlines()[5] == rf"{said} \\"


def test_a_note_cannot_leave_its_comment() -> None:
    assert Table([], [], notes=["a\n\\input{x}"]).latex().endswith("% a \\input{x}\n")


def test_as_a_person_reads_it() -> None:
    column = Column("x", "X")
    assert [column.said(value) for value in (None, math.nan, True, 1_234_567, 1234.567, 0.000123456, math.inf)] == [
        UNSET, UNSET, "yes", "1,234,567", "1,235", "0.0001235", "∞"]
    assert Column("x", "X", digits=2).said(-0.001) == "0.00"
    assert Table([Column("x", "X", digits=1)], [{"x": Cell(1.0, spread=math.nan)}]).said() == [["1.0"]]


def test_a_share_is_told_in_percent_and_kept_in_full() -> None:
    table = Table([Column("precision", "Precision", "share", 3, "higher")], [{"precision": Cell(0.8262, 0.0123)},
                                                                            {"precision": 1.0}])
    assert table.said() == [["82.6% ± 1.2%"], ["100.0%"]]
    assert table.csv().splitlines() == ["Precision,Precision ±", "0.8262,0.0123", "1.0,"]
    assert r"$82.6\% \pm 1.2\%$" in table.latex() and "**100.0%**" in table.markdown()
