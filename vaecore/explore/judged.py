"""The judge of a run's data, kept by what the data are: found in a moment, and made only when it is asked for.

`evaluate/judges.py` trains one from the whole data set. What is kept of it needs no data: a network from an observation
to the logits of the classes, their names, and how often it is right on real test observations. All runs of the same
data share it.

Shapes: N observations as a model reads them, (N, *shape) of a modality; K classes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vaecore import permission
from vaecore.arrays import Labels, Numbers
from vaecore.data import DataConfig, DataUnavailable
from vaecore.data.base import MAX_NAME_LENGTH, cache_folder
from vaecore.data.identity import identity
from vaecore.evaluate.classifier import MAX_CLASSIFIER_BYTES, Network
from vaecore.evaluate.judges import Bounded, Progress, judge
from vaecore.files import parsed_json, regular, write_bytes_atomic
from vaecore.memory import held
from vaecore.modalities import Image, Modality, Vector
from vaecore.schema import ConfigError
from vaecore.store import Run

VERSION = 1  # of what is kept
MOST_CLASSES = 10_000
NETWORKS: dict[type[Modality], Callable[[tuple[int, ...], int], nn.Module]] = {
    Image: lambda shape, classes: Bounded(Network(shape, classes)),
    Vector: lambda shape, classes: nn.Linear(shape[0], classes)}


@dataclass(frozen=True)
class KeptJudge:
    """A classifier of one modality of some data, with what makes its verdicts comparable."""

    modality: str
    name: str  # in words, with what it was trained on
    accuracy: float  # on real observations of the test split
    tested: int  # of them
    classes: tuple[str, ...]
    network: nn.Module  # (N, *shape) -> logits (N, K)
    digest: str  # of its file, 16 hexadecimal digits

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """Logits (N, K) of observations (N, *shape)."""
        found: Tensor = self.network(x.float())
        return found

    def probabilities(self, x: Tensor) -> Numbers:
        """p(class|x), (N, K), of observations (N, *shape)."""
        found: Numbers = self.logits(x).double().softmax(1).numpy()
        return found

    def predict(self, x: Tensor) -> Labels:
        """The likeliest class (N,) of observations (N, *shape)."""
        classes: Labels = self.logits(x).argmax(1).numpy()
        return classes

    def __str__(self) -> str:
        return (f"{self.modality}: {self.name}. It is right on {self.accuracy:.1%} of {self.tested:,} real test "
                "observations, which is the ceiling of what it judges.")


def judge_of(run: Run, name: str, modality: Modality, *, make: bool = False) -> KeptJudge | None:
    """The judge of a modality of a run's data, if it has been made, or else with `make`; None where there is none.

    Raises as `made` does where it is to be made.
    """
    if not judgeable({name: modality}):
        return None
    data = run.config().data
    return made(data, name, modality) if make else kept(data, name, modality)


def judgeable(modalities: Mapping[str, Modality]) -> list[str]:
    """The modalities of which there can be a judge: images and vectors. A label says itself what it is of."""
    return [name for name, modality in modalities.items() if isinstance(modality, tuple(NETWORKS))]


def kept(data: DataConfig, name: str, modality: Modality) -> KeptJudge | None:
    """The judge of the modality `name` of some data, if it has been made; the data need not be here.

    Where they never were, one that learned from the copy that comes with the package will do.
    """
    for each in _copies(data):
        if (found := _read(_path(each, name), name, modality)) is not None:
            return found
    return None


def made(data: DataConfig, name: str, modality: Modality, progress: Progress | None = None) -> KeptJudge:
    """The judge of the modality `name`, from the cache, or trained now: some 15 s on one core.

    Raises `DataUnavailable` or `ConfigError` where the data are not here, and `ValueError` for data that have no judge:
    without labels, or of another kind.
    """
    if (found := kept(data, name, modality)) is not None:
        return found
    permission.require("train a judge")
    reason: Exception | None = None
    for each in _copies(data):
        try:
            dataset = each.load()
        except (DataUnavailable, ConfigError, OSError) as error:
            reason = reason or error
            continue
        if dataset.modalities.get(name) != modality:
            raise ValueError(f"the data have no '{name}' as this run models it, so nothing of them judges it.")
        told = judge(dataset, name, progress=progress)
        if told.network is None:
            raise ValueError(f"{name} is {modality.article}, which has no judge but itself.")
        weights = told.network.state_dict()
        numbers = map(str, range(len(dataset.classes), _outputs(weights)))
        classes = (*dataset.classes[:_outputs(weights)], *numbers)
        header = {"name": told.name, "accuracy": told.accuracy, "tested": told.tested, "classes": classes}
        data_of_file, path = save(weights, {"vaecore": json.dumps(header)}), _path(each, name)
        with contextlib.suppress(OSError):  # a full or read-only disk costs making it again
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomic(path, data_of_file)
        return KeptJudge(name, told.name, told.accuracy, told.tested, classes, told.network, _digest(data_of_file))
    assert reason is not None
    raise reason


def _copies(data: DataConfig) -> Iterator[DataConfig]:
    """The data as the judge reads them, and some of the same that come with the package, where there are any.

    What only training sees is left out: a judge does not depend on what a model had to do without.
    """
    for each in (data, data.shipped()):
        if each is not None:
            fields = type(each).model_fields
            usual = {name: fields[name].get_default(call_default_factory=True) for name in each.training_only
                     if name in fields}
            yield each.model_copy(update=usual)


def _path(data: DataConfig, name: str) -> Path:
    key = hashlib.sha256(f"{identity(data)} {name}".encode()).hexdigest()[:16]
    return cache_folder() / "judges" / f"{key}-v{VERSION}.safetensors"


def _digest(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()[:16]


def _read(path: Path, name: str, modality: Modality) -> KeptJudge | None:
    """The judge in a file; None for one that is missing, or of something else."""
    try:
        told = path.stat()
    except OSError:
        return None
    return None if told.st_size > MAX_CLASSIFIER_BYTES else _parsed(path, name, modality, told.st_mtime_ns, told.st_ino)


@held
def _parsed(path: Path, name: str, modality: Modality, *_: int) -> KeptJudge | None:
    try:
        with safe_open(regular(path), "pt") as file:
            header = parsed_json((file.metadata() or {})["vaecore"], "its description")
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is no mapping
        accuracy, tested = float(header["accuracy"]), int(header["tested"])
        classes = tuple(str(each)[:MAX_NAME_LENGTH] for each in header["classes"])
        if not 0 <= accuracy <= 1 or len(classes) != _outputs(weights) or len(classes) > MOST_CLASSES:
            return None
        network = modality.pick(NETWORKS)(modality.shape, len(classes))
        network.load_state_dict(weights)
        return KeptJudge(name, str(header["name"])[:2 * MAX_NAME_LENGTH], accuracy, tested, classes,
                         network.eval().requires_grad_(False), _digest(path.read_bytes()))
    except (OSError, SafetensorError, ValueError, LookupError, TypeError, RuntimeError):
        return None


def _outputs(weights: Mapping[str, Tensor]) -> int:
    """How many logits a network of these weights ends in; raises `KeyError` for those of another."""
    return len(weights["network.read_out.bias" if "network.read_out.bias" in weights else "bias"])
