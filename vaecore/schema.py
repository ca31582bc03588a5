"""What every configuration shares: strict models, described fields, and errors that name the remedy.

A configuration is declared once, as pydantic models. The page's form, the command line's options, the
saved `config.json` and the message for a bad value are all read from that one declaration.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

FIELDS = "Fields:"  # what a docstring calls them
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
TAGS = ("kind", "family", "name")  # of the members of unions


class Strict(BaseModel):
    """A configuration: unknown fields are refused, values never change, infinities and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Show in `help()` and on the API pages what is declared: fields in the docstring, and a signature to read."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.__signature__ = _signature(cls)
        if (words := cls.__dict__.get("__doc__")) and (fields := fields_in_words(cls)):
            cls.__doc__ = f"{inspect.cleandoc(words)}\n\n{FIELDS}\n\n{fields}\n"

    @property
    def tag(self) -> str:
        """What this choice is called among others of its union: its `kind`, `family` or `name`; empty without one."""
        fields = dict(self)
        return next((str(fields[name]) for name in TAGS if name in fields), "")


def option(default: Any, description: str, *, title: str = "", unit: str = "", symbol: str = "",
           advanced: bool = False, **bounds: Any) -> Any:
    """A field with its description, unit and bounds; `advanced` ones are folded away in the form.

    `title` is what a person calls it, where that is not its name. Of a union it is what the choice is called. `symbol`
    is how the names of runs write it, as "z" in `vae-mnist z32`; without one they write the field's own name.
    """
    extra: JsonDict = {"unit": unit, "advanced": advanced, **({"symbol": symbol} if symbol else {})}
    return Field(default, title=title or None, description=description, json_schema_extra=extra, **bounds)


def in_words(info: FieldInfo) -> str:
    """What a field is, its unit where the description lacks it, and its choices."""
    words, extra = info.description or "", info.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    literal = get_origin(info.annotation) is Literal
    choices = [str(choice) for choice in get_args(info.annotation)] if literal else list(tagged(info))
    return " ".join(filter(None, [words, f"In {unit}." if unit.removeprefix("of ").lower() not in words.lower() else "",
                                  f"One of {', '.join(choices)}." if choices else ""]))


def bounds(info: FieldInfo) -> dict[str, Any]:
    """The bounds that a field declares, by pydantic's names for them: ge, gt, le, lt."""
    return {name: bound for rule in info.metadata for name in BOUNDS
            if (bound := getattr(rule, name, None)) is not None}  # of annotated_types


def ends(info: FieldInfo) -> tuple[float | None, float | None]:
    """Smallest and largest value of a field, open ends among them; None where there is no bound."""
    found = bounds(info)
    return found.get("ge", found.get("gt")), found.get("le", found.get("lt"))


def fields_in_words(model: type[BaseModel]) -> str:
    """The described fields of a configuration as a list, a line each, with default and bounds."""
    lines = []
    for name, info in model.model_fields.items():
        if info.description:
            said = [f"{BOUNDS[name]} {bound:,}" for name, bound in bounds(info).items()]
            usual = "" if info.is_required() else f"Default {_plainly(info.get_default(call_default_factory=True))}"
            more = ", ".join(filter(None, [usual, *said]))
            lines.append(f"- `{name}`: {in_words(info)}{f' {more[0].upper()}{more[1:]}.' if more else ''}")
    return "\n".join(lines)


def _plainly(value: Any) -> str:
    """A default in words: of a configuration what it is called."""
    if not isinstance(value, BaseModel):
        return '""' if value == "" else str(value)
    return (value.tag if isinstance(value, Strict) else "") or type(value).__name__


class _Shown(str):
    """A default in a signature that is read, and not evaluated."""

    def __repr__(self) -> str:
        return str(self)


def _signature(model: type[BaseModel]) -> Signature:
    """The described fields as keywords without annotations, whose unions take pages; a choice by its name alone."""
    def default(info: FieldInfo) -> Any:
        value = info.get_default(call_default_factory=True)
        return _Shown(f"{type(value).__name__}()") if isinstance(value, BaseModel) else value

    return Signature([
        Parameter(name, Parameter.KEYWORD_ONLY, default=Parameter.empty if info.is_required() else default(info))
        for name, info in model.model_fields.items() if info.description])


