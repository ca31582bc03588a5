"""`vaecore compare`: runs side by side in words, numbers and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vaecore.cli.looking import check_no_table, save, stacked
from vaecore.cli.printing import Head, JsonOption, ScaleOption, StoreOption, err, lines, out, say, store_at, writable
from vaecore.schema import problem
from vaecore.store import Run, StoreError
from vaecore.tables import Table

app = typer.Typer()


@app.command()
def compare(references: Annotated[list[str], typer.Argument(metavar="RUN...", help="Two runs or more.")], *,
            numbers: Annotated[bool, typer.Option("--numbers", help="Only their numbers, with intervals.")] = False,
            differs: Annotated[bool, typer.Option("--differs", help="Only how they were made unlike.")] = False,
            cost: Annotated[bool, typer.Option("--cost", help="Only seconds, parameters and memory.")] = False,
            reference: Annotated[str, typer.Option(metavar="RUN", help="Tell differences from this run, paired where "
                                                   "both kept their values by observation.")] = "",
            markdown: Annotated[bool, typer.Option("--markdown", help="Tables as Markdown.")] = False,
            latex: Annotated[bool, typer.Option("--latex", help="Tables as LaTeX, with booktabs.")] = False,
            csv: Annotated[bool, typer.Option("--csv", help="One table as CSV: the numbers, unless another is asked "
                                              "for.")] = False,
            output: Annotated[Path | None, typer.Option("-o", "--output", callback=writable,
                                                        help="A PNG: a row a run, of what --what says.")] = None,
            what: Annotated[str, typer.Option(metavar="data|noise", help="The same test data through each run, below "
                                              "them, or the same noise through each one's own prior.")] = "data",
            seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the noise, and of which test data are "
                                              "taken: 0 takes the first.")] = 0,
            step: Annotated[int | None, typer.Option(min=0, help="Draw with the weights that each run kept nearest to "
                                                     "this step, and not after it; else with those it "
                                                     "keeps in the end.")] = None,
            html: Annotated[Path | None, typer.Option("--html", callback=writable,
                                                      help="The whole comparison as one self-contained page: no "
                                                      "server, no network.")] = None,
            count: Annotated[int, typer.Option(min=1, max=64)] = 16, scale: ScaleOption = None,
            store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Runs side by side: what differs, their numbers with intervals, what they cost, and the same images through each.

    Numbers that were found with unlike settings, or on other data, neither rank nor have a difference: the notes say
    which. With --json, what is asked for under "differs", "numbers" and "cost".
    """
    place = store_at(store)
    found = [place.find(name) for name in references]
    if html:
        from vaecore.explore.export.comparison import comparison_page
        from vaecore.files import write_bytes_atomic

        write_bytes_atomic(html, comparison_page(found, count=min(count, 20), seed=seed, step=step))
        err.print(f"{html} written")
        return
    if output:
        _save_same(found, what, count, seed, step, output, scale)
    wanted = [name for name, asked in (("differs", differs), ("numbers", numbers), ("cost", cost)) if asked]
    if csv and len(wanted) > 1:
        raise problem("--csv", ", ".join(wanted), "a CSV file is one table.", "Ask for one of them.")
    if csv:
        wanted = wanted or ["numbers"]
    tables, facts = _compared(found, place.find(reference).id if reference else "",
                              wanted or ["differs", "numbers", "cost"])
    if as_json:
        return say(facts, True, "")
    for table in tables:
        if csv:
            print(table.csv(), end="")
        elif markdown or latex:
            print(f"{'%' if latex else '##'} {table.title}\n\n{table.latex() if latex else table.markdown()}")
        else:
            _print(table)
    return None


def _compared(runs: list[Run], reference: str, wanted: list[str]) -> tuple[list[Table], dict[str, Any]]:
    """What is asked for, as tables and as JSON."""
    tables: list[Table] = []
    facts: dict[str, Any] = {}
    if "differs" in wanted:
        from vaecore.comparison.differs import differs

        apart = differs(runs)
        facts["differs"] = apart.facts()
        tables.append(apart.table())
    if "numbers" in wanted:
        from vaecore.comparison.numbers import compare as compared

        try:
            several = compared(runs, reference=reference)
        except ValueError as error:
            raise problem("--reference", reference, str(error), "Name one of them.") from None
        facts["numbers"] = several.facts()
        tables.append(several.table(differences=bool(reference)))
    if "cost" in wanted:
        from vaecore.comparison.cost import cost, table

        costs = table([cost(run) for run in runs])
        facts["cost"] = costs.facts()
        tables.append(costs)
    return tables, facts


def _print(table: Table) -> None:
    """A table on a terminal, its notes below."""
    out.print(table.title)
    if table.rows:
        lines([Head(column.heading, whole=place == 0) for place, column in enumerate(table.columns)], table.said())
    for note in table.notes:
        out.print(note, highlight=False)
    out.print()


def _save_same(runs: Sequence[Run], what: str, count: int, seed: int, step: int | None, output: Path,
               scale: int | None) -> None:
    """Write the same data or noise through each of the runs; says which rows are not there.

    Raises `StoreError` where no run can be drawn, and `ConfigError` for an option that is none.
    """
    from vaecore.explore.pictures import labelled, legible
    from vaecore.explore.same import WHATS, same
    from vaecore.schema import problem

    wanted = next((each for each in WHATS if each == what), None)
    if wanted is None:
        raise problem("--what", what, "there is no such row.", f"Choose one of {', '.join(WHATS)}.")
    shown = same(runs, count, seed, step, [wanted])
    drawn = [(each.line, each.cells.images) for _, lines in shown.tables for each in lines
             if each.cells.images is not None]
    if all(line.original for line, _ in drawn):
        raise StoreError(" ".join(["None of these runs has pictures to show here.", *shown.left_out]))
    for sentence in shown.left_out:
        err.print(sentence, highlight=False, markup=False)
    images = [each for _, each in drawn]
    if len({each.shape for each in images}) == 1:
        return save(stacked(images), len(images[0]), output, scale)
    check_no_table(output)
    output.write_bytes(labelled([(line.note if line.original else line.run.id, legible(each)) for line, each in drawn]))
    err.print(f"{output} written", highlight=False)
