"""What a training step of several modalities takes beside a peer, and how it grows with their number.

    python benchmarks/modalities.py            # some minutes of both cores, where they are free
    python benchmarks/modalities.py --quick    # fewer rounds, nothing kept

All take turns in one process, as in training.py, and what counts is the ratio of the times within one round. The peer,
multivae, gets copies of the very modules of ours, so both train the same networks, and both read black-and-white
digits: its Bernoulli refuses grey ones. Before anything is timed, both losses are compared on the same weights.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import datetime
import functools
import importlib
import importlib.machinery
import importlib.util
import io
import itertools
import logging
import math
import os
import platform
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from priors import steps_of
from torch import Tensor, nn
from training import CPU, RESULTS, Block, spread

from vaecore.config import RunConfig
from vaecore.data import Dataset
from vaecore.models import Family
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Feed

MULTIVAE = "multivae 1.0.3"
BATCH, WIDTH, LATENT, SHARED, PRIVATE = 100, 512, 20, 10, 4
STEPS, ROUNDS, REPETITIONS = 6, 8, 3
LIMIT = 0.6  # ours / multivae's
WARM_UP, DRAWS = 100, 300  # steps before the losses are compared, and how often each is drawn
OURS, BARE, BARE_THEIRS = "ours", "bare products", f"bare products that {MULTIVAE} takes"
OURS_LEAN, PEER_LEAN, PEER = "ours, lean loop", f"{MULTIVAE}, lean loop", f"{MULTIVAE}, BaseTrainer"
DISTRIBUTIONS = {"image": "bernoulli", "label": "categorical"}

SHARED_LATENT = {"family": "multimodal-vae", "latent_size": LATENT}
FAMILIES: dict[str, dict[str, Any]] = {
    "MVAE": SHARED_LATENT | {"posterior": {"kind": "product"}},
    "JMVAE": SHARED_LATENT | {"posterior": {"kind": "joint", "alpha": 0.1, "joint_hidden": WIDTH}},
    "DMVAE": {"family": "dmvae", "shared_size": SHARED, "private_size": PRIVATE}}  # a label has no private latent

COUNTS = range(2, 13)  # modalities M
PIXELS, NARROW = 784, 256  # numbers in a vector of each, and the width of its networks
GROWING: dict[str, tuple[dict[str, Any], int]] = {  # model, rounds of one step each
    "MVAE, one random subset": (SHARED_LATENT | {"posterior": {"kind": "product", "random_subsets": 1}}, 8),
    "DMVAE, cross=false": ({"family": "dmvae", "shared_size": SHARED, "private_size": PRIVATE, "cross": False}, 8),
    "DMVAE": ({"family": "dmvae", "shared_size": SHARED, "private_size": PRIVATE}, 4)}

Loss = Callable[[Mapping[str, Tensor]], Tensor]


def configured(data: dict[str, Any], model: dict[str, Any], width: int, seed: int = 0) -> RunConfig:
    """Adam at 1e-3, nothing scheduled, and epochs enough never to end."""
    network = {"kind": "mlp", "hidden": [width]}
    return RunConfig.model_validate({
        "data": data, "model": model | {"networks": {"image": network, "vector": network}}, "seed": seed,
        "training": {"epochs": 10_000, "batch_size": BATCH, "learning_rate": 1e-3, "device": "cpu",
                     "beta": {"kind": "constant"}, "rate": {"kind": "constant"}}})


def digits(family: str, seed: int = 0) -> RunConfig:
    return configured({"name": "image-label", "source": "embedded", "pixels": "binary-fixed"}, FAMILIES[family], WIDTH,
                      seed)


def trainer_of(config: RunConfig, dataset: Dataset) -> Course:
    torch.manual_seed(config.seed)
    return Course(config, build(config, dataset), Feed(dataset, "train", CPU), CPU)


# -- the peer --------------------------------------------------------------------------------------


class _StandIn(types.ModuleType):
    """Has a class of any name that is asked for, which is all that importing multivae asks of some packages."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@functools.cache
