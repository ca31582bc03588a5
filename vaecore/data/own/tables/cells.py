"""What a cell of a table says: a number in one of several forms, a day, a class, or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

MAX_NUMBER = 1e30  # the vector is in single precision
MISSING = frozenset({"", "na", "n/a", "nan", "null", "#n/a", "<na>"})  # what an empty cell may say, in any case
TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
# Numbers that are meant as such, but not written so that their meaning is plain: 1,234 or 20.1 g or $5.
MEANT = re.compile(r"[+-]?[€$£¥]?\s*\d[\d.,'’\s]*(?:\s[A-Za-zµ°Ω/²³%]{1,8}|[€$£¥%])?")
COMMA = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?")
CLOCK = r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + CLOCK)
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})" + CLOCK)
DAY_FIRST, MONTH_FIRST = "day first", "month first"
SECONDS = 86_400  # of a day

Form = Callable[[str], float]  # NaN where a cell is no number of it


def missing(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in MISSING


def number(cell: str) -> float:
    """The number a cell says; NaN for none, also for infinities and what single precision cannot hold."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if abs(value) <= MAX_NUMBER and "_" not in cell else math.nan


def _truth(cell: str) -> float:
    return TRUTH.get(cell.lower(), math.nan)


def _percent(cell: str, read: Form = number) -> float:
    return read(cell[:-1].strip()) / 100 if cell.endswith("%") else math.nan


def _comma(cell: str) -> float:
    return number(cell.replace(",", ".")) if COMMA.fullmatch(cell) else math.nan


FORMS: dict[str, Form] = {"true and false": _truth, "percent": _percent, "decimal commas": _comma,
                          "percent with decimal commas": lambda cell: _percent(cell, _comma)}


def other_form(cells: Iterable[str]) -> tuple[str, Form] | None:
    """The form in which all cells that say something are numbers, and its name; None where there is none.

    A comma stands before decimals only where that is plain: 0,362 and not 1,234.
    """
    fitting, sure, some = dict(FORMS), False, False
    for cell in map(str.strip, cells):
        if missing(cell):
            continue
        some = True
        fitting = {name: form for name, form in fitting.items() if not math.isnan(form(cell))}
        if not fitting:
            return None
        before, comma, after = cell.rstrip("% ").partition(",")
        digits = before.lstrip("+-")
        sure |= bool(comma) and (len(after) != 3 or len(digits) > 3 or digits.startswith("0"))
    plain = [each for each in fitting.items() if sure or "comma" not in each[0]]
    return plain[0] if some and plain else None


def meant(cells: Iterable[str]) -> bool:
    """Whether all cells that say something are meant as numbers, however they are written."""
    said = [cell.strip() for cell in cells if not missing(cell)]
    return bool(said) and all(MEANT.fullmatch(cell) for cell in said)


# -- days ------------------------------------------------------------------------------------------


def days(cells: Sequence[str]) -> list[float] | str:
    """Days (N,) since the year 1, NaN where missing, of cells that are all dates; else why they are none, in words.

    2024-05-31, 2024/5/31, 31.5.2024, or 5/31/2024 where a day above 12 says which is which; with a time of day or not.
    """
    said = [cell.strip() for cell in cells if not missing(cell)]
    if not said or not all(YEAR_FIRST.fullmatch(cell) or YEAR_LAST.fullmatch(cell) for cell in said):
        return "no dates"
    found = {order: [math.nan if missing(cell) else _day(cell.strip(), order) for cell in cells]
             for order in (DAY_FIRST, MONTH_FIRST)}
    good = [order for order in found if not any(math.isnan(day) and not missing(cell)
                                                for day, cell in zip(found[order], cells, strict=True))]
    dotted = any("." in re.split("[T ]", cell)[0] for cell in said)  # 1.2.2024 is always the first of February
    if not good:
        return "dates that no calendar has, or of several forms"
    if len(good) == 2 and not dotted and _differ(found[DAY_FIRST], found[MONTH_FIRST]):
        return "dates of which the day or the month could be first"
    return found[good[0]]


def _differ(first: Sequence[float], second: Sequence[float]) -> bool:
    return any(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in zip(first, second, strict=True))


def _day(cell: str, order: str) -> float:
    if match := YEAR_FIRST.fullmatch(cell):
        year, month, day = match[1], match[3], match[4]
    else:
        match = YEAR_LAST.fullmatch(cell)
        assert match is not None
        day, month, year = (match[1], match[3], match[4]) if order == DAY_FIRST else (match[3], match[1], match[4])
    hour, minute, second = (int(part or 0) for part in match.groups()[4:])
    try:
        date = datetime(int(year), int(month), int(day), hour, minute, second)
    except ValueError:
        return math.nan
    return date.toordinal() + (3600 * hour + 60 * minute + second) / SECONDS


# -- classes and names -----------------------------------------------------------------------------


def class_name(cell: str) -> str:
    """What a class is called: 1, 1.0 and +1.00 are one, as a spreadsheet or a gap in the column writes them."""
    found = re.fullmatch(r"\+?(-?\d+)(?:\.(\d*?)0*)?", cell.strip())
    return cell.strip() if found is None else found[1] + (f".{found[2]}" if found[2] else "")


def ordered(classes: Iterable[str]) -> list[str]:
    """Classes that are numbers in their order, before all others by the alphabet."""
    def place(name: str) -> tuple[bool, float, str]:
        value = number(name)
        return (True, 0.0, name) if math.isnan(value) else (False, value, name)

    return sorted(classes, key=place)
