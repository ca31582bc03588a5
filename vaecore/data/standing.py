"""How each data set stands on this machine: here, one command away, or what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vaecore.data import DATASETS, DataConfig, DataUnavailable
from vaecore.data.published import PUBLISHED, Published, megabytes

State = Literal["here", "fetch", "own", "missing"]
WORDS: dict[State, str] = {"here": "here", "fetch": "one command away", "own": "yours to choose",
                           "missing": "to be put here by hand"}


@dataclass(frozen=True)
class Standing:
    """A data set on this machine. `said` is which copy is here, or what to do; `where` the folder that has it."""

    name: str
    title: str
    state: State
    said: str
    where: str = ""
    bytes: int = 0  # to fetch, of what is not here; also of the larger copy of one that is here
    licence: str = ""
    command: str = ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        if self.state == "fetch":
            return f"{WORDS[self.state]}: `{self.command}` ({megabytes(self.bytes)}, {self.licence})"
        if self.state != "here":
            return f"{WORDS[self.state]}. {self.said}"
        more = f". The whole set is one command away: `{self.command}` ({megabytes(self.bytes)}, {self.licence})"
        return f"{self.said}{f', in {self.where}' if self.where else ''}{more if self.command else ''}"


def missing(config: DataConfig) -> list[Published]:
    """The published data sets that a configuration reads, or could read, and that are not here."""
    return [PUBLISHED[name] for name in config.reads() if PUBLISHED[name].place() is None]


def standing(config: DataConfig) -> Standing:
    """How the data set of a configuration stands."""
    places = [place for name in config.reads() if (place := PUBLISHED[name].place())]
    lacking = missing(config)
    facts = {"bytes": sum(each.size for each in lacking), "licence": "; ".join(each.licence for each in lacking),
             "command": " && ".join(each.command for each in lacking), "where": ", ".join(map(str, places))}
    try:
        state, said = "here", config.here()
    except DataUnavailable as error:
        state = "fetch" if lacking else "own" if "path" in type(config).model_fields else "missing"
        said = str(error)
    return Standing(config.tag, config.title, state, said, **facts)  # type: ignore[arg-type]


def everything() -> list[Standing]:
    """How every data set stands, as it is by default."""
    return [standing(kind()) for kind in DATASETS.values()]


def to_fetch(names: list[str]) -> list[Published]:
    """The published data sets meant by names of data sets, by its own name, or by `all`; `KeyError` for another."""
    chosen: dict[str, Published] = {}
    for name in names:
        known = {"all": list(PUBLISHED)} | {each: [each] for each in PUBLISHED}
        if name not in known and (kind := DATASETS.get(name)):
            known[name] = list(kind().reads())
        for each in known[name]:
            chosen[each] = PUBLISHED[each]
    return list(chosen.values())
