"""What a run keeps of its model: `weights.safetensors`, loadable alone, and `checkpoint.safetensors`, to resume.

Both are written whole or not at all. Nothing is pickled: optimizer state is tensors under flat names with a
JSON header, and the header of the weights holds the configuration and the modalities, so that one file
rebuilds the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vaecore.config import RunConfig, Training, differences
from vaecore.data import Dataset, Modality
from vaecore.data.base import MAX_AXIS, MAX_CLASSES, MAX_COLUMNS, MAX_NAME_LENGTH
from vaecore.data.own.tables.cells import MAX_NUMBER
from vaecore.files import parsed_json, regular, write_bytes_atomic
from vaecore.modalities import KINDS, Label, Text, Vector
from vaecore.models import Family
from vaecore.nets.convolutional import channels_last
from vaecore.probability.likelihoods import Likelihood
from vaecore.schema import ConfigError, parse, problem
from vaecore.store import COPY_AGAIN, MAX_WEIGHTS_BYTES, Run

WEIGHTS, CHECKPOINT = "weights.safetensors", "checkpoint.safetensors"
INITIAL, KEPT = "initial.safetensors", "kept"  # what a fork begins with, and the folder of weights along the way
HALVED_FROM = 4096  # numbers; smaller arrays are worth nothing and may be variances
FITTED = "latent_prior.spread"  # what only a prior has that was fitted to codes
MAX_VOCABULARY, MAX_WORD_LENGTH = 100_000, 10_000  # words, characters
NAME = re.compile(r"\w[\w -]{0,39}")  # of a modality: pages say it everywhere
MOST_CHANGES = 50  # of settings that are told of a run
# Settings on which hangs what a checkpoint says, and why; the others may be changed before a run is resumed.
BOUND = {"seed": "the order of its data and its noise are drawn from it",
         "training.batch_size": "its steps are counted in batches",
         "training.optimizer": "the moments that are kept are those of its optimizer",
         "training.inference": "whose turn it is to learn was counted by it",
         "training.beta": "the best weights so far were chosen by it",
         "training.kl": "the best weights so far were chosen by it",
         "training.keep": "the weights that are kept so far were chosen by it"}
PROGRESS = {"step": int, "metrics_bytes": int, "best": float | None, "since_best": int, "seconds": float}


class BrokenCheckpoint(Exception):
    """Weights or a checkpoint that are missing, truncated or not ours; the message says what to do."""


def save_weights(path: Path, model: Family, config: RunConfig, step: int) -> None:
    """Write weights that can be loaded alone."""
    if path.parent.name == KEPT:  # and never the run's own folder again, which somebody has deleted meanwhile
        path.parent.mkdir(exist_ok=True)
    modalities = {name: _noted(modality) for name, modality in model.modalities.items()}
    header = {"config": config.model_dump(mode="json"), "modalities": modalities, "step": step}
    if model.covariate is not None:
        header["covariate"] = _noted(model.covariate)
    _write(path, model.state_dict(), header)


def kept_weights(folder: Path, step: int) -> Path:
    """Where the weights of a step along the way are kept."""
    return folder / KEPT / f"step-{step:08d}.safetensors"


def kept_steps(folder: Path) -> list[int]:
    """The steps whose weights were kept along the way, ascending."""
    names = (re.fullmatch(r"step-(\d{8})\.safetensors", path.name) for path in (folder / KEPT).glob("step-*"))
    return sorted(int(match[1]) for match in names if match)


def inherit(folder: Path, model: Family) -> None:
    """Begin with the weights of `initial.safetensors`, where the run is a fork; raises `BrokenCheckpoint`."""
    if not (folder / INITIAL).exists():
        if parent := Run(folder).about().get("parent"):
            raise BrokenCheckpoint(f"{folder / INITIAL} is gone, with which this fork of "
                                   f"{parent.get('run') if isinstance(parent, dict) else parent} begins. Fork again.")
        return
    tensors, _ = _read(folder / INITIAL)
    if different := misfit(model, tensors):
        raise BrokenCheckpoint(f"{folder / INITIAL} does not fit this configuration: it differs in {different}. Fork "
                               "the parent again, with its data and model.")
    # What training does not find, as a fixed sigma, is the configuration's to say, not the parent's.
    found = {f"{path}.{name}" for path, part in model.named_modules() if isinstance(part, Likelihood)
             for name in part.found}
    model.load_state_dict({**tensors, **{name: kept for name, kept in model.named_buffers() if name not in found}})


def misfit(model: Family, tensors: Mapping[str, Tensor]) -> str:
    """The first parameter in which weights do not fit a model; empty where they do."""
    own = {name: (tensor.shape, tensor.dtype) for name, tensor in model.state_dict().items()}
    given = {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
    return next((name for name in sorted(own.keys() | given.keys()) if own.get(name) != given.get(name)), "")


def read_weights(path: Path) -> tuple[dict[str, Tensor], int]:
    """The model's tensors in a file of weights or in a checkpoint, and their step; raises `BrokenCheckpoint`."""
    tensors, header = _read(path)
    return (_part(tensors, "model.") if path.name == CHECKPOINT else tensors), _step(path, header)


