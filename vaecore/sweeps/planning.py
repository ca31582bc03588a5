"""From what is asked to trainings that can be queued: every point is a valid configuration, or it is said which is not.

This part knows configurations, and so torch.
"""

from __future__ import annotations

import importlib.util
import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vaecore.config import RunConfig, changed
from vaecore.data import Dataset
from vaecore.schema import TAGS, ConfigError, Problem, parse, problem, tagged
from vaecore.sweeps import points
from vaecore.sweeps.declared import NoStopping, Point, Range, Search, Sweep, Value, Values, worded
from vaecore.sweeps.objective import AFTER, ALONG, as_text, objective
from vaecore.training.build import check, fit
from vaecore.training.estimate import in_all

MAX_TOLD = 6  # problems of points that are told one by one
INSTALL = 'Install it with `pip install "vaecore[search]"`, or use the method random.'
Over = str | Sequence[Value] | Values | Range  # the values of a field: as they are typed, listed, or declared


@dataclass(frozen=True)
class Plan:
    """A sweep that can be started: its points as far as they are known, and what was chosen along the way."""

    sweep: Sweep
    points: tuple[Point, ...]  # those that are known; of a search its corners, which were tried out
    count: int  # points that it will have
    notes: tuple[str, ...] = ()

    @property
    def trainings(self) -> int:
        """How many trainings it has."""
        return self.count * self.sweep.seeds

    def seconds(self, measured: Callable[[RunConfig], tuple[float, float]]) -> tuple[float, float]:
        """What all of them take at least and at most, one after another, each by `measured`."""
        configs = [configuration(self.sweep, point, 1) for point in self.points]
        least, most = in_all(configs, measured)
        return tuple(each * self.trainings / max(1, len(configs)) for each in (least, most))  # type: ignore[return-value]


def declare(base: RunConfig, over: Mapping[str, Over], *, name: str, **fields: Any) -> tuple[Sweep, tuple[str, ...]]:
    """A sweep of `base` over some of its fields, and what was chosen for it in words.

    A field of another choice, as training.beta.value of a constant beta, chooses that. Raises `ConfigError`.
    """
    if not over:
        raise problem("axes", {}, "no field is varied.", "Name one with its values, as model.latent_size=2,8,32.")
    chosen: list[str] = []
    for field in sorted(over, key=_tags_first):
        if owner := _owner(base, field):
            base = changed(base, [owner])
            chosen.append(f"{owner}, to which {field} belongs")
    there, axes = varied(base), []
    for field, values in over.items():
        axes.append(_axis(there, field, values))
        if field not in there:
            _refuse(base, axes[-1])
    given = {**fields, "name": name, "base": base.resolve().model_dump(mode="json"),
             "axes": [axis.model_dump(mode="json") for axis in axes],
             "made": fields.get("made") or time.strftime("%Y-%m-%d %H:%M")}
    return parse(Sweep, given), tuple(chosen)


def plan(sweep: Sweep, chosen: Sequence[str] = ()) -> Plan:
    """The sweep's trainings, each of them looked at before anything is queued.

    Raises `ConfigError` that names field, value, remedy and the points they are of; `DataUnavailable` for data that is
    not here.
    """
    _check_objective(sweep)
    points.check_count(sweep)
    count = points.count(sweep)
    if isinstance(sweep.method, Search):
        if not importlib.util.find_spec("bayes_opt"):
            raise problem("method", "search", "the search needs the package bayesian-optimization.", INSTALL)
        looked_at = _corners(sweep)
    else:
        looked_at = points.known(sweep)
    _check_points(sweep, looked_at)
    notes = [*chosen, *_no_difference(sweep)]
    if not isinstance(sweep.stopping, NoStopping) and count < 3:
        notes.append(f"with {count} point{'s' * (count != 1)} there is too little to compare: none is stopped early")
    return Plan(sweep, tuple(looked_at), count, tuple(notes))


def base_of(sweep: Sweep) -> RunConfig:
    """The configuration that is varied."""
    return parse(RunConfig, sweep.base)


def configuration(sweep: Sweep, point: Mapping[str, Value], seed: int) -> RunConfig:
    """A point's configuration with a seed; raises `ConfigError` where it is none."""
    settings = [f"{field}={json.dumps(point[field])}" for field in sorted(point, key=_tags_first)]
    return changed(base_of(sweep), settings).model_copy(update={"seed": seed})


def judged_from(config: RunConfig, steps_per_epoch: int) -> float:
    """The epoch from which a training's numbers compare with others': beta and the cost of the KL are at their ends."""
    total = config.training.epochs * steps_per_epoch
    if not config.model.has_kl or total == 0:
        return 0.0
    first = bisect_left(range(total), True, key=lambda step: config.training.beta.settled(step, total)
                        and config.training.kl.settled(step, total))
    return first / steps_per_epoch


# -- fields ----------------------------------------------------------------------------------------


def varied(config: RunConfig) -> dict[str, FieldInfo]:
    """Every field of a configuration that can be varied, dotted, with its declaration; choices by their tags."""
    found: dict[str, FieldInfo] = {}

    def walk(part: BaseModel, prefix: str) -> None:
        for name, info in type(part).model_fields.items():
            value = getattr(part, name)
            if isinstance(value, BaseModel):
                if tagged(info):
                    tag = str(info.discriminator)
                    found[f"{prefix}{name}.{tag}"] = info
                walk(value, f"{prefix}{name}.")
            elif name not in TAGS or f"{prefix}{name}" not in found:
                found.setdefault(f"{prefix}{name}", info)

    walk(config, "")
    found.pop("seed")
    return found