def flag(name: str) -> str:
    """How a field of a declaration is called on the command line."""
    return f"--{name.replace('_', '-')}"


Way = tuple[str, ...]  # settings as on the command line, all of which are to be made


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration, in words for the person who wrote it.

    `ways` say the remedy as settings, where that can be said: any of them would do, and the first is the usual one.
    """

    field: str  # dotted, as on the command line: training.epochs
    value: Any
    message: str
    remedy: str
    ways: tuple[Way, ...] = ()

    def __str__(self) -> str:
        where = self.field or "configuration"
        return f"{where}: {self.message} {self.remedy}".strip()


class ConfigError(ValueError):
    """A configuration that cannot be used. `problems` holds every fault found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def moved(self, field: str, there: str) -> ConfigError:
        """An error with these problems, of a configuration in which `field` is `there`."""
        def placed(name: str) -> str:
            return re.sub(rf"^{re.escape(field)}(?=[.=]|$)", there, name)

        return ConfigError(replace(each, field=placed(each.field), ways=tuple(
            tuple(map(placed, way)) for way in each.ways)) for each in self.problems)


def problem(field: str, value: Any, message: str, remedy: str, *ways: str | Way) -> ConfigError:
    """A `ConfigError` with a single problem; each of `ways` is a setting, or several, that would mend it."""
    return ConfigError([Problem(field, value, message, remedy,
                                tuple((way,) if isinstance(way, str) else way for way in ways))])


T = TypeVar("T", bound=Strict)


def translate(error: ValidationError, root: type[BaseModel]) -> ConfigError:
    """Pydantic's error in plain words: field, value, remedy."""
    problems = [_in_words(details, root) for details in error.errors()]
    # Of a list with a bad entry pydantic also says that it is too short: the entry is what is wrong.
    fields = [problem.field for problem in problems]
    return ConfigError(p for p in problems if not any(field.startswith(f"{p.field}.") for field in fields))


