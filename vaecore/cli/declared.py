"""Options of a command, one for each field of a declaration: what the form asks for is asked here too."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import typer

from vaecore.schema import Strict, flag, in_words

Command = TypeVar("Command", bound=Callable[..., None])


def declared(model: type[Strict], also: Mapping[str, str]) -> Callable[[Command], Command]:
    """Give a command, which takes them as `**values`, an option for each field of `model`; `also` are second names.

    Numbers are read as such, all else as a word, which the declaration itself has to understand: it is that which
    refuses a bad value. A default that is made is all that there is.
    """
    options = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY,
                                 default="all" if info.default_factory else info.default,
                                 annotation=Annotated[int if info.annotation is int else str, typer.Option(
                                     *filter(None, [also.get(name), flag(name)]), help=in_words(info))])
               for name, info in model.model_fields.items()]

    def with_options(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        kept = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        named = [each for each in kept if each.kind is inspect.Parameter.KEYWORD_ONLY]
        command.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*kept[:len(kept) - len(named)], *options, *named])
        return command

    return with_options
