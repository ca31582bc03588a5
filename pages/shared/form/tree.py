"""What of a configuration's declaration is to be asked: fields, and choices between groups of them; no Streamlit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pages.shared.form.fields import accepted, extra, is_tag, kind_of
from vaecore.schema import ends, tagged, title_of

# Path of a choice, what was chosen when the form began, whether it can be chosen: what is chosen.
Choose = Callable[[str, Any, Callable[[Any], bool]], Any]


@dataclass(frozen=True)
class Leaf:
    """One field with one widget. `start` is its value in the configuration that the form began with."""

    path: str
    info: FieldInfo
    start: Any
    group: str = ""  # label of the choice it belongs to, for where it stands apart from it

    @property
    def name(self) -> str:
        return last(self.path)

    @property
    def advanced(self) -> bool:
        return bool(extra(self.info).get("advanced"))

    @property
    def label(self) -> str:
        """`latent_size` in `dimensions` as "Latent size (dimensions)"."""
        words, unit = title_of(self.name, self.info), str(extra(self.info).get("unit", ""))
        return words if not unit or unit.lower() in words.lower() else f"{words} ({unit})"

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Smallest and largest; an open end counts as closed, and the schema refuses it with its own words."""
        return ends(self.info)

    @property
    def help(self) -> str:
        """What it means, what it is by default, and between which bounds."""
        parts = [self.info.description or title_of(self.name, self.info)]
        kind = kind_of(self.info)
        default = kind.shown(self.info.get_default(call_default_factory=True))
        if default is not PydanticUndefined:
            parts.append(f"Default: {default:g}." if isinstance(default, float) else f"Default: {default}.")
        parts.append(accepted(self.info))
        return " ".join(filter(None, [*parts, kind.hint]))


@dataclass(frozen=True)
class Group:
    """The fields of a model, after the choice of it where there is one."""

    path: str
    leaves: list[Leaf]
    groups: list[Group]
    tag: str = ""  # the field that says which member of a union it is
    chosen: str = ""
    members: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    info: FieldInfo = field(default_factory=FieldInfo)

    @property
    def tag_path(self) -> str:
        return f"{self.path}.{self.tag}"

    @property
    def label(self) -> str:
        return title_of(last(self.path), self.info)

    def every_leaf(self) -> Iterator[Leaf]:
        """Its own fields and those of the groups in it."""
        yield from self.leaves
        for group in self.groups:
            yield from group.every_leaf()


def last(path: str) -> str:
    """The name of the field at a dotted path."""
    return path.rsplit(".", 1)[-1]


def tree(model: type[BaseModel], start: Any, path: str, chosen_at: Choose, within: str = "") -> Group:
    """What is to be asked now, given what `chosen_at` says is chosen.

    `start` supplies the values of what was never touched.
    """
    leaves, groups = [], []
    for name, info in model.model_fields.items():
        here = f"{path}.{name}" if path else name
        if is_tag(info):
            continue
        default = info.get_default(call_default_factory=True)
        value = getattr(start, name) if isinstance(start, model) else default
        if members := tagged(info):
            tag = str(info.discriminator)
            chosen = str(chosen_at(f"{here}.{tag}", getattr(value, tag, None), members.__contains__))
            inside = "" if not path else title_of(name, None)
            group = tree(members[chosen], value, here, chosen_at, inside)
            groups.append(Group(here, group.leaves, group.groups, tag, chosen, members, info))
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            inner = tree(info.annotation, value, here, chosen_at)
            groups.append(Group(here, inner.leaves, inner.groups, info=info))
        else:
            leaves.append(Leaf(here, info, value, within))
    return Group(path, leaves, groups)
