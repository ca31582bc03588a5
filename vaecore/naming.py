"""What a configuration is called by: what in it differs from its preset, in short words. No torch.

    changes(values)    z 32, β 4: what a list of runs says of each
    title(values)      vae-mnist z32 β4 s2: what a run is called for which nobody said a name
    slug(values)       vae-mnist-z32-beta4-s2: its folder

A run's preset is the one of its family and data that it differs from least. Short symbols are declared where the fields
are (`symbol` of `vaecore.schema.option`); a field without one is written by its own name.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vaecore.memory import held
from vaecore.named import Declarations, declarations

Values = Mapping[str, Any]
ORDER = ("model", "data", "training")  # in which what was changed is told
# What says where and how fast, and not what is learned; copies and places of the data.
UNTOLD = {"seed", "data.path", "data.digest", "data.source", "training.device", "training.threads",
          "training.graphs"}
CHOICE = 6  # another kind of part in the model counts for as many changes of a number
LONGEST_SLUG, LONGEST_TITLE, LONGEST_CHANGES = 56, 76, 160  # characters; of a slug and a title a number may follow
GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "λ": "lambda", "σ": "sigma", "τ": "tau", "µ": "mu"}


@dataclass(frozen=True)
class Change:
    """A field in which a configuration differs from its preset."""

    field: str  # dotted
    symbol: str  # how it is written; empty for a choice that its value names
    value: Any
    usual: Any  # the preset's

    def words(self, between: str = " ") -> str:
        """The change in a word or two: "z 32", "cyclical", "no whiten"."""
        if self.value is True:
            return self.symbol
        if self.value is False:
            return f"no {self.symbol}"
        return f"{self.symbol}{between}{short(self.value)}" if self.symbol else short(self.value)


@dataclass(frozen=True)
class Named:
    """The parts of what a configuration is called by."""

    base: str  # the preset's name; of no preset, family and data
    preset: str  # empty where there is none of its family
    changes: tuple[Change, ...]
    seed: int


def short(value: Any) -> str:
    """A value in few letters."""
    if isinstance(value, Mapping):
        return str(next((value[tag] for tag in ("kind", "family", "name") if tag in value), "other"))[:40]
    if isinstance(value, list | tuple):
        return "×".join(map(short, value))[:40] or "none"
    if isinstance(value, float):
        return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e")
    return "none" if value in (None, "") else str(value)[:40]


def complete(values: Values) -> dict[str, Any]:
    """A run's `config.json` with the defaults of fields that are newer than it; what is unknown here stays."""
    known = declarations()
    return _complete(values, known.root, known)


def _complete(values: Values, node: str, known: Declarations) -> dict[str, Any]:
    found = dict(values)
    for name, told in known.nodes[node].items():
        if name not in found and "default" in told:
            found[name] = told["default"]
        if isinstance(inner := found.get(name), Mapping) and (below := _below(told, inner)):
            found[name] = _complete(inner, below, known)
    return found


def _below(told: Values, inner: Values) -> str:
    """Which node the group `inner` of a field is; empty where it is none that is known."""
    return str(told.get("members", {}).get(str(inner.get(told.get("tag", ""), "")), ""))


def named(values: Values) -> Named:
    """What a run's `config.json`, whatever is in it, is called by."""
    text = json.dumps(values, sort_keys=True)
    return _named(text)


@held
def _named(text: str) -> Named:
    known = declarations()
    whole = complete(json.loads(text))
    family, data = _tag(whole, "model", "family"), _tag(whole, "data", "name")
    seed = whole.get("seed")
    seed = seed if isinstance(seed, int) and not isinstance(seed, bool) else 0
    alike = {name: each for name, each in known.presets.items() if each["model"]["family"] == family}
    same = {name: each for name, each in alike.items() if each["data"]["name"] == data}
    found = {name: _changes(whole, each, known, data=bool(same)) for name, each in (same or alike).items()}
    if not found:
        return Named(f"{family}-{data}", "", (), seed)
    preset = min(found, key=lambda name: (sum(map(_distance, found[name])), len(name), name))
    return Named(preset if same else f"{family}-{data}", preset, found[preset], seed)