def multivae() -> Any:
    """The package; raises `ImportError` without it. It prints through handlers tied to stderr at its import."""
    for package, parts in {"torchvision": ("transforms", "datasets", "datasets.utils", "models", "utils"),
                           "nltk": ("tokenize",)}.items():
        if package not in sys.modules and importlib.util.find_spec(package) is None:
            for name in (package, *(f"{package}.{part}" for part in parts)):
                module = _StandIn(name)
                module.__path__ = []
                module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
                sys.modules[name] = module
    with contextlib.redirect_stderr(io.StringIO()):
        peer = importlib.import_module("multivae")
        importlib.import_module("multivae.models")
        importlib.import_module("multivae.trainers")

    for name in [name for name in logging.root.manager.loggerDict if name.startswith("multivae")]:
        logging.getLogger(name).setLevel(logging.ERROR)
    return peer


def peer_of(family: str, model: Any) -> Any:
    """multivae's model around copies of the modules of ours: one head a network, as ours has it."""
    peer = multivae()
    from multivae.models.nn import BaseJointEncoder
    from multivae.models.nn.base_architectures import BaseMultilatentEncoder
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network, self.latent_dim = copy.deepcopy(network), LATENT

        def forward(self, x: Tensor) -> Any:
            mean, logvar = self.network(x).chunk(2, 1)
            return ModelOutput(embedding=mean, log_covariance=logvar)

    class Joint(BaseJointEncoder):  # type: ignore[misc]
        def __init__(self, features: nn.ModuleList, head: nn.Module) -> None:
            super().__init__()
            self.features, self.head, self.latent_dim = copy.deepcopy(features), copy.deepcopy(head), LATENT

        def forward(self, x: Mapping[str, Tensor]) -> Any:
            read = [encoder(x[name]) for name, encoder in zip(model.names, self.features, strict=True)]
            mean, logvar = self.head(torch.cat(read, 1)).chunk(2, 1)
            return ModelOutput(embedding=mean, log_covariance=logvar)

    class SharedPrivate(BaseMultilatentEncoder):  # type: ignore[misc]
        def __init__(self, network: nn.Module, size: int) -> None:
            super().__init__()
            self.network, self.latent_dim, self.style_dim = copy.deepcopy(network), SHARED, size

        def forward(self, x: Tensor) -> Any:
            mean, logvar, own, own_logvar = self.network(x).split([SHARED] * 2 + [self.style_dim] * 2, 1)
            return ModelOutput(embedding=mean, log_covariance=logvar, style_embedding=own,
                               style_log_covariance=own_logvar)

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network, self.latent_dim = copy.deepcopy(network), LATENT

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.network(z))

    common = {"n_modalities": len(model.names), "input_dims": {name: m.shape for name, m in model.modalities.items()},
              "decoders_dist": DISTRIBUTIONS}
    decoders = {name: Decoder(part.network) for name, part in zip(model.names, model.decoders, strict=True)}
    if family == "DMVAE":
        encoders = {name: SharedPrivate(part, model.private_sizes[name])
                    for name, part in zip(model.names, model.encoder["experts"], strict=True)}
        return peer.models.DMVAE(peer.models.DMVAEConfig(latent_dim=SHARED, **common,
                                                         modalities_specific_dim=dict(model.private_sizes)),
                                 encoders, decoders)
    config = {"latent_dim": LATENT, "warmup": 0, **common}
    networks = model.encoder.encoders if family == "MVAE" else model.encoder.single
    encoders = {name: Encoder(part) for name, part in zip(model.names, networks, strict=True)}
    if family == "MVAE":
        return peer.models.MVAE(peer.models.MVAEConfig(**config), encoders, decoders)
    joint = Joint(model.encoder.features, model.encoder.head)
    return peer.models.JMVAE(peer.models.JMVAEConfig(alpha=0.1, **config), encoders, decoders, joint)


