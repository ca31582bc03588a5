"""What differs between runs: their configurations as they were meant, and what they were made with.

Configurations are compared with the defaults of newer fields filled in. A field that makes no difference to a run as
its others stand counts as none; so does one that a run's choice of family, network or schedule does not have: that
choice differs, and what is in it follows. A choice of unlike kinds is told whole, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vaecore.config import RunConfig, differences
from vaecore.data.identity import placeless
from vaecore.modalities import Modality
from vaecore.naming import complete
from vaecore.schema import TAGS, ConfigError, Strict, named, parse, tagged, title_at, title_of
from vaecore.store import Run, StoreError
from vaecore.tables import UNSET, Cell, Column, Row, Table
from vaecore.training.checkpoints import BrokenCheckpoint, modalities_in
from vaecore.training.fitting import unread

Section = Literal["data", "model", "training", "seed", "run"]
TITLES: dict[str, str] = {"data": "Data", "model": "Model", "training": "Training", "seed": "Seed", "run": "Made with"}
DIGEST = re.compile(r"[0-9a-f]{64}")
WHOLE = ("data", "model")  # choices whose fields are compared though their kinds differ
MADE_WITH = {"device": "Device", "threads": "CPU threads", "processes": "Processes", "torch": "PyTorch",
             "vaecore": "Latent Lab"}
DIGITS = 12  # of a SHA-256, that are told


@dataclass(frozen=True)
class Different:
    """One field in which runs differ: its dotted name, what it is called, its value in words of each run.

    `odd` is the place of the one run that differs where all others agree.
    """

    section: Section
    name: str
    title: str
    values: tuple[str, ...]
    help: str = ""

    @property
    def odd(self) -> int | None:
        """The place of the one run that differs where at least two others agree; None where it is not one."""
        alone = [place for place, value in enumerate(self.values) if self.values.count(value) == 1]
        return alone[0] if len(alone) == 1 and len(set(self.values)) == 2 and len(self.values) > 2 else None


@dataclass(frozen=True)
class Differences:
    """What differs between runs, by section: in their configurations, and in what they were made with."""

    runs: tuple[str, ...]
    fields: tuple[Different, ...]
    unresolved: str = ""  # why fields are compared as they stand in the files

    @property
    def equal(self) -> bool:
        """Whether nothing of the configurations differs."""
        return all(each.section == "run" for each in self.fields)

    def table(self) -> Table:
        """A row a field, a column a run; the odd one out has a note."""
        columns = [Column("section", "Part"), Column("title", "Field"), Column("name", "Name"),
                   *(Column(f"run{place}", run) for place, run in enumerate(self.runs))]
        rows: list[Row] = [{
            "section": TITLES[each.section], "title": each.title, "name": each.name,
            **{f"run{place}": Cell(value, note="The only one." if place == each.odd else "")
               for place, value in enumerate(each.values)}} for each in self.fields]
        said = ["Nothing differs: these runs have equal configurations."] if self.equal and len(self.runs) > 1 else []
        return Table(columns, rows, "What differs", said + ([self.unresolved] if self.unresolved else []))

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {"runs": list(self.runs), "equal": self.equal, "differs": [
            {"section": each.section, "name": each.name, "title": each.title, "values": list(each.values),
             "odd": None if each.odd is None else self.runs[each.odd]} for each in self.fields]}


def differs(runs: Sequence[Run]) -> Differences:
    """What differs between these runs. Raises `StoreError` for a run whose configuration cannot be read."""
    raw, unresolved = [run.values() for run in runs], ""
    try:
        configs = [parse(RunConfig, values) for values in raw]
    except ConfigError as error:
        unresolved = f"A configuration is of another version, so fields are told as they stand: {error}"[:300]
        found = [Different(_section(name), name, title_at(RunConfig, name), tuple(_said(value) for value in values))
                 for name, values in differences(map(_whole, raw)).items()]
    else:
        hidden = [unread(config, _modalities(run)) for config, run in zip(configs, runs, strict=True)]
        found = list(_between(configs, hidden, ""))
    found += _made_with(runs)
    order = list(TITLES)
    found.sort(key=lambda each: order.index(each.section))
    return Differences(tuple(run.id for run in runs), tuple(each for each in found if len(set(each.values)) > 1),
                       unresolved)


# -- of configurations -----------------------------------------------------------------------------


def _whole(values: dict[str, Any]) -> dict[str, Any]:
    """A run's `config.json` with the defaults of newer fields, and without the place of a file that a digest names."""
    whole = complete(values)
    data = whole.get("data")
    return {**whole, "data": placeless(data)} if isinstance(data, dict) else whole


