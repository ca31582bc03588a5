"""The language in which runs are looked for: one for the page, the command line and the address.

    vae mnist                     words found in name, id, tags, note, family or data; all of them
    family:vae,wae  data=mnist    a field holds a word, or is it; commas between words mean any of them
    elbo>-95  seconds<10m         numbers: > >= < <= = !=
    made>2026-11-01  made>7d      since a day; in the last seven days
    tag:paper -tag:old not is:pinned
    model.latent_size>=32 β<4     any field of the configuration; latent_size alone where one field is called so, and
                                  the symbols of names
    is:pinned  is:archived  is:shipped  is:forked  has:note
    note:"two words"              what holds spaces stands in quotes

Words stand for "and". Archived runs are left out unless the query speaks of `archived`. No torch.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from vaecore.errors import StoreError
from vaecore.library.fields import FIELDS, Field
from vaecore.library.records import Record

LONGEST_QUERY, MOST_TERMS = 2_000, 40  # characters; words and conditions
LONGEST_AGO = 3e10  # seconds: before there were runs
TERM = re.compile(r'(?P<not>-?)(?:(?P<name>[^\W\d][\w.-]*)(?P<operator>>=|<=|!=|>|<|=|:))?'
                  r'(?P<value>(?:"[^"]*"|[^\s"])*)')
NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%|[a-z]*)", re.IGNORECASE)
SIZES = {"": 1.0, "k": 1e3, "m": 1e6, "%": 0.01}
SPANS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
IS: dict[str, Callable[[Record], bool]] = {
    "pinned": lambda one: one.pinned, "archived": lambda one: one.archived,
    "shipped": lambda one: one.place == "gallery", "own": lambda one: one.place == "own",
    "forked": lambda one: bool(one.parent), "trained": lambda one: one.trained,
    "evaluated": lambda one: any(FIELDS[key].evaluated for key in one.numbers)}
ALIASES = {"name": "title", "tag": "tags", "run": "id", "r": "latents", "store": "place"}
EXACTLY = ("state", "tags", "experiment", "place", "parent")  # of which `:` asks for the whole word


class QueryError(StoreError):
    """A query that cannot be understood; the message names the word that is wrong and what is meant by it."""


@dataclass(frozen=True)
class Term:
    """One condition of a query."""

    text: str
    holds: Callable[[Record], bool]
    archived: bool = False  # it speaks of archived runs


@dataclass(frozen=True)
class Query:
    """What is looked for."""

    text: str
    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        """The query that `text` says; raises `QueryError` with the word that is wrong."""
        if len(text) > LONGEST_QUERY:
            raise QueryError(f"This query has {len(text):,} characters, and one has at most {LONGEST_QUERY:,}.")
        if text.count('"') % 2:
            raise QueryError(f"A quote is open in {_short(text)}. Close it with another \".")
        found: list[Term] = []
        negated = False
        for match in TERM.finditer(text):
            word = match.group()
            if not word:
                continue
            if word in ("not", "NOT"):
                negated = not negated
                continue
            if word in ("and", "AND"):
                continue
            found.append(_term(match, negated))
            negated = False
        if negated:
            raise QueryError("'not' stands at the end. Say what is not wanted after it, as not tag:old.")
        if len(found) > MOST_TERMS:
            raise QueryError(f"This query has {len(found)} conditions, and one has at most {MOST_TERMS}.")
        return cls(text, tuple(found))

    def matches(self, record: Record) -> bool:
        """Whether a run is what is looked for; an archived one only where the query speaks of them."""
        return (not record.archived or self.archived) and self.holds(record)

    def holds(self, record: Record) -> bool:
        """Whether every condition holds of a run, archived or not."""
        return all(term.holds(record) for term in self.terms)

    def of(self, records: Iterable[Record], *, archived: bool = False) -> list[Record]:
        """The runs that are looked for among `records`, in their order; `archived` ones too where that is asked."""
        return [each for each in records if (self.holds(each) if archived else self.matches(each))]

    @property
    def archived(self) -> bool:
        """Whether the query speaks of archived runs."""
        return any(term.archived for term in self.terms)


def field_of(name: str) -> Field:
    """The field that is called `name`: a column by its key, or a field of the configuration.

    One of the configuration may be called by its symbol, as β, or by its last parts where no other ends so. Raises
    `QueryError` for none.
    """
    key = ALIASES.get(name, name)
    if key in FIELDS:
        return FIELDS[key]
    from vaecore.named import declarations

    known = declarations().fields
    if name in known or name in known.values():
        return Field(name, name)
    meant = [field for field in known if field.endswith(f".{name}")]
    if training := [field for field in meant if field == f"training.{name}"]:
        meant = training  # as the command line and `vaecore.fit` take it
    if len(meant) == 1:
        return Field(meant[0], meant[0])
    if meant:
        raise QueryError(f"'{name}' may be {_several(meant)}. Say which.")
    short = {field.rpartition(".")[2] for field in known}
    close = difflib.get_close_matches(name, [*FIELDS, *ALIASES, *known, *short, "is", "has"], n=3)
    remedy = f"Did you mean {_several(close)}?" if close else \
        f"There are {', '.join(FIELDS)}, and those of a configuration, as model.latent_size."
    raise QueryError(f"'{_short(name)}' is no field of a run. {remedy}")


# -- one condition ---------------------------------------------------------------------------------


def _term(match: re.Match[str], negated: bool) -> Term:
    word, name, operator = match.group(), match["name"], match["operator"]
    values = _values(match["value"])
    negated ^= bool(match["not"])
    if name is None:
        holds, archived = _anywhere(" ".join(values)), False
    else:
        if not any(values) and not match["value"]:
            raise QueryError(f"'{word}' has no value. Write it after {operator}, as elbo>-95.")
        holds, archived = _condition(word, name, operator, values)
    return Term(word, (lambda record: not holds(record)) if negated else holds, archived)


def _values(text: str) -> list[str]:
    """The values between commas; what stands in quotes is one, as it is."""
    parts = re.findall(r'(?:"[^"]*"|[^,"])+', text)
    return [part.replace('"', "") for part in parts] or [""]


def _anywhere(word: str) -> Callable[[Record], bool]:
    wanted = word.casefold()
    return lambda one: wanted in _searched(one)


def _searched(one: Record) -> str:
    """All that a free word is looked for in."""
    return "\n".join((one.title, one.id, *one.tags, one.note, one.family, one.data, str(one.settings.get("model", "")),
                      str(one.settings.get("data", "")))).casefold()


def _condition(word: str, name: str, operator: str, values: Sequence[str]) -> tuple[Callable[[Record], bool], bool]:
    """What `name operator values` asks of a record, and whether it speaks of archived runs."""
    if name in ("is", "has"):
        if operator not in (":", "="):
            raise QueryError(f"'{word}': after {name} stands ':', as {name}:{'pinned' if name == 'is' else 'note'}.")
        asked = _is if name == "is" else _has
        return _any([asked(value) for value in values]), name == "is" and "archived" in values
    field = field_of(name)
    if operator == "!=":
        inner, archived = _condition(word, name, "=", values)
        return (lambda one: not inner(one)), archived
    if len(values) > 1 and operator in (">", ">=", "<", "<="):
        raise QueryError(f"'{word}' compares with several values. Give one after {operator}.")
    return _any([_asked(word, field, operator, value) for value in values]), field.key == "archived"


def _any(conditions: Sequence[Callable[[Record], bool]]) -> Callable[[Record], bool]:
    return conditions[0] if len(conditions) == 1 else lambda one: any(each(one) for each in conditions)


def _is(value: str) -> Callable[[Record], bool]:
    if value in IS:
        return IS[value]
    close = difflib.get_close_matches(value, IS, n=1)
    raise QueryError(f"'is:{_short(value)}' is not known. " + (f"Did you mean is:{close[0]}?" if close else
                                                               f"There are is:{', is:'.join(IS)}."))


def _has(value: str) -> Callable[[Record], bool]:
    key = field_of(value).key
    return lambda one: one.value(key) not in (None, "", ())


def _asked(word: str, field: Field, operator: str, value: str) -> Callable[[Record], bool]:
    key = field.key
    if field.sort == "date":
        return _of_date(word, key, operator, value)
    if field.sort == "flag":
        wanted = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(value.casefold())
        if wanted is None:
            raise QueryError(f"'{word}': {name_of(field)} is yes or no.")
        return lambda one: one.value(key) is wanted
    if field.numeric:
        number = _number(value, span=field.sort == "seconds")
        if number is None:
            raise QueryError(f"'{word}': {name_of(field)} is a number, and '{_short(value)}' is none. "
                             f"Write {key}>{'10m' if field.sort == 'seconds' else '10'}.")
        return lambda one: _compares(one.value(key), operator, number)
    if key in FIELDS:
        if operator not in (":", "="):
            raise QueryError(f"'{word}': {name_of(field)} is text and is not {'more' if '>' in operator else 'less'} "
                             f"than something. Write {key}:{value or 'word'}.")
        return _of_words(key, operator, value)
    return _of_setting(word, key, operator, value)


def _of_words(key: str, operator: str, value: str) -> Callable[[Record], bool]:
    wanted, exactly = value.casefold(), operator == "=" or key in EXACTLY

    def holds(one: Record) -> bool:
        found = one.value(key)
        texts = [each.casefold() for each in (found if isinstance(found, tuple) else (found,)) if isinstance(each, str)]
        if key in ("family", "data"):  # as the configuration calls it, too
            texts.append(str(one.settings.get("model" if key == "family" else "data", "")).casefold())
        return any(wanted == text for text in texts) if exactly else any(wanted in text for text in texts)

    return holds


def _of_setting(word: str, key: str, operator: str, value: str) -> Callable[[Record], bool]:
    """Of a field of the configuration, whose values may be numbers or words."""
    number, wanted = _number(value), value.casefold()
    if number is None and operator not in (":", "="):
        raise QueryError(f"'{word}' compares with '{_short(value)}', which is no number. Write {key}{operator}10, or "
                         f"{key}=word.")

    def holds(one: Record) -> bool:
        found = one.settings.get(key)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return number is not None and _compares(found, operator, number)
        if operator not in (":", "="):
            return False
        text = _as_text(found).casefold()
        return key in one.settings and (wanted == text if operator == "=" else wanted in text)

    return holds


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(_as_text, value))
    return "none" if value is None else str(value)


def _number(text: str, *, span: bool = False) -> float | None:
    """A number with k, M or %; of a span of time in seconds, with its unit."""
    match = NUMBER.fullmatch(text.strip().replace("−", "-"))
    if match is None:
        return None
    unit = match[2].casefold()
    size = SPANS.get(unit) if span and unit else SIZES.get(unit)
    value = float(match[1]) * size if size is not None else math.nan
    return value if math.isfinite(value) else None


def _compares(found: Any, operator: str, wanted: float) -> bool:
    if not isinstance(found, int | float) or isinstance(found, bool) or math.isnan(found):
        return False
    match operator:
        case ">":
            return found > wanted
        case ">=":
            return found >= wanted
        case "<":
            return found < wanted
        case "<=":
            return found <= wanted
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)


def _of_date(word: str, key: str, operator: str, value: str) -> Callable[[Record], bool]:
    """A day or a time of it, from its first moment to the one after its last."""
    first, end = _moments(word, value)

    def holds(one: Record) -> bool:
        found = one.value(key)
        if not isinstance(found, datetime):
            return False
        match operator:
            case ">":
                return found >= end if first != end else found > end
            case ">=":
                return found >= first
            case "<":
                return found < first
            case "<=":
                return found < end or found == first
        return first <= found < end if first != end else found >= first  # 7d: in the last seven days

    return holds


def _moments(word: str, value: str) -> tuple[datetime, datetime]:
    text, now = value.strip().casefold(), datetime.now()
    today = datetime.combine(date.today(), datetime.min.time())
    day = timedelta(days=1)
    if text in ("today", "yesterday"):
        first = today - (day if text == "yesterday" else timedelta())
        return first, first + day
    if (match := re.fullmatch(r"(\d{1,6})\s*(min|[hdw])", text)) is not None:
        since = now - timedelta(seconds=min(int(match[1]) * SPANS[match[2]], LONGEST_AGO))
        return since, since
    try:
        if re.fullmatch(r"\d{4}-\d{1,2}", text):
            year, month = map(int, text.split("-"))
            return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)
        if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text):
            first = datetime(*map(int, text.split("-")))  # type: ignore[arg-type]
            return first, first + day
        first = datetime.fromisoformat(text)
        return first.replace(tzinfo=None), first.replace(tzinfo=None) + timedelta(minutes=1)
    except (ValueError, OverflowError):
        raise QueryError(f"'{word}': '{_short(value)}' is no day. Write one as 2026-11-01, or how long ago, as 7d, 12h "
                         "or 2w.") from None


def name_of(field: Field) -> str:
    """A field in words for errors: its key, with its title where that says more."""
    return field.key if field.title.casefold() == field.key else f"{field.key} ({field.title})"


def _several(words: Sequence[str]) -> str:
    told = [f"'{word}'" for word in words[:6]]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} or {told[-1]}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