def peer_loss(peer: Any) -> Loss:
    multivae()
    from multivae.data.datasets import MultimodalBaseDataset

    def loss(batch: Mapping[str, Tensor]) -> Tensor:
        given = MultimodalBaseDataset({name: batch[name] for name in DISTRIBUTIONS})
        return peer(given, epoch=1).loss  # type: ignore[no-any-return]

    return loss


def with_prior(peer: Any) -> None:
    """Let a DMVAE of multivae multiply the prior into the posterior of one modality too, as ours does."""
    from multivae.models.base.base_utils import stable_poe

    inferred = peer._infer_latent_parameters

    def infer(inputs: Any, subset: Any = None) -> Any:
        mean, logvar, shared, own = inferred(inputs, subset)
        return mean, logvar, {name: stable_poe(*(torch.stack([p, torch.zeros_like(p)]) for p in parameters))
                              for name, parameters in shared.items()}, own

    peer._infer_latent_parameters = infer


def base_trainer(peer: Any, data: dict[str, Tensor], steps: int, scratch: str) -> Block:
    """multivae's own `BaseTrainer.train_step`, an epoch of as many steps at a time, without its progress bar."""
    multivae()
    from multivae.data.datasets import MultimodalBaseDataset
    from multivae.trainers import BaseTrainer, BaseTrainerConfig
    from multivae.trainers.base.callbacks import CallbackHandler, TrainingCallback

    rows = MultimodalBaseDataset({name: x[:steps * BATCH] for name, x in data.items()})
    trainer = BaseTrainer(peer, rows, training_config=BaseTrainerConfig(
        output_dir=scratch, per_device_train_batch_size=BATCH, learning_rate=1e-3, no_cuda=True))
    trainer.callback_handler = CallbackHandler([TrainingCallback()], peer)

    def block() -> None:
        trainer.train_step(epoch=1)

    return block


# -- who else takes the steps ----------------------------------------------------------------------


def our_loss(model: Family) -> Loss:
    def loss(batch: Mapping[str, Tensor]) -> Tensor:
        terms = model.objective(batch).terms()
        return terms.charged - terms.fit + terms.penalty

    return loss


def lean(model: nn.Module, loss: Loss, data: dict[str, Tensor], steps: int) -> Block:
    """Fused Adam on batches indexed from memory, nothing logged."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    count = len(next(iter(data.values())))
    order, done = torch.randperm(count), 0

    def block() -> None:
        nonlocal order, done
        for _ in range(steps):
            if done + BATCH > count:
                order, done = torch.randperm(count), 0
            rows = order[done:done + BATCH]
            done += BATCH
            loss({name: x.index_select(0, rows) for name, x in data.items()}).backward()
            optimizer.step()
            optimizer.zero_grad()

    return block


def products(model: nn.Module, loss: Loss, batch: Mapping[str, Tensor], steps: int) -> Block:
    """The matrix products of every layer, as often as `loss` calls it, into memory that is there already."""
    layers: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        (m, k), n = inputs[0].shape, layer.out_features
        given = torch.empty(m, k) if inputs[0].requires_grad else None  # nobody asks for the gradient of the data
        layers.append((torch.randn(m, k), torch.randn(n, k), torch.empty(m, n), torch.empty(n, k), given))

    hooks = [layer.register_forward_hook(note) for layer in model.modules() if isinstance(layer, nn.Linear)]
    loss(batch)
    for hook in hooks:
        hook.remove()

    def block() -> None:
        for _ in range(steps):
            for given, weight, output, _, _ in layers:
                torch.mm(given, weight.t(), out=output)
            for given, weight, output, weight_gradient, gradient in reversed(layers):
                torch.mm(output.t(), given, out=weight_gradient)
                if gradient is not None:
                    torch.mm(output, weight, out=gradient)

    return torch.no_grad()(block)


def take_turns(blocks: dict[str, Block], rounds: int, threads: int) -> dict[str, list[float]]:
    """Seconds a block, by name; the order turns by one from round to round.

    Of one thread the processor's time: unlike the clock's, it does not count what other jobs take. Two threads wait for
    one another, which processor's time cannot tell from work: there the clock counts.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    names = list(blocks)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1, rounds):  # one round to warm up
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            start = clock()
            blocks[name]()
            if turn >= 0:
                seconds[name].append(clock() - start)
    return seconds