def write_weights(path: Path, tensors: Mapping[str, Tensor], step: int) -> None:
    """Write the tensors alone, as a fork begins with them."""
    _write(path, tensors, {"step": step})


def halve_weights(path: Path) -> None:
    """Rewrite a file of weights in half precision, for copies that travel; raises `BrokenCheckpoint`."""
    tensors, header = _read(path)
    _write(path, halved(tensors), header)


def step_of(path: Path) -> int:
    """The step at which weights or a checkpoint were written; raises `BrokenCheckpoint`."""
    return _step(path, _header(path))


def _step(path: Path, header: dict[str, Any]) -> int:
    step = header.get("step")
    if not isinstance(step, int):
        raise BrokenCheckpoint(f"{path} does not say at which step it was written. {COPY_AGAIN}.")
    return step


def modalities_in(folder: Path) -> dict[str, Modality]:
    """What the model of the run in `folder` is of, by the header of its weights alone; raises `BrokenCheckpoint`."""
    header = _header(folder / WEIGHTS)
    try:
        return _described(header)[0]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenCheckpoint(f"{folder / WEIGHTS} does not fit its own description ({_line(error)}). "
                               f"{COPY_AGAIN}.") from None


def untrained(config: RunConfig, folder: Path, *, drawn: bool = False) -> Family:
    """A model of `config` for the modalities of the run in `folder`, shapes without numbers.

    With `drawn` it has those that the seed of `config` draws, as a training begins with them. Raises `ConfigError`
    where they do not go together, `BrokenCheckpoint` for unreadable weights.
    """
    header = _header(folder / WEIGHTS)
    try:
        modalities, covariate = _described(header)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BrokenCheckpoint(f"{folder / WEIGHTS} does not fit its own description ({_line(error)}). "
                               f"{COPY_AGAIN}.") from None
    with torch.random.fork_rng(devices=[]), torch.device("cpu" if drawn else "meta"):
        torch.manual_seed(config.seed)
        return config.model.build(modalities, covariate)


def load_model(path: Path) -> Family:
    """The model in a `weights.safetensors` (or in the run's folder that holds it), on the CPU, in evaluation mode.

    Raises `BrokenCheckpoint` for a file that is missing, truncated or does not fit its own description.
    """
    path = path / WEIGHTS if path.is_dir() else path
    tensors, header = _read(path)
    try:
        config = parse(RunConfig, header["config"])
        found, covariate = _described(header)
        modalities = {name: config.data.known_of(name, modality) for name, modality in found.items()}
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            model = config.model.build(modalities, covariate)
        for name, wanted in model.state_dict().items():
            if name in tensors and tensors[name].dtype != wanted.dtype:
                raise ValueError(f"{name} holds {tensors[name].dtype} instead of {wanted.dtype}")
        model.load_state_dict(tensors, assign=True)
        channels_last(model)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RuntimeError, ConfigError) as error:
        raise BrokenCheckpoint(f"{path} does not fit its own description ({_line(error)}). {COPY_AGAIN}."
                               ) from None
    return model.eval()


def check_origin(run: Run) -> None:
    """Raise `BrokenCheckpoint` for weights that were trained with another data set or model than the run's.

    Where a file of one's own lies is no part of that: its digest says which it is.
    """
    noted = parse(RunConfig, _header(run.weights)["config"]).model_dump(mode="json")
    here = run.config().model_dump(mode="json")
    if not noted["data"].get("digest"):  # made before there was one: nothing is known against the file
        noted["data"].pop("digest", None)
        here["data"].pop("digest", None)
    noted, here = ({"data": {k: v for k, v in values["data"].items() if k != "path"}, "model": values["model"]}
                   for values in (noted, here))
    if fields := differences([noted, here]):
        name, (trained, own) = next(iter(fields.items()))
        raise BrokenCheckpoint(f"weights.safetensors of {run.id} belongs to another run: it was trained with {name} = "
                               f"{trained}, but config.json says {own}. {COPY_AGAIN}, the whole of it.")


def settings_of(config: RunConfig) -> dict[str, Any]:
    """What a checkpoint notes of the settings that it was made with; data and model stand in the weights."""
    return {"seed": config.seed, "training": config.training.model_dump(mode="json")}