def _between(models: Sequence[BaseModel | None], hidden: Sequence[set[str]], path: str) -> Iterable[Different]:
    """The fields in which configurations differ, those below `path`; None for a run that has none of them."""
    for name, info in _fields(models).items():
        dotted = f"{path}{name}"
        values = [None if model is None or dotted in no else dict(model).get(name)
                  for model, no in zip(models, hidden, strict=True)]
        if dotted == "data.path" and any(dict(model).get("digest") for model in models if model):
            continue  # the digest says whether it is the same file, wherever it lies
        there = [value for value in values if value is not None]
        if any(isinstance(value, BaseModel) for value in there):
            kinds = {type(value) for value in there}
            if len(kinds) > 1:
                yield Different(_section(dotted), f"{dotted}.{info.discriminator}" if info.discriminator else dotted,
                                title_of(name, info),
                                tuple(_choice(value, info, whole=dotted not in WHOLE) for value in values),
                                info.description or "")
            if len(kinds) == 1 or dotted in WHOLE:
                yield from _between([value if isinstance(value, BaseModel) else None for value in values], hidden,
                                    f"{dotted}.")
        elif not _is_tag(models, name) and len({_said(value) for value in there}) > 1:
            yield Different(_section(dotted), dotted, _titled(dotted, info),
                            tuple(_said(value, info) for value in values), info.description or "")


def _titled(dotted: str, info: FieldInfo) -> str:
    """A field's title; of one in a part of the training with that part's name, as several have a value or an end."""
    *parents, name = dotted.split(".")
    title = title_of(name, info)
    return title if parents[1:] == [] or parents[0] != "training" else (
        f"{title_of(parents[-1], None)} {title[:1].lower()}{title[1:]}")


def _fields(models: Sequence[BaseModel | None]) -> dict[str, FieldInfo]:
    return {name: info for model in models if model is not None for name, info in type(model).model_fields.items()}


def _is_tag(models: Sequence[BaseModel | None], name: str) -> bool:
    """Whether a field only says which member of a union a model is, which the choice has told."""
    return name in TAGS and all(model is None or (isinstance(model, Strict) and model.tag == dict(model).get(name))
                                for model in models)


def _choice(value: Any, info: FieldInfo, *, whole: bool) -> str:
    """A choice in words: "Linear: start 0, end 1, fraction 0.1 of training"; without what is in it unless `whole`."""
    if not isinstance(value, BaseModel):
        return UNSET
    tag = next((name for name, member in tagged(info).items() if isinstance(value, member)), "")
    inside = [_part(name, each, getattr(value, name)) for name, each in type(value).model_fields.items()
              if not _is_tag([value], name)]
    title = named(tag, type(value)) if tag else type(value).__name__
    return f"{title}: {', '.join(inside)}" if inside and whole else title


def _part(name: str, info: FieldInfo, value: Any) -> str:
    said = _choice(value, info, whole=True) if isinstance(value, BaseModel) else _said(value, info)
    return f"{title_of(name, info)[:1].lower()}{title_of(name, info)[1:]} {said}"


def _said(value: Any, info: FieldInfo | None = None) -> str:
    """A value in words, with its unit."""
    extra = info.json_schema_extra if info and isinstance(info.json_schema_extra, dict) else {}
    unit = f" {extra['unit']}" if extra.get("unit") and isinstance(value, int | float) else ""
    match value:
        case None | "" | () | []:
            return UNSET
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}{unit if value != 1 or unit.endswith('es') else unit.removesuffix('s')}"
        case float():
            return f"{value:g}{unit}"
        case str() if DIGEST.fullmatch(value):
            return f"{value[:DIGITS]}…"
        case Mapping():
            return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(map(_said, value))
        case _:
            return str(value)


def _section(dotted: str) -> Section:
    head = dotted.partition(".")[0]
    return head if head in ("data", "model", "training", "seed") else "run"  # type: ignore[return-value]


def _modalities(run: Run) -> Mapping[str, Modality]:
    """What the run's model is of; empty where it has no weights to tell."""
    try:
        return modalities_in(run.path)
    except BrokenCheckpoint:
        return {}


# -- of what they were made with -------------------------------------------------------------------


def _made_with(runs: Sequence[Run]) -> list[Different]:
    """The copy of the data, the parent, the device and the versions with which runs were trained."""
    summaries = [_summary(run) for run in runs]
    told = [Different("run", "copy", "Copy of the data", tuple(_said(each.get("data")) for each in summaries),
                      "Which copy of the data was read, with its sizes."),
            Different("run", "parent", "Parent", tuple(_parent(run.about().get("parent")) for run in runs),
                      "The run whose weights it began with.")]
    return told + [Different("run", name, title, tuple(_said(each.get(name)) for each in summaries))
                   for name, title in MADE_WITH.items() if all(name in each for each in summaries) or name != "vaecore"]


def _summary(run: Run) -> Mapping[str, Any]:
    try:
        return run.summary()
    except StoreError:
        return {}


def _parent(parent: Any) -> str:
    if not isinstance(parent, Mapping):
        return UNSET
    step = parent.get("step")
    anew = parent.get("anew")
    return (f"{str(parent.get('run', '?'))[:200]}" + (f", step {step:,}" if isinstance(step, int) else "")
            + (f", {anew[:20]} anew" if isinstance(anew, str) and anew else ""))