# -- the same loss ---------------------------------------------------------------------------------


def losses(dataset: Dataset) -> list[dict[str, Any]]:
    """The mean loss of one batch on the same trained weights, drawn many times by both."""
    found = []
    for family in FAMILIES:
        trainer = trainer_of(digits(family), dataset)
        for step in range(WARM_UP):
            trainer.update(step)
            trainer.pending.clear()
        batch = trainer.feed.first(BATCH)
        peers = {"as it comes": peer_of(family, trainer.model)}
        if family == "DMVAE":
            peers["with the prior in each product"] = peer_of(family, trainer.model)
            with_prior(peers["with the prior in each product"])
        ours = drawn(our_loss(trainer.model), batch)
        for how, peer in peers.items():
            theirs = drawn(peer_loss(peer), batch)
            apart = theirs["value"] - ours["value"]
            found.append({"family": family, "how": how, "ours": ours, "theirs": theirs, "difference": {
                "value": apart, "error": math.hypot(ours["error"], theirs["error"])}})
            print(f"loss of {family}, {how}: ours {_value(ours)}, theirs {_value(theirs)}, difference "
                  f"{_value(found[-1]['difference'])}", flush=True)
    return found


@torch.no_grad()
def drawn(loss: Loss, batch: Mapping[str, Tensor]) -> dict[str, float]:
    values = torch.stack([loss(batch) for _ in range(DRAWS)]).double()
    return {"value": float(values.mean()), "error": float(values.std() / math.sqrt(DRAWS))}


# -- beside the peer -------------------------------------------------------------------------------


def measured(family: str, threads: int, rounds: int, seed: int, dataset: Dataset) -> dict[str, list[float]]:
    """Seconds a block of everybody, by name."""
    torch.set_num_threads(threads)
    config = digits(family, seed)
    trainer = trainer_of(config, dataset)
    data = {name: trainer.feed.all()[name] for name in DISTRIBUTIONS}
    batch = trainer.feed.first(BATCH)
    other = build(config, dataset)
    blocks = {BARE: products(other, our_loss(other), batch, STEPS), OURS: steps_of(trainer, STEPS),
              OURS_LEAN: lean(other, our_loss(other), data, STEPS)}
    with tempfile.TemporaryDirectory() as scratch:
        with contextlib.suppress(ImportError):
            first, second = peer_of(family, trainer.model), peer_of(family, trainer.model)
            blocks[BARE_THEIRS] = products(first, peer_loss(first), batch, STEPS)
            blocks[PEER_LEAN] = lean(first, peer_loss(first), data, STEPS)
            blocks[PEER] = base_trainer(second, data, STEPS, scratch)
        return take_turns(blocks, rounds, threads)


def beside(family: str, threads: int, rounds: int, dataset: Dataset) -> dict[str, Any]:
    """Ratios over all repetitions, and the median of each."""
    taken = [measured(family, threads, rounds, seed, dataset) for seed in range(REPETITIONS)]
    whole = {name: list(itertools.chain.from_iterable(t[name] for t in taken)) for name in taken[0]}
    rows = {}
    for name, seconds in whole.items():
        over = {under: {"all": spread(seconds, whole[under]),
                        "each": [spread(t[name], t[under])["median"] for t in taken]}
                for under in (BARE, OURS, PEER_LEAN, PEER) if under in whole}
        rows[name] = {"ms": 1e3 * statistics.median(seconds) / STEPS, "over": over}
    return {"family": family, "threads": threads, "rounds": rounds, "rows": rows}


