"""A result is its card, as a config is its form.

What a part of an evaluation finds is declared once, as fields with title, unit, digits, a sentence and which way is
better. The card of the page, the lines of the command, the columns of tables, `evaluation.json` and its reader are all
read from that declaration. What a number is, exact, a bound or an estimate, says `meaning.py`. No torch in here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from vaecore.untrusted import Untrusted

PLURAL = re.compile(r"s\b")  # of what is counted
UNSET = "–"
Better = Literal["higher", "lower", ""]


class Result(Untrusted):
    """What a part of an evaluation found, or a group of numbers in that."""

    def written(self) -> Any:
        """The result as JSON can hold it, but for numbers that are none."""
        return self.model_dump(mode="json")

    def alike(self, _: Self) -> bool:
        """Whether the numbers of another one compare with these."""
        return True

    def depends(self, split: str, seed: int | None) -> str:
        """The things that the numbers depend on, in a line: what is counted, the split and the seed."""
        counts = [f"{value:,} {PLURAL.sub('', each.title, count=1) if value == 1 else each.title}"
                  for each in declared(type(self))
                  if each.counted and isinstance(value := getattr(self, each.name), int)]
        return " · ".join([*counts, split, *([] if seed is None else [f"seed {seed}"])])


# -- the declaration -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """How a number stands in tables of evaluations."""

    name: str
    format: str = "%.3f"
    help: str = ""


@dataclass(frozen=True)
class Declared:
    """A field of a result, as it was declared."""

    name: str
    title: str
    help: str = ""
    unit: str = ""
    digits: int | None = None
    better: Better = ""
    spread: str = ""
    counted: bool = False
    column: Column | None = None

    @property
    def sentence(self) -> str:
        """The number's description, and which way is better."""
        return " ".join(filter(None, [self.help, f"{self.better.capitalize()} is better." if self.better else ""]))

    @property
    def format(self) -> str:
        """The number's format in a table, as `sprintf` and Streamlit understand it."""
        return "percent" if self.unit == "share" else f"%.{3 if self.digits is None else self.digits}f"

    def said(self, value: float | None) -> str:
        """A number with its unit, as a person reads it."""
        if value is None or not math.isfinite(value):
            return UNSET
        match self.unit:
            case "share":
                return percent(value)
            case "nats":
                return nats(value)
            case "s":
                return seconds(value)
        words = shown(value) if self.digits is None else f"{value:,.{self.digits}f}".replace("-", "−")
        return f"{words} {self.unit}".strip()


def number(title: str = "", help: str = "", *, unit: str = "", digits: int | None = None, better: Better = "",
           spread: str = "", column: Column | None = None, default: Any = math.nan) -> Any:
    """A field: a number, with what makes it mean something.

    A `unit` of "share" is told in percent, "s" in the unit of time it is read best in; `digits` are those after the
    point, or four that count; `spread` names the field with its standard error or the two ends of its interval.
    Without a title it is not told by itself.
    """
    told: JsonDict = {"unit": unit, "digits": digits, "better": better, "spread": spread}
    return Field(default, title=title, description=help, json_schema_extra=told | _columned(column))


def count(title: str = "", *, column: Column | None = None, default: Any = ...) -> Any:
    """A field: a whole number of `title`, as "observations", that others depend on. It has to be there."""
    return Field(default, title=title, json_schema_extra={"counted": True} | _columned(column))


def _columned(column: Column | None) -> JsonDict:
    return {"column": asdict(column)} if column else {}


def group(title: str = "", help: str = "", *, default: Any = ...) -> Any:
    """A field: numbers by name or one after another; with a title, results of which each is a row of a table."""
    return Field(default, title=title, description=help)


def of(model: type[BaseModel], name: str) -> Declared:
    """The declaration of a field."""
    info = model.model_fields[name]
    extra: dict[str, Any] = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
    column = extra.pop("column", None)
    return Declared(name, info.title or "", info.description or "",
                    column=Column(**column) if column else None, **extra)


def columns(model: type[BaseModel]) -> Iterator[Declared]:
    """Every field that has a column in tables of evaluations."""
    return (each for name in model.model_fields if (each := of(model, name)).column)


def declared(model: type[BaseModel]) -> Iterator[Declared]:
    """Every field that is told by itself: those with a title."""
    return (each for name in model.model_fields if (each := of(model, name)).title)


def numbers(found: Result) -> list[tuple[Declared, float | None]]:
    """The numbers that are told by themselves, each with its declaration."""
    values = [(each, getattr(found, each.name)) for each in declared(type(found)) if not each.counted]
    return [(each, value) for each, value in values if value is None or isinstance(value, int | float)]


def groups(found: Result) -> Iterator[tuple[Declared, dict[str, Result]]]:
    """The results in it by name, which make a table each."""
    for each in declared(type(found)):
        value = getattr(found, each.name)
        rows = dict(value) if isinstance(value, Mapping) else dict(enumerate(value, 1)) \
            if isinstance(value, list | tuple) else {}
        if rows and all(isinstance(one, Result) for one in rows.values()):
            yield each, {str(name): one for name, one in rows.items()}


def spread(found: Result, each: Declared) -> str:
    """How far the number may be off, in words; empty where nothing says so."""
    value = getattr(found, each.spread, None) if each.spread else None
    if isinstance(value, tuple):
        return f"95 % from {each.said(value[0])} to {each.said(value[1])}"
    return f"± {each.said(value)}" if isinstance(value, float) and math.isfinite(value) else ""


# -- in words --------------------------------------------------------------------------------------


def lines(found: Result, split: str, seed: int | None) -> Iterator[str]:
    """Every number of a result and of the groups in it, a line each."""
    depends = found.depends(split, seed).replace(" · ", ", ")
    for each, value in numbers(found):
        yield row(each.title, value, "; ".join(filter(None, [
            each.unit, spread(found, each), f"{each.better} is better" if each.better else "", depends])),
            3 if each.digits is None else each.digits)
    for _, rows in groups(found):
        for name, one in rows.items():
            for each, value in numbers(one):
                yield row(f"{each.title}, {name}", value, "; ".join(filter(None, [
                    each.unit, spread(one, each), depends])), 3 if each.digits is None else each.digits)


def row(name: str, value: float | None, words: str = "nats", digits: int = 3) -> str:
    """A line of the command: what it is, the number, its unit and what it depends on."""
    said = "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
    return f"  {name:20} {said:>11} {words}"


def finite(value: float | None) -> float | None:
    """The number; None where it is none."""
    return value if value is not None and math.isfinite(value) else None


def shown(value: float | None, digits: int = 4) -> str:
    """A number as a person reads it: so many significant digits, at least whole."""
    if value is None or not math.isfinite(value):
        return UNSET
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−")


def whole(value: float | None) -> str:
    """A whole number with its thousands."""
    return UNSET if value is None or not math.isfinite(value) else f"{value:,.0f}"


def nats(value: float | None) -> str:
    return UNSET if value is None or not math.isfinite(value) else f"{value:,.2f} nats".replace("-", "−")


def percent(value: float | None) -> str:
    return UNSET if value is None or not math.isfinite(value) else f"{value:.1%}"


def seconds(value: float | None) -> str:
    """A duration in the unit that it is read best in."""
    if value is None or not math.isfinite(value):
        return UNSET
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size or unit == "µs":
            return f"{value / size:.3g} {unit}"
    return UNSET