def parse(model: type[T], values: Any) -> T:
    """`values` as a `model`; raises `ConfigError` naming every bad field."""
    if not isinstance(values, dict):
        raise problem("", values, f"expected a mapping of fields, got {type(values).__name__}.",
                      "Write fields as `name: value`.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise translate(error, model) from None


# -- from pydantic's words to ours ------------------------------------------------------------------


def _in_words(details: ErrorDetails, root: type[BaseModel]) -> Problem:
    kind, value, context = details["type"], details.get("input"), details.get("ctx", {})
    parts = [str(part) for part in details["loc"]]
    parent, field = _dotted(parts, root)
    shown = _short(value)
    match kind:
        case "extra_forbidden":
            name, known = parts[-1], sorted(parent.model_fields) if parent else []
            close = difflib.get_close_matches(name, known, n=1)
            remedy = f"Did you mean '{close[0]}'?" if close else f"Known fields: {', '.join(known)}."
            return Problem(field, value, f"unknown field (value {shown}).", remedy)
        case "union_tag_invalid" | "union_tag_not_found":
            tag = str(context.get("discriminator", "'kind'")).strip("'")
            got = value.get(tag) if isinstance(value, dict) else value
            expected = str(context.get("expected_tags", ""))
            close = difflib.get_close_matches(str(got), expected.replace("'", "").split(", "), n=1)
            remedy = f"Choose one of {expected}." if expected else f"Say which with '{tag}'."
            if close:
                remedy = f"Did you mean '{close[0]}'? {remedy}"
            message = f"'{got}' is not a choice." if got is not None else f"the field '{tag}' is missing."
            return Problem(f"{field}.{tag}" if field else tag, got, message, remedy)
        case "greater_than_equal":
            return Problem(field, value, f"{shown} is too small.", f"Use at least {context['ge']}.")
        case "greater_than":
            return Problem(field, value, f"{shown} is too small.", f"Use more than {context['gt']}.")
        case "less_than_equal":
            return Problem(field, value, f"{shown} is too large.", f"Use at most {context['le']}.")
        case "less_than":
            return Problem(field, value, f"{shown} is too large.", f"Use less than {context['lt']}.")
        case "literal_error":
            return Problem(field, value, f"{shown} is not a choice.", f"Choose {context.get('expected', '')}.")
        case "int_parsing" | "int_type" | "int_from_float":
            return Problem(field, value, f"{shown} is not a whole number.", "Write a number such as 10.")
        case "float_parsing" | "float_type":
            return Problem(field, value, f"{shown} is not a number.", "Write a number such as 0.001.")
        case "tuple_type" | "list_type":
            return Problem(field, value, f"{shown} is not a list.", "Write a list such as [400, 200].")
        case "too_short" | "too_long":
            return Problem(field, value, f"{shown} has {context['actual_length']} entries.",
                           f"Give at {'least' if kind == 'too_short' else 'most'} "
                           f"{context.get('min_length', context.get('max_length'))}.")
        case "dict_type":
            return Problem(field, value, f"{shown} does not give values by name.", "Write name=value, as label=50.")
        case "model_type" | "model_attributes_type":
            return Problem(field, value, f"{shown} is not a group of fields.", "Write fields as `name: value`.")
        case "finite_number":
            return Problem(field, value, f"{shown} is not a finite number.", "Write a finite number.")
        case "string_pattern_mismatch":
            return Problem(field, value, f"{shown} is not written as it has to be.",
                           f"It has to match {context['pattern']}.")
        case "string_too_long":
            return Problem(field, value, f"{shown} is too long.", f"Use at most {context['max_length']:,} characters.")
        case "missing":
            return Problem(field, None, "is missing.", "Give it a value.")
        case "value_error":
            return Problem(field, value, str(context.get("error", details["msg"])), "")
        case _:
            return Problem(field, value, f"{shown}: {details['msg']}.", "")


def _dotted(parts: list[str], root: type[BaseModel]) -> tuple[type[BaseModel] | None, str]:
    """The model that holds the last part, and the path without pydantic's union tags."""
    owner: type[BaseModel] | None = root
    holder: type[BaseModel] | None = root
    path: list[str] = []
    choices: dict[str, type[BaseModel]] = {}
    for part in parts:
        if part in choices:  # a tag that pydantic inserts for the chosen member of a union
            owner, choices = choices[part], {}
            continue
        path.append(part)
        holder = owner
        info = owner.model_fields.get(part) if owner else None
        owner, choices = _members(info)
    return holder, ".".join(path)


def _members(info: FieldInfo | None) -> tuple[type[BaseModel] | None, dict[str, type[BaseModel]]]:
    if info is None:
        return None, {}
    if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
        return info.annotation, {}
    return None, tagged(info)


def tagged(info: FieldInfo) -> dict[str, type[BaseModel]]:
    """The members of a tagged union by tag; empty for any other field."""
    tag = info.discriminator
    members = [m for m in get_args(info.annotation) if isinstance(m, type) and issubclass(m, BaseModel)]
    if not isinstance(tag, str):
        return {}
    return {str(get_args(member.model_fields[tag].annotation)[0]): member for member in members}


def named(tag: str, member: type[BaseModel]) -> str:
    """A choice as a person reads it: its own title, or its tag `gaussian-learned` as "Gaussian learned"."""
    return str(getattr(member, "title", "")) or tag.replace("-", " ").capitalize()


def title_of(name: str, info: FieldInfo | None) -> str:
    """What a person calls a field: its title, else its name, `batch_size` as "Batch size"."""
    return (info.title if info else None) or name.replace("_", " ").capitalize()


def title_at(root: type[BaseModel], path: str) -> str:
    """What a person calls the field at a dotted `path`: `training.beta.kind` as "Beta schedule".

    Members of a union that have a field of one name call it the same.
    """
    *parents, name = path.split(".")
    owners, held = [root], FieldInfo()
    for part in parents:
        fields = [owner.model_fields[part] for owner in owners if part in owner.model_fields]
        held = fields[0] if fields else FieldInfo()
        owners = [member for info in fields for one, several in [_members(info)]
                  for member in ([one] if one else several.values())]
    if parents and name == held.discriminator:
        return title_of(parents[-1], held)
    found = next((owner.model_fields[name] for owner in owners if name in owner.model_fields), None)
    return title_of(name, None if found is None or tagged(found) else found)


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes out no whole number of more than 4,300 digits
        text = "a number of more than 4,300 digits"
    return text if len(text) <= 60 else text[:57] + "..."