# -- how it grows ----------------------------------------------------------------------------------


def growth(name: str, threads: int, rounds: int, seed: int) -> list[float]:
    """Milliseconds a step for each number of modalities.

    A round's times are taken relative to their sum, so that a round on a busy machine counts as any other.
    """
    torch.set_num_threads(threads)
    model, _ = GROWING[name]
    blocks = {}
    for count in COUNTS:
        config = configured({"name": "planted-blocks", "blocks": count, "features": PIXELS, "samples": 1_000}, model,
                            NARROW, seed)
        blocks[str(count)] = steps_of(trainer_of(config, config.data.load()), 1)
    seconds = np.array(list(take_turns(blocks, rounds, threads).values()))  # (M, rounds)
    whole = seconds.sum(0)
    relative = np.median(seconds / whole, axis=1)
    return [float(x) for x in 1e3 * relative / relative.sum() * np.median(whole)]


def fitted(ms: list[float]) -> dict[str, float]:
    """R2 of a line and of a parabola through the times, and how much steeper the last third is than the first."""
    counts, times = np.array(COUNTS, float), np.array(ms)
    line, parabola = (float(1 - (times - np.polyval(np.polyfit(counts, times, degree), counts)).var() / times.var())
                      for degree in (1, 2))
    third = round(len(counts) / 3)
    first, last = (np.polyfit(counts[part], times[part], 1)[0] for part in (slice(third), slice(-third, None)))
    return {"r2": line, "parabola": parabola, "steeper": float(last / first)}


def grown(name: str, threads: int, rounds: int) -> dict[str, Any]:
    each = [growth(name, threads, rounds, seed) for seed in range(REPETITIONS)]
    ms = [statistics.median(times) for times in zip(*each, strict=True)]
    return {"name": name, "threads": threads, "rounds": rounds, "ms": ms, "fit": fitted(ms),
            "each": [fitted(times) for times in each]}


# -- the report ------------------------------------------------------------------------------------


