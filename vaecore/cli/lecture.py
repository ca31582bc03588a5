"""`vaecore lecture [N]`: the lecture's sections and equations, and where each lives here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vaecore import lecture as table
from vaecore.cli.printing import JsonOption, StoreOption, out, say, store_at

app = typer.Typer()


@app.command()
def lecture(
    which: Annotated[str, typer.Argument(metavar="[N|SECTION|WORDS]", help="An equation by its number, a section by "
                                         "its name, or words to look for; without, all there is.")] = "",
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """The lecture's equations (1) to (41): what each says, its code, pages, claims and errata."""
    which = which.strip().removeprefix("(").removesuffix(")")
    if which.isascii() and which.removeprefix("-").isdigit() and len(which) < 10:
        facts = _told(table.equation(int(which)), store_at(store))
        return say(facts, True, "") if as_json else _print(facts)
    if which in {section.name for section in table.SECTIONS}:
        section = table.section(which)
        facts = _told(section, store_at(store))
        return say(facts, True, "") if as_json else _print(facts)
    found = list(table.search(which))
    if not found:
        table.section(which)  # says that there is none, and what to do
    if as_json:
        return say([{"part": each.part, "section": each.name, "title": each.title, "says": each.says,
                     "equations": {n: table.equation(n).latex for n in numbers}} for each, numbers in found], True, "")
    part = ""
    for section, numbers in found:
        if section.part != part:
            part = section.part
            out.print(f"\n{part}", style="bold")
        out.print(f"  {section.title}  [{section.name}]\n    {section.says}", highlight=False)
        for number in numbers:
            wrong = "".join(f"  {each.id}" for each in table.errata(number))
            out.print(f"    ({number}) {table.equation(number).says}{wrong}", highlight=False)


def _told(one: table.Equation | table.Section, store: Any) -> dict[str, Any]:
    """Everything known of an equation or a section, its code as file and line, its claims with their verdicts."""
    from vaecore.cli.studies import verdict
    from vaecore.lecture.sources import source
    from vaecore.studies import CLAIMS, kept

    if isinstance(one, table.Equation):
        section, errata = table.section_of(one.number), table.errata(one.number)
        head: dict[str, Any] = {"equation": one.number, "latex": one.latex}
    else:
        section, errata = one, table.errata_of(one)
        head = {"equations": list(one.equations)}
    return {**head, "section": section.name, "title": section.title, "part": section.part, "says": one.says,
            "code": {dotted: source(dotted).place for dotted in one.code},
            "pages": {door.label: door.address for door in one.doors},
            "claims": {name: {"title": CLAIMS[name].title, "verdict": verdict(CLAIMS[name], kept(store, name))}
                       for name in one.claims},
            "errata": [{"id": each.id, "severity": each.severity, "printed": each.printed, "correct": each.correct,
                        "code": each.code, "latex": each.latex} for each in errata]}


def _print(facts: dict[str, Any]) -> None:
    number = f"({facts['equation']}) " if "equation" in facts else ""
    out.print(f"{number}{facts['title']}: {facts['says']}", highlight=False)
    if facts.get("latex"):
        out.print(f"\n{facts['latex']}\n", highlight=False)
    if facts.get("equations"):
        out.print(f"Equations {', '.join(f'({n})' for n in facts['equations'])}", highlight=False)
    for title in ("code", "pages"):
        for name, place in facts[title].items():
            out.print(f"{title:7}{name}: {place}", highlight=False)
    for name, claim in facts["claims"].items():
        out.print(f"claim  {name} {claim['title']}: {claim['verdict']}", highlight=False)
    for each in facts["errata"]:
        out.print(f"{each['id']} ({table.SEVERITIES[each['severity']]}): printed {each['printed']}; correct "
                  f"{each['correct']}. Here: {each['code']}", highlight=False)
        if each["latex"]:
            out.print(f"       {each['latex']}", highlight=False)