def _distance(change: Change) -> int:
    return CHOICE if not change.symbol and change.field.startswith("model.") else 1


def _tag(values: Values, part: str, tag: str) -> str:
    section = values.get(part)
    return str(section.get(tag, "?"))[:40] if isinstance(section, Mapping) else "?"


def _changes(whole: Values, preset: Values, known: Declarations, *, data: bool) -> tuple[Change, ...]:
    parts = [part for part in ORDER if data or part != "data"]
    return tuple(change for part in parts for change in _differing(
        {part: whole.get(part)}, {part: preset.get(part)}, known.root, "", known) if change.field not in UNTOLD)


def _differing(ours: Values, theirs: Values, node: str, prefix: str, known: Declarations) -> Iterator[Change]:
    """The fields in which a group differs from another one; of another choice, what differs from its own defaults."""
    for name in dict.fromkeys([*ours, *theirs]):
        a, b, field = ours.get(name), theirs.get(name), f"{prefix}{name}"
        if a == b or name not in ours or field in UNTOLD:
            continue
        told = known.nodes[node].get(name, {}) if node else {}
        if not isinstance(a, Mapping) or not told.get("members"):
            yield Change(field, str(told.get("symbol") or name.replace("_", " ")), a, b)
            continue
        tag, below = str(told.get("tag", "")), _below(told, a)
        before = b if isinstance(b, Mapping) else {}
        chosen = []
        if tag and a.get(tag) != before.get(tag):
            chosen = [Change(f"{field}.{tag}", "", a.get(tag), before.get(tag))]
            b = _complete({tag: a.get(tag)}, below, known) if below else {tag: a.get(tag)}
            a = {name: value for name, value in a.items() if name not in before or value != before[name]}  # kept of it
        within = _differing(a, b if isinstance(b, Mapping) else {}, below, f"{field}.", known)
        # The number of a constant comes first: it tells more than that it is one, and what is last is cut.
        yield from sorted([*chosen, *within], key=lambda change: change.field != f"{field}.value")


def changed(values: Values) -> str:
    """What differs from the preset, in short words: "z 32 · β 4"; empty where nothing does."""
    return _joined([change.words() for change in named(values).changes], " · ", LONGEST_CHANGES)


def title(values: Values) -> str:
    """What a run is called for which nobody said a name: "vae-mnist z32 β4 s2"."""
    found = named(values)
    words = [change.words("" if len(change.symbol) < 3 else " ") for change in found.changes]
    return _joined([found.base, *words], " ", LONGEST_TITLE, f"s{found.seed}" if found.seed else "")


def slug(values: Values) -> str:
    """A folder's name that says the same: "vae-mnist-z32-beta4-s2"."""
    found = named(values)
    words = [plain(change.words("" if short(change.value)[:1].isdigit() else "-")) for change in found.changes]
    return _joined([plain(found.base), *filter(None, words)], "-", LONGEST_SLUG, f"s{found.seed}" if found.seed else "")


def plain(words: str) -> str:
    """Words as small letters, digits, '.' and '-', with Greek letters written out."""
    told = "".join(GREEK.get(letter, letter) for letter in words.casefold().replace("×", "x"))
    told = unicodedata.normalize("NFKD", told).encode("ascii", "ignore").decode()
    return re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9.]+", "-", told)).strip("-.")


def _joined(words: list[str], between: str, longest: int, last: str = "") -> str:
    """As many of the words as there is room for beside the last one."""
    room, found = longest - (len(between) + len(last) if last else 0), ""
    for word in words:
        longer = f"{found}{between}{word}" if found else word[:room]
        if len(longer) > room:
            break
        found = longer
    return f"{found}{between}{last}" if last else found