def report(results: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    machine = results["machine"]
    lines = ["# Several modalities", "",
             f"{results['date']}; {machine['cores']} cores ({machine['processor']}), torch {machine['torch']}, "
             f"Python {machine['python']}; load average {machine['load']:.1f} at the end. Ratios of paired blocks of "
             f"{STEPS} steps, taken in turns in one process: median (min to max) over {REPETITIONS} repetitions of "
             f"{results['steps'][0]['rounds']} rounds, then the median of each. With one thread processor's time, with "
             "two the clock's.",
             "", "## The same loss", "",
             f"Nats, of one batch of {BATCH} after {WARM_UP} steps of ours, on copies of the same weights, the mean of "
             f"{DRAWS} draws of the codes with its standard error. For the posterior of one modality alone "
             "multivae's DMVAE takes the bare expert where ours multiplies the prior into it (errata E10 and E14): "
             "the last row has the prior there too.", "",
             "| model | multivae's | ours | multivae's loss | difference |", "|---|---|---|---|---|"]
    lines += [f"| {row['family']} | {row['how']} | {_value(row['ours'])} | {_value(row['theirs'])} | "
              f"{_value(row['difference'])} |" for row in results["losses"]]
    lines += ["", "## A training step", "",
              f"Black-and-white embedded digits and their labels, batch {BATCH}, encoders 784-{WIDTH}-2r and "
              f"10-{WIDTH}-2r, decoders mirrored, latent size {LATENT}; DMVAE with {SHARED} shared numbers and "
              f"{PRIVATE} private ones of the image. Adam at 1e-3, fused but in multivae's BaseTrainer. The bare "
              "products are those that ours takes, unless it says otherwise: multivae encodes a modality anew for "
              "each subset.", "",
              "| model, threads | who | ms | time / bare products | time / BaseTrainer's | time / its lean loop |",
              "|---|---|---|---|---|---|"]
    for table in results["steps"]:
        lines += [f"| {table['family']}, {table['threads']} | {name} | {row['ms']:.2f} | "
                  + " | ".join(_shown(row["over"].get(under)) for under in (BARE, PEER, PEER_LEAN)) + " |"
                  for name, row in table["rows"].items()]
    if not results["losses"]:
        lines += ["", f"{MULTIVAE}: not installed, see README.md."]
    lines += ["", "## More modalities", "",
              f"Vectors of {PIXELS} numbers, networks {PIXELS}-{NARROW}-2r and back, Gaussian with one learned sigma, "
              f"batch {BATCH}; milliseconds a step by the number of modalities. *Steeper* is the slope through the "
              "last four over that through the first four, 1 for a straight line. Without `cross`, DMVAE decodes "
              "each modality from two codes. By default it decodes each from the shared code of every source, "
              "M (M + 1) codes in all (erratum E12), so its time is quadratic: that is the objective, not overhead.",
              "", f"| model, threads | {' | '.join(map(str, COUNTS))} | R2 of a line | of a parabola | steeper | each "
              "repetition |", "|---" * (len(COUNTS) + 5) + "|"]
    for table in results["growth"]:
        lines.append(f"| {table['name']}, {table['threads']} | " + " | ".join(f"{ms:.1f}" for ms in table["ms"])
                     + f" | {table['fit']['r2']:.4f} | {table['fit']['parabola']:.4f} | "
                     f"{table['fit']['steeper']:.2f} | "
                     + ", ".join(f"{fit['steeper']:.2f}" for fit in table["each"]) + " |")
    lines += ["", "| target | limit | measured | |", "|---|---|---|---|"]
    lines += [f"| {v['what']} | at most {LIMIT:g} | {v['measured']:.2f} | {'met' if v['met'] else '**missed**'} |"
              for v in verdicts(results["steps"])]
    return "\n".join(lines) + "\n"


def verdicts(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for peer, table in itertools.product((PEER, PEER_LEAN), tables):
        if peer in table["rows"]:
            ratio = table["rows"][OURS]["over"][peer]["all"]["median"]
            found.append({"what": f"{table['family']}: ours / {peer}, {table['threads']} "
                                  f"thread{'s' * (table['threads'] > 1)}", "measured": ratio, "met": ratio <= LIMIT})
    return found


def _shown(ratio: dict[str, Any] | None) -> str:
    if ratio is None:
        return ""
    whole = ratio["all"]
    if whole["min"] == whole["max"]:
        return "1"
    return (f"{whole['median']:.2f} ({whole['min']:.2f} to {whole['max']:.2f}); "
            + ", ".join(f"{median:.2f}" for median in ratio["each"]))


def _value(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} ± {found['error']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, nothing kept")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to measure with")
    chosen = parser.parse_args()
    torch.set_flush_denormal(True)  # as the worker does, and before anything parallel
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dataset = digits("MVAE").data.load()
    same: list[dict[str, Any]] = []
    with contextlib.suppress(ImportError):
        multivae()
        same = losses(dataset)
    stepped, growing = [], []
    for family, threads in itertools.product(FAMILIES, chosen.threads):
        print(f"{family}, {threads} thread(s)", flush=True)
        stepped.append(beside(family, threads, 3 if chosen.quick else ROUNDS, dataset))
    for name, threads in itertools.product(GROWING, chosen.threads[:1]):
        print(f"{name}, {threads} thread(s): {COUNTS.start} to {COUNTS.stop - 1} modalities", flush=True)
        growing.append(grown(name, threads, 2 if chosen.quick else GROWING[name][1]))
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                    "processor": platform.machine(), "torch": torch.__version__,
                    "python": platform.python_version(), "load": os.getloadavg()[0]},
        "losses": same, "steps": stepped, "growth": growing}
    text = report(results)
    print(f"\n{text}")
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "modalities.md").write_text(text)


if __name__ == "__main__":
    main()