def changed_settings(run: Run) -> list[str]:
    """A sentence on each setting of a run that has changed since its training began, which says at which step.

    Raises `ConfigError` for a change after which its checkpoint would say something else (see `BOUND`), and
    `BrokenCheckpoint`.
    """
    path = run.path / CHECKPOINT
    header = _header(path)
    step, known = _step(path, header), header.get("changes", [])
    try:
        noted = header.get("settings") or _header(run.weights)["config"]  # made before they were noted
        before = {"seed": int(noted["seed"]), "training": parse(Training, noted["training"]).model_dump(mode="json")}
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise BrokenCheckpoint(f"{path} does not say with which settings it was made ({_line(error)}). {COPY_AGAIN}."
                               ) from None
    told = [each[:MAX_WORD_LENGTH] for each in known if isinstance(each, str)] if isinstance(known, list) else []
    for name, values in differences([before, settings_of(run.config())]).items():
        was, now = ("unset" if value is None else value for value in values)
        field = next((field for field in BOUND if name == field or name.startswith(f"{field}.")), "")
        if field:
            raise problem(name, now, f"up to step {step:,} the run was trained with {was}, and {BOUND[field]}.",
                          f"Set it back to {was} to resume the run, or fork it with {now}.")
        told.append(f"From step {step:,} on {name} is {now}, before it was {was}.")
    return told[-MOST_CHANGES:]


def check_words(folder: Path, dataset: Dataset) -> None:
    """Raise `BrokenCheckpoint` where the data's sentences are numbered by another vocabulary than the weights'.

    Another version may tell words apart otherwise, and the same file gives other numbers then.
    """
    for name, modality in _described(_header(folder / WEIGHTS))[0].items():
        now = dataset.modalities.get(name)
        if now is not None and modality.vocabulary != now.vocabulary:
            raise BrokenCheckpoint(f"{WEIGHTS} of {folder.name} was trained on other words than its text has now "
                                   f"({len(modality.vocabulary):,} and {len(now.vocabulary):,}): this version tells "
                                   "words apart in another way. Train a new run with the same settings.")


def save_checkpoint(folder: Path, model: Family, optimizers: Mapping[str, torch.optim.Optimizer],
                    generator: torch.Generator, progress: Mapping[str, Any]) -> None:
    """Write `checkpoint.safetensors`: weights, optimizers by name, random state, and `progress` as JSON."""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors["random.noise"] = generator.get_state()
    for owner, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{owner}.{index}.{name}": t for name, t in state.items()}
    _write(folder / CHECKPOINT, tensors, dict(progress))


def load_checkpoint(folder: Path, model: Family, optimizers: Mapping[str, torch.optim.Optimizer],
                    generator: torch.Generator) -> dict[str, Any] | None:
    """Restore all of them in place and return `progress`; None when there is nothing to resume from."""
    if not (folder / CHECKPOINT).exists():
        return None
    tensors, progress = _read(folder / CHECKPOINT)
    if not (isinstance(progress, dict) and progress.keys() >= PROGRESS.keys()
            and all(isinstance(progress[name], kind) for name, kind in PROGRESS.items())
            and isinstance(progress.get("cpu_seconds"), float | None)  # absent before they were counted
            and isinstance(progress.get("pictures_bytes", 0), int)  # likewise, before there were any
            and min(progress["step"], progress["metrics_bytes"], progress.get("pictures_bytes", 0)) >= 0):
        raise BrokenCheckpoint(f"{folder / CHECKPOINT} does not say where training stood. {COPY_AGAIN}, or start "
                               "a new one with its configuration.")
    try:
        model.load_state_dict(_part(tensors, "model."))
        for owner, optimizer in optimizers.items():
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, f"{owner}.").items():
                index, _, key = name.partition(".")
                # Moments lie in memory as their parameter does: a fused update walks both in storage order.
                like = parameters[int(index)]
                placed = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape and tensor.ndim else tensor
                state.setdefault(int(index), {})[key] = placed
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        restore_noise(generator, tensors["random.noise"], progress["step"])
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise BrokenCheckpoint(f"{folder / CHECKPOINT} does not fit this configuration ({_line(error)}). Start a new "
                               "run with it instead of resuming.") from None
    return progress


def restore_noise(generator: torch.Generator, noise: Tensor, step: int) -> None:
    """Let the noise go on where it stood; on another kind of device, which draws otherwise, begin it by the step."""
    if len(noise) == len(generator.get_state()):
        generator.set_state(noise)
    else:
        generator.manual_seed(generator.initial_seed() + step)


def _write(path: Path, tensors: Mapping[str, Tensor], header: dict[str, Any]) -> None:
    # A file of tensors is row-major: channels-last weights are laid out anew.
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    write_bytes_atomic(path, save(plain, {"vaecore": json.dumps(header)}))


def _header(path: Path) -> dict[str, Any]:
    return _read(path, tensors=False)[1]


