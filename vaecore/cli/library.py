"""Verbs of the library: runs, rename, tag, note, pin, archive, remove, restore, trash."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from vaecore import lab
from vaecore.cli.printing import WRONG, Head, JsonOption, RunArgument, StoreOption, err, lines, out, say, store_at
from vaecore.store import Run, Store, StoreError
from vaecore.words import counted

if TYPE_CHECKING:
    from vaecore.library.marks import Done

app = typer.Typer()

RunsArgument = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids of runs, or names in the "
                                                          "gallery.")]
WhereOption = Annotated[str, typer.Option("--where", metavar="QUERY", help="Instead, or besides, all runs that this "
                                          "query finds; `vaecore runs QUERY` lists them.")]
WHOLE = ("id", "state", "made", "group")  # columns whose words are not broken over lines
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def runs(query: Annotated[list[str] | None, typer.Argument(
             metavar="[QUERY]...", help="Words and conditions, as: vae data=mnist 'elbo>-100' -tag:old.")] = None,
         sort: Annotated[str, typer.Option(metavar="FIELD", help="Sort by this field; with a minus before it, the "
                                           "largest first.")] = "",
         descending: Annotated[bool, typer.Option("--descending", help="The largest first.")] = False,
         reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
         group: Annotated[str, typer.Option(metavar="seeds|FIELD", help="Means over the seeds of each configuration, "
                                            "or over runs that share a field.")] = "",
         columns: Annotated[str, typer.Option(metavar="FIELD,...", help="The columns, fields of the configuration "
                                              "among them.")] = "",
         limit: Annotated[int, typer.Option(min=0, help="So many at most; 0 for all.")] = 0,
         archived: Annotated[bool, typer.Option("--all", help="Archived runs too.")] = False,
         as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
         as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
         as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
         store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the runs, one's own, shared and shipped, with their state and numbers: all, or those that a query finds."""
    from vaecore.library import Query, grouped, records, sorted_by
    from vaecore.library.tables import facts, facts_of_group, table, table_of_groups

    here = store_at(store)
    lab.kick(here.root)
    every = records(here)
    found = Query.parse(" ".join(query or [])).of(every, archived=archived)
    if sort:
        key = sort.removeprefix("-")
        found = sorted_by(found, key, descending=True if descending or sort.startswith("-") else None)
    if reverse:
        found.reverse()
    if not sort:  # whoever asks for an order gets that one
        found.sort(key=lambda each: not each.pinned)
    keys = [name.strip() for name in columns.split(",") if name.strip()]
    groups = grouped(found, group) if group else []
    groups, found = (groups[:limit], found[:limit]) if limit else (groups, found)
    for trouble in here.away():  # to standard error: what a script reads stays as it is
        err.print(trouble, highlight=False)
    if as_json:
        return say([facts_of_group(each) for each in groups] if group else [facts(each) for each in found], True, "")
    shown = table_of_groups(groups, keys) if group else table(found, keys)
    for wanted, text in ((as_csv, shown.csv), (as_markdown, shown.markdown), (as_latex, shown.latex)):
        if wanted:
            print(text(), end="")
            return None
    if not found:
        return say([], False, f"No run in {here.root}. `vaecore train --preset vae-mnist` makes one." if not every else
                   f"None of {counted(len(every), 'run')} is so. Without the query, `vaecore runs` lists what is "
                   "not archived.")
    numeric = [any(isinstance(shown.cell(row, column.key).value, int | float) for row in shown.rows)
               for column in shown.columns]
    lines([Head(column.title, number, number or column.key in WHOLE)
           for column, number in zip(shown.columns, numeric, strict=True)],
          [[f"{words} ≠" if shown.cell(row, column.key).note.startswith("Other ") else "" if words == "–" else words
            for column, words in zip(shown.columns, said, strict=True)]
           for row, said in zip(shown.rows, shown.said(), strict=True)])
    for note in shown.notes:
        out.print(f"≠ {note}", highlight=False)
    for one in found:
        if one.state == "unreadable":
            out.print(f"{one.id}: {one.detail}", highlight=False)
    return None


