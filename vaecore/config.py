"""The one description of a run: data + model + training + seed, validated.

The same tree is the page's form, the command line's `--set`, `config.json` in the run's folder and a YAML
preset. `parse` and the loaders here raise `ConfigError`, which names field, value and remedy.
"""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from vaecore.data import MNIST, Data, DataConfig
from vaecore.data.plugins import follow
from vaecore.models import Model, VAEConfig
from vaecore.named import PRESETS, presets
from vaecore.plain_yaml import explained, read_yaml
from vaecore.schedules.beta import Beta, LinearBeta
from vaecore.schedules.inference import InferenceChoice, Together
from vaecore.schedules.kl_cost import KLChoice, Plain
from vaecore.schedules.rate import ConstantRate, Rate
from vaecore.schema import ConfigError, Problem, Strict, option, parse, problem, tagged

MAX_CONFIG_BYTES = 1_000_000  # of a file
LAST_SEED = 2**31 - 1
HOW = "Compare with what `vaecore presets vae-mnist` prints."


class Training(Strict):
    """How a model is trained."""

    epochs: int = option(20, "Passes over the training set.", unit="epochs", symbol="ep", ge=1, le=100_000)
    batch_size: int = option(128, "Observations an update.", symbol="b", ge=1, le=65_536)
    learning_rate: float = option(1e-3, "Step size of the optimizer.", symbol="lr", gt=0, le=10)
    beta: Beta = option(LinearBeta(), "Weight of the KL over training; ignored by families without a KL.",
                        title="Beta schedule")
    kl: KLChoice = option(Plain(), "What the KL costs: itself, free bits, or its distance from a target.",
                          title="KL cost")
    inference: InferenceChoice = option(Together(), "Whether encoder and decoder learn together, or the encoder "
                                        "aggressively first.")
    rate: Rate = option(ConstantRate(), "Learning rate over training, apart from beta.", title="Rate schedule")
    optimizer: Literal["adam", "adamw", "sgd"] = option(
        "adam", "Adam, Adam with decoupled weight decay, or plain stochastic gradient descent.", advanced=True)
    weight_decay: float = option(0.0, "Weight decay.", ge=0, le=10, advanced=True)
    clip_norm: float = option(0.0, "Gradients longer than this are shortened to it; 0 leaves them alone.", ge=0,
                              le=1e6, advanced=True)
    evaluate_every: float = option(1.0, "How often the validation set is evaluated and a checkpoint kept.",
                                   unit="epochs", gt=0, le=10_000, advanced=True)
    patience: int = option(0, "Stop after so many evaluations without a better validation objective (at the final "
                           "beta), counted once beta is there; 0 never stops early.", unit="evaluations", ge=0,
                           le=10_000, advanced=True)
    keep: Literal["best", "last"] = option("best", "Weights to keep: those of the best validation objective at "
                                           "the final beta, or the last.", advanced=True)
    snapshots: int = option(10, "Times at which the model posterior's and the encoder's means of some fixed "
                            "observations are kept, evenly over the evaluations; 0 for none.", ge=0, le=1000,
                            advanced=True)
    snapshot_points: int = option(32, "Observations of the validation set in each.", unit="observations", ge=1,
                                  le=1000, advanced=True)
    pictures: int = option(32, "Times at which test observations, their reconstructions, samples and a walk through "
                           "the code are drawn and kept, closer together at the beginning; fewer where they would take "
                           "more than 2 % of the training's work, 0 for none.", ge=0, le=100, advanced=True)
    checkpoints: int = option(4, "Weights kept along the way, evenly over the evaluations, from which a new run can "
                              "be forked; 0 for none.", ge=0, le=100, advanced=True)
    device: Literal["auto", "cuda", "mps", "cpu"] = option("auto", "Where to train; auto takes the GPU if there is "
                                                           "one.", advanced=True)
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "Number format of the networks; auto is bfloat16 on CUDA cards that have it, else float32, where the "
        "other is slower. Likelihoods and KL are always float32.", advanced=True)
    graphs: bool = option(False, "Capture a step once as a CUDA graph and replay it: small models then do not wait for "
                          "the CPU. What cannot be captured is trained as always, and the log says why.",
                          title="CUDA graphs", advanced=True)
    pace: float = option(0.0, "Steps a second at most, for a training that is watched while it goes: where this "
                         "machine is faster it waits. 0 never waits.", unit="steps a second", ge=0, le=1e6,
                         advanced=True)
    threads: int = option(0, "CPU threads; 0 leaves one core to everything else.", unit="threads", ge=0, le=256,
                          advanced=True)