def _read(path: Path, *, tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_WEIGHTS_BYTES:
            raise BrokenCheckpoint(f"{path} is larger than {MAX_WEIGHTS_BYTES // 2**30} GB, which no model here is.")
        with safe_open(regular(path), "pt") as file:
            header = parsed_json((file.metadata() or {})["vaecore"], "its description")
            if not isinstance(header, dict):
                raise ValueError("its description is not a set of fields")
            names = file.keys() if tensors else ()
            return {name: _single(file.get_tensor(name)) for name in names}, header
    except FileNotFoundError:
        raise BrokenCheckpoint(f"{path} is missing. Train the run. {COPY_AGAIN}, if it was trained elsewhere."
                               ) from None
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise BrokenCheckpoint(f"{path} is truncated or not a checkpoint of this program ({_line(error)}). "
                               f"{COPY_AGAIN}.") from None


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Large arrays of weights in half precision, which changes pixels by less than a grey level; all else as it was.

    They are read back as single precision. A prior that was fitted to codes stays whole: its covariances may be so
    narrow in a direction that half precision has no such number, and would make a density of none.
    """
    fitted = FITTED in tensors

    def kept(name: str, tensor: Tensor) -> bool:
        return (tensor.numel() < HALVED_FROM or tensor.dtype != torch.float32 or float(tensor.abs().max()) > 1e4
                or (fitted and name.startswith("latent_prior.")))

    return {name: tensor if kept(name, tensor) else tensor.half() for name, tensor in tensors.items()}


def _single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _described(header: dict[str, Any]) -> tuple[dict[str, Modality], Modality | None]:
    """The modalities that a model was built for, and its covariate where it reads one."""
    modalities = {str(name): _modality(m) for name, m in header["modalities"].items()}
    if (odd := next((name for name in modalities if not NAME.fullmatch(name)), None)) is not None:
        raise ValueError(f"a modality called {odd[:60]!r}")
    return modalities, _modality(header["covariate"]) if "covariate" in header else None


def _noted(modality: Modality) -> dict[str, Any]:
    """A modality as a header has it; what is empty is left out."""
    words = {"vocabulary": modality.vocabulary, "classes": modality.classes, "columns": modality.columns,
             "audible": modality.audible, "centre": modality.centre, "scale": modality.scale}
    return {"kind": modality.kind, "shape": modality.shape} | {name: value for name, value in words.items() if value}


def _names(values: Mapping[str, Any], field: str, count: int) -> tuple[str, ...]:
    """The names of `count` classes or columns; none in weights that were written before names were kept."""
    found = values.get(field, [])
    if not isinstance(found, list) or not all(isinstance(name, str) and len(name) <= MAX_NAME_LENGTH for name in found):
        raise ValueError(f"{field} that are no names of at most {MAX_NAME_LENGTH} characters")
    if found and len(found) != count:
        raise ValueError(f"{len(found):,} {field} with names instead of {count:,}")
    return tuple(found)


def _units(values: Mapping[str, Any], field: str, count: int) -> tuple[float, ...]:
    """What leads `count` numbers back to the file's units; nothing in weights that were written before it was kept."""
    found = values.get(field, [])
    good = isinstance(found, list) and len(found) in {0, count} and all(
        isinstance(each, int | float) and abs(each) <= MAX_NUMBER for each in found)
    if not good:
        raise ValueError(f"{field} of {count:,} numbers that is none")
    return tuple(map(float, found))


def _modality(values: Mapping[str, Any]) -> Modality:
    kind, shape = values["kind"], tuple(int(n) for n in values["shape"])
    words = tuple(values.get("vocabulary", ()))
    known = KINDS.get(kind)
    if known is None or not all(0 < n <= MAX_AXIS for n in shape) or len(shape) != len(known.axes):
        raise ValueError(f"a modality of kind {kind} and shape {shape}")
    if len(words) > MAX_VOCABULARY or not all(isinstance(w, str) and len(w) <= MAX_WORD_LENGTH for w in words):
        raise ValueError(f"a vocabulary of {len(words):,} words")
    if issubclass(known, Text) != bool(words):
        raise ValueError(f"a modality of kind {kind} with {len(words):,} words")
    classes = _names(values, "classes", min(shape[0], MAX_CLASSES) if issubclass(known, Label) else 0)
    columns = _names(values, "columns", min(shape[0], MAX_COLUMNS) if issubclass(known, Vector) else 0)
    numbers = shape[0] if issubclass(known, Vector) else 0
    centre, scale = _units(values, "centre", numbers), _units(values, "scale", numbers)
    if len(centre) != len(scale) or not all(each > 0 for each in scale):
        raise ValueError("numbers whose units cannot be told")
    return Modality(kind, shape, words, classes, columns, values.get("audible") is True, centre, scale)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _line(error: Exception) -> str:
    return str(error).strip().replace("\n", " ")[:160]