@app.command()
def rename(run: RunArgument, title: Annotated[str, typer.Argument(help="At most 80 characters; '' gives its own name "
                                                                  "back.")],
           store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Rename a run: its title changes; its id, by which commands and addresses know it, stays."""
    from vaecore.library import marks

    found = store_at(store).find(run)
    _tell([marks.rename(found, title)], lambda done: f"{done.id} is called {found.title}.", as_json)


@app.command()
def tag(names: RunsArgument = None,
        add: Annotated[list[str] | None, typer.Option(help="Give this tag; repeatable, or with commas.")] = None,
        remove: Annotated[list[str] | None, typer.Option(help="Take this tag off; repeatable, or with commas.")] = None,
        where: WhereOption = "", store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Give runs tags, and take others away."""
    from vaecore.library import marks

    given, taken = ([word for each in said or [] for word in each.split(",") if word] for said in (add, remove))
    if not given and not taken:
        raise StoreError("No tag is given. Say --add TAG or --remove TAG.")
    found = _meant(store_at(store), names, where)
    words = " and ".join(filter(None, [f"has {', '.join(given)}" if given else "",
                                       f"has no {', '.join(taken)}" if taken else ""]))
    _tell(marks.tag(found, given, taken), lambda done: f"{done.id} {words}.", as_json)


@app.command()
def note(words: Annotated[list[str], typer.Argument(metavar="[RUN]... TEXT", help="Ids of runs, and last what to note; "
                                                    "'' takes the note away.")],
         where: WhereOption = "", store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Write a note to runs, in the place of the one they have."""
    from vaecore.library import marks

    *names, text = words
    found = _meant(store_at(store), names, where)
    _tell(marks.note(found, text), lambda done: f"{done.id} has {'this' if text.strip() else 'no'} note.", as_json)


@app.command()
def pin(names: RunsArgument = None, where: WhereOption = "", store: StoreOption = None,
        as_json: JsonOption = False) -> None:
    """Pin runs: lists and pickers begin with them, `vaecore runs` where no --sort is asked for."""
    from vaecore.library import marks

    _tell(marks.pin(_meant(store_at(store), names, where)), lambda done: f"{done.id} is pinned.", as_json)


@app.command()
def unpin(names: RunsArgument = None, where: WhereOption = "", store: StoreOption = None,
          as_json: JsonOption = False) -> None:
    """Take the pin off runs."""
    from vaecore.library import marks

    done = marks.pin(_meant(store_at(store), names, where), pinned=False)
    _tell(done, lambda done: f"{done.id} is not pinned.", as_json)


@app.command()
def archive(names: RunsArgument = None, where: WhereOption = "", store: StoreOption = None,
            as_json: JsonOption = False) -> None:
    """Put runs away: lists leave them out, and their files stay."""
    from vaecore.library import marks

    done = marks.archive(_meant(store_at(store), names, where))
    _tell(done, lambda done: f"{done.id} is archived. `vaecore runs is:archived` lists it.", as_json)


@app.command()
def unarchive(names: RunsArgument = None, where: WhereOption = "", store: StoreOption = None,
              as_json: JsonOption = False) -> None:
    """Bring archived runs back into lists."""
    from vaecore.library import marks

    done = marks.archive(_meant(store_at(store), names, where), archived=False)
    _tell(done, lambda done: f"{done.id} is listed again.", as_json)


@app.command()
def remove(names: RunsArgument = None, where: WhereOption = "", yes: YesOption = False, store: StoreOption = None,
           as_json: JsonOption = False) -> None:
    """Move runs to the trash; `vaecore restore` brings them back."""
    from vaecore.library import trash

    found = _meant(store_at(store), names, where)
    for run in found if len(found) == 1 else ():
        run.require_writable()
    told = found[0].id if len(found) == 1 else f"{len(found)} runs ({', '.join(run.id for run in found[:5])}" \
        f"{', …' if len(found) > 5 else ''})"
    _confirm(yes, f"that {told} {'goes' if len(found) == 1 else 'go'} to the trash", f"Move {told} to the trash?")
    _tell(trash.remove(found), lambda done: f"{done.id} is in the trash. `vaecore restore {done.name}` brings it back.",
          as_json)


@app.command()
def restore(names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Removed runs, as `vaecore trash` lists "
                                                       "them.")],
            store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Bring removed runs back."""
    from vaecore.library import trash

    _tell(trash.restore(store_at(store), names), lambda done: f"{done.id} is back.", as_json)


@app.command("trash")
def trashed(act: Annotated[str, typer.Argument(metavar="[list|restore|empty]", help="What to do.")] = "list",
            names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Removed runs; all, where "
                                                              "none is named.")] = None,
            yes: YesOption = False, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Removed runs: list them with size and date, bring them back, or delete them for good."""
    from vaecore.library import trash

    here = store_at(store)
    found = trash.trashed(here)
    if act == "list":
        lines = [f"{each.bytes:13,}  {each.removed:%Y-%m-%d %H:%M}  {each.name}"
                 + (f"  {each.title}" if each.title != each.name else "") for each in found]
        return say([{**asdict(each), "removed": each.removed.isoformat()} for each in found], as_json, "\n".join(
            [*lines, f"{sum(each.bytes for each in found):13,}  bytes in the trash"]))
    wanted = names or [each.name for each in found]
    if act == "restore":
        _tell(trash.restore(here, wanted), lambda done: f"{done.id} is back.", as_json)
    elif act == "empty":
        told = f"{len(wanted)} removed run{'s' * (len(wanted) != 1)}"
        if wanted:
            _confirm(yes, f"that {told} {'are' if len(wanted) != 1 else 'is'} deleted for good",
                     f"Delete {told} for good?")
        _tell(trash.empty(here, wanted), lambda done: f"{done.id} is deleted.", as_json)
    else:
        raise StoreError(f"'{act[:40]}' is nothing to do with the trash. Say list, restore or empty.")
    return None


def _meant(store: Store, names: Sequence[str] | None, where: str) -> list[Run]:
    """The runs that are named, and those that a query finds; raises `StoreError` where there is none."""
    found = [store.find(name) for name in names or []]
    if where:
        from vaecore.library import Query, records

        found += [each.run for each in Query.parse(where).of(records(store)) if each.run not in found]
        if not found:
            raise StoreError(f"No run is found by '{where[:80]}'. `vaecore runs` lists what there is.")
    if not found:
        raise StoreError("No run is named. Give ids of runs, or --where QUERY.")
    return list(dict.fromkeys(found))


def _confirm(yes: bool, told: str, question: str) -> None:
    if not yes and not sys.stdin.isatty():
        raise StoreError(f"Nobody is here to confirm {told}. Say --yes.")
    if not yes:
        typer.confirm(question, abort=True)


def _tell(done: Sequence[Done], words: Callable[[Done], str], as_json: bool) -> None:
    """Say of each run what came of it; raises `typer.Exit` where one stayed as it was."""
    say([{**asdict(each), "done": each.fine} for each in done], as_json,
        "\n".join(words(each) if each.fine else each.problem for each in done) or "Nothing to do.")
    if not all(each.fine for each in done):
        raise typer.Exit(WRONG)