class RunConfig(Strict):
    """Everything that decides what a run does."""

    data: Data = option(MNIST(), "What to learn from.", title="Data set")
    model: Model = option(VAEConfig(), "What to learn.", title="Family")
    training: Training = option(Training(), "How to learn it.")
    seed: int = option(0, "Seed of the weights, the order of the data and the sampling noise.", symbol="s", ge=0,
                       le=LAST_SEED)

    def resolve(self) -> RunConfig:
        """The configuration with nothing left to the machine that changes what is learned."""
        return self.model_copy(update={"data": self.data.resolve()})

    def seeded(self, count: int) -> list[RunConfig]:
        """The configuration with its own seed and those after it; raises `ConfigError` where there are not so many."""
        if self.seed > LAST_SEED - (count - 1):
            raise problem("seed", self.seed, f"the last seed is {LAST_SEED:,}, so there are no {count:,} from this one "
                          "on.", "Use a smaller one.")
        return [self.model_copy(update={"seed": self.seed + place}) for place in range(count)]

    def about(self) -> dict[str, Any]:
        """What the choice is in words, for those who do not import torch to read it."""
        return {"family": self.model.title, "data": self.data.title, "observation": self.data.observation,
                "has_kl": self.model.has_kl, "exact": self.model.exact, "approach": self.model.approach,
                "multimodal": self.model.multimodal, "likelihood": self.model.scored_by()}

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    def to_yaml(self) -> str:
        return str(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def _offered(kind: type[DataConfig]) -> None:
    """Take a data set that was registered into the union of what `data` may be."""
    info = RunConfig.model_fields["data"]
    name = kind.model_fields["name"].default
    others = [member for member in get_args(info.annotation) if member.model_fields["name"].default != name]
    info.annotation = Union[(*others, kind)]  # type: ignore[assignment]
    RunConfig.model_rebuild(force=True)


follow(_offered)


def from_text(text: str) -> RunConfig:
    """A configuration from JSON or YAML (of which JSON is a part)."""
    if len(text) > MAX_CONFIG_BYTES:
        raise problem("", "", f"the text has {len(text):,} characters.",
                      f"A configuration has at most {MAX_CONFIG_BYTES:,}.")
    try:
        values = read_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise problem("", "", f"{explained(error)}.", HOW) from None
    if values is None:
        raise problem("", "", "there is nothing in it.", HOW)
    return parse(RunConfig, values)


def from_file(path: Path) -> RunConfig:
    """A configuration from a .json or .yaml file."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise problem("", str(path), f"{path} is too large to be a configuration.", "Give a .json or .yaml file.")
        return from_text(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise problem("", str(path), f"{path} cannot be read ({error}).", "Give a .json or .yaml file.") from None


def preset(name: str) -> RunConfig:
    """A named preset."""
    known = presets()
    if name not in known:
        close = [f"Did you mean '{near}'?" for near in difflib.get_close_matches(name, known, n=1)]
        raise problem("preset", name, f"no preset is called '{name}'.",
                      " ".join([*close, f"Choose one of {', '.join(known)}."]))
    return from_file(PRESETS / f"{name}.yaml")


def changed(config: RunConfig, settings: Iterable[str]) -> RunConfig:
    """`config` with settings such as `training.epochs=5` applied; values are read as YAML.

    A field that is a text takes what was typed, a number or a # too; text in quotes is what stands between them.
    Choosing another member of a union (`model.network.kind=mlp`) keeps the fields the new one shares with
    the old and drops the rest.
    """
    values, settings = config.model_dump(mode="json"), list(settings)
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise problem("--set", setting, f"'{setting}' has no value.", "Write field=value, as training.epochs=5.")
        _put(values, RunConfig, name.strip().split("."), text, name.strip())
    named = {setting.partition("=")[0].strip() for setting in settings}
    data = values.get("data")
    if "data.path" in named and "data.digest" not in named and isinstance(data, dict) and "digest" in data:
        data["digest"] = ""  # another file was chosen: the digest was of the one before
    return parse(RunConfig, values)


def _put(values: dict[str, Any], model: type[BaseModel], path: list[str], text: str, whole: str) -> None:
    head, *rest = path
    info = model.model_fields.get(head)
    if not rest:
        values[head] = _said(text, whole, as_text=info is not None and info.annotation is str)
        return
    if info is not None and head not in values:  # a part that came with another member of a union
        default = info.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            values[head] = default.model_dump(mode="json")
        elif isinstance(default, dict):
            values[head] = dict(default)
    inner = values.get(head)
    if info is not None and get_origin(info.annotation) is dict and isinstance(inner, dict) and len(rest) == 1:
        inner[rest[0]] = _said(text, whole, as_text=False)
        return
    if info is None or not isinstance(inner, dict):
        known = ", ".join(model.model_fields)
        raise ConfigError([Problem(whole, text, f"there is no field '{head}' with parts.", f"Known fields: {known}.")])
    members = tagged(info)
    tag = info.discriminator if isinstance(info.discriminator, str) else ""
    if members and rest == [tag] and (chosen := str(_said(text, whole, as_text=True))) in members:
        inner = values[head] = {k: v for k, v in inner.items() if k == tag or _shared(members[chosen], k, v)}
    owner = members.get(inner.get(tag, "")) if members else info.annotation
    if isinstance(owner, type) and issubclass(owner, BaseModel):
        _put(inner, owner, rest, text, whole)


def _shared(member: type[BaseModel], field: str, value: Any) -> bool:
    """Whether a member of a union has a field that takes what another one's field of that name holds."""
    try:
        member.model_validate({field: value})
    except ValidationError as error:  # a choice of the other one that this one does not offer
        return not any(details["loc"][:1] == (field,) for details in error.errors())
    return True


def _said(text: str, field: str, *, as_text: bool) -> Any:
    """What is typed for a field; in quotes it is text. Raises `ConfigError` for what is no YAML and no text."""
    typed = text.strip()
    quoted = len(typed) > 1 and typed[0] == typed[-1] and typed[0] in "'\""
    try:
        value = read_yaml(typed)
    except (yaml.YAMLError, ValueError, RecursionError):
        if as_text:
            return typed
        raise problem(field, text, f"'{text}' cannot be read.", "Quote it if it is text.") from None
    if isinstance(value, str) and not quoted and not as_text:
        with contextlib.suppress(ValueError):
            return float(value)  # YAML 1.1 reads 1e-3 as text; a number is what was meant
    return typed if as_text and not (quoted and isinstance(value, str)) else value


def differences(configs: Iterable[RunConfig | dict[str, Any]]) -> dict[str, list[Any]]:
    """The fields in which configurations differ, dotted, with each one's value (None where it has none)."""
    flat = [_flatten(c if isinstance(c, dict) else c.model_dump(mode="json")) for c in configs]
    names = list(dict.fromkeys(name for values in flat for name in values))
    columns = {name: [values.get(name) for values in flat] for name in names}
    return {name: column for name, column in columns.items() if any(value != column[0] for value in column)}


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
