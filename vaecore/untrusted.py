"""What is read from a file that may come from anywhere: declared as pydantic models, and forgiving.

A number that is none is NaN, of a group what cannot be read is left out, and what else is optional and cannot be read
is its default; where a field that has to be there is not, nothing is read. What we make ourselves is forgiven nothing.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

FILE = "file"  # the context in which a file is read
LARGEST_NUMBER, LONGEST_WORD = 1e15, 200  # beyond these no number and no word is ours
# For `str.translate`: what would act in place of being shown, as control codes, and signs that turn a line's direction.
CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0x202A, 0x202F),
                          *range(0x2066, 0x206A)), "\ufffd")

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]  # one in a group
Sane = Annotated[float, Field(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)]
Whole = Annotated[int, Field(gt=-LARGEST_NUMBER, lt=LARGEST_NUMBER)]
Word = Annotated[str, AfterValidator(lambda word: word[:LONGEST_WORD])]


class Untrusted(BaseModel):
    """An object of such a file, or a group of fields in it; what it does not declare is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # most commands read none

    @field_validator("*", mode="wrap")
    @classmethod
    def _forgiven(cls, value: Any, read: Callable[[Any], Any], info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError as error:
            if info.context != FILE:
                raise
            if (rest := _without(value, {each["loc"][0] for each in error.errors() if each["loc"]})) is not None:
                with contextlib.suppress(ValidationError):
                    return read(rest)
            field = cls.model_fields[info.field_name or ""]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True)

    @classmethod
    def kept(cls, value: Any) -> Self:
        """The object that a file holds as `value`; raises `ValidationError` where it cannot be read."""
        return cls.model_validate(value, context=FILE)


def _without(group: Any, unreadable: set[int | str]) -> Any:
    """A group less what cannot be read of it; None for what is no group."""
    if isinstance(group, dict):
        return {name: value for name, value in group.items() if name not in unreadable}
    return [value for place, value in enumerate(group) if place not in unreadable] if isinstance(group, list) else None