def whole(info: FieldInfo | None) -> bool:
    """Whether a field takes whole numbers only."""
    return info is not None and info.annotation is int


def _refuse(base: RunConfig, axis: Values | Range) -> None:
    """Raise what says that there is no such field, in the words of the configuration; a group may be set whole."""
    changed(base, [f"{axis.field}={json.dumps(axis.listed[0])}"])


def _axis(there: Mapping[str, FieldInfo], field: str, values: Over) -> Values | Range:
    if isinstance(values, Values | Range):
        return values.model_copy(update={"field": field})
    if isinstance(values, str):
        return points.axis(field, values, whole=whole(there.get(field)))
    return parse(Values, {"field": field, "kind": "values", "values": [
        tuple(value) if isinstance(value, list) else value
        for value in (values if isinstance(values, Iterable) else [values])]})


def _tags_first(field: str) -> tuple[bool, int]:
    """Which family or schedule it is comes before the fields that only that has."""
    return field.rpartition(".")[2] not in TAGS, field.count(".")


def _owner(base: RunConfig, field: str) -> str:
    """The choice to which a field belongs that this configuration lacks, as a setting; empty where it has the field."""
    value: Any = base
    holder: FieldInfo | None = None
    path: list[str] = []
    for part in field.split("."):
        if not isinstance(value, BaseModel):
            return ""
        info = type(value).model_fields.get(part)
        if info is None:
            having = [tag for tag, member in tagged(holder).items() if part in member.model_fields] if holder else []
            return f"{'.'.join(path)}.{holder.discriminator}={having[0]}" if holder and len(having) == 1 else ""
        holder, value = info, getattr(value, part)
        path.append(part)
    return ""


# -- what is refused -------------------------------------------------------------------------------


def _check_objective(sweep: Sweep) -> None:
    """Raise `ConfigError` for a number that there is not, or that is not known when it is needed."""
    each = objective(sweep.objective)
    if sweep.objective in AFTER and (isinstance(sweep.method, Search) or not isinstance(sweep.stopping, NoStopping)):
        raise problem("objective", sweep.objective, f"{each.title} is found by an evaluation, when a training is over: "
                      "nothing can be searched or stopped by it.", f"Choose one of {', '.join(ALONG)}, or the method "
                      "grid or random without stopping.")


def _corners(sweep: Sweep) -> list[Point]:
    """What a search is tried out on: both ends of all fields together, and each end and value by itself."""
    ends = [{axis.field: axis.at(share) for axis in sweep.axes} for share in (0.0, 0.999999)]
    singly = [{**ends[0], axis.field: value} for axis in sweep.axes
              for value in (axis.values if isinstance(axis, Values) else (axis.low, axis.high))]
    corners = [{axis.field: _rounded(axis, point[axis.field]) for axis in sweep.axes} for point in (*ends, *singly)]
    return list({as_text(point): point for point in corners}.values())


def _rounded(axis: Values | Range, value: Value) -> Value:
    return axis.at(axis.share(float(value))) if isinstance(axis, Range) and isinstance(value, int | float) else value


def _check_points(sweep: Sweep, looked_at: Sequence[Point]) -> None:
    """Raise `ConfigError` with everything that stands against some points, and which these are."""
    found: dict[str, tuple[Problem, list[int]]] = {}
    data: dict[str, Dataset] = {}
    sizes: set[str] = set()
    for number, point in enumerate(looked_at, 1):
        try:
            config = configuration(sweep, point, 1)
            plain = config.model_dump(mode="json")
            known = json.dumps(plain["data"])
            if known not in data:
                data[known] = config.data.load()
            check(config, data[known])
            if (size := json.dumps([plain["data"], plain["model"], config.training.device])) not in sizes:
                fit(config, data[known])
                sizes.add(size)
        except ConfigError as error:
            for each in error.problems:
                found.setdefault(str(each), (each, []))[1].append(number)
    if not found:
        return
    told = [Problem(each.field, each.value, f"{each.message} ({_which(numbers, looked_at)})", each.remedy, each.ways)
            for each, numbers in list(found.values())[:MAX_TOLD]]
    if more := len(found) - MAX_TOLD:
        told += [Problem("axes", None, f"and {more} other problems like these.", "")] if more > 0 else []
    raise ConfigError(told)


def _which(numbers: Sequence[int], looked_at: Sequence[Point]) -> str:
    """The points in words: one by its values, several by their numbers."""
    if len(numbers) == len(looked_at):
        return "every point"
    if len(numbers) == 1:
        return "at " + ", ".join(f"{field}={worded(value)}" for field, value in looked_at[numbers[0] - 1].items())
    shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
    return f"points {shown} of {len(looked_at)}"


def _no_difference(sweep: Sweep) -> list[str]:
    """Fields that are varied and make no difference to the training."""
    from vaecore.training.fitting import unread

    config = base_of(sweep)
    passed_over = unread(config, config.data.load().modalities)
    return [f"{axis.field} makes no difference to this training" for axis in sweep.axes if axis.field in passed_over]
