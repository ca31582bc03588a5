"""Steps of every family, shared by processes and then taken by one: `python shared_steps.py OUT [NAME ...]` a rank.

Rank 0 writes a line of JSON a case: how far the two lie apart, or why it was refused.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from vaecore.config import RunConfig, changed, preset
from vaecore.data import Dataset
from vaecore.training.build import build
from vaecore.training.course import Course
from vaecore.training.feed import Feed
from vaecore.training.ranks.group import Ranks
from vaecore.training.ranks.noise import Unsharable
from vaecore.training.ranks.step import SharedFeed

CPU = torch.device("cpu")
STEPS = 3
# Unequal parts for two and for three; plain steps, as Adam makes a gradient of 1e-9 a step of full length.
COMMON = ["training.device=cpu", "training.threads=1", "training.batch_size=7", "training.optimizer=sgd",
          "training.learning_rate=1e-2", "training.clip_norm=1"]
FEW = ["data.train_limit=60"]
MLP = [*FEW, "model.network={kind: mlp, hidden: [16]}", "model.latent_size=4"]
TWO = ["data.train_limit=60", "model.latent_size=4", "model.networks.image={kind: mlp, hidden: [16]}",
       "model.networks.vector={kind: mlp, hidden: [8]}"]
SPOKEN = ["data={name: translations, languages: [en, de, fr], train_limit: 60}", "model.latent_size=4",
          "model.networks.text={embedding: 8, hidden: 8}", "model.weights={}"]
TEXT = ["data.size=100", "model.embedding=8", "model.hidden=8"]
CLIPS = ["training.batch_size=5", "data.train_limit=16"]
DRAWN = ["training.batch_size=5"]

CASES: dict[str, tuple[str, list[str]]] = {
    "vae": ("vae-mnist", MLP),
    "vae, five samples": ("vae-mnist", [*MLP, "model.n_samples=5"]),
    "vae, weighed codes, vamp": ("vae-mnist", [*MLP, "model.bound={kind: iwae}",
                                               "model.prior={kind: vamp, components: 5}"]),
    "vae, pixels drawn anew": ("vae-mnist", [*MLP, "data.pixels=binary-dynamic"]),
    "vae, free bits": ("vae-mnist", [*MLP, "training.kl={kind: free-bits, nats: 0.2}"]),
    "vae, free bits a latent": ("vae-mnist", [*MLP, "training.kl={kind: free-bits, nats: 0.2, group: latent}"]),
    "vae, free bits of each observation": ("vae-mnist", [*MLP, "training.kl={kind: free-bits-masked, nats: 0.2}"]),
    "vae, capacity": ("vae-mnist", [*MLP, "training.kl={kind: capacity, nats: 3}"]),
    "vae, learned variance": ("vae-mnist", [*MLP, "model.likelihood.kind=gaussian-learned", "data.pixels=grey"]),
    "vae, optimal variance": ("vae-mnist", [*MLP, "model.likelihood.kind=gaussian-optimal", "data.pixels=grey",
                                            "model.n_samples=2"]),
    "vae, convolutions": ("vae-mnist", [*FEW, "model.network={kind: conv, channels: [4, 8], dense: 16}"]),
    "vae, aggressive": ("vae-mnist", [*MLP, "training.inference={kind: aggressive, window: 2, most: 3}"]),
    "vae, mixture": ("vae-mnist", [*MLP, "model.prior={kind: mixture, components: 3}"]),
    "vae, vamp": ("vae-mnist", [*MLP, "model.prior={kind: vamp, components: 5}"]),
    "vae, aggregated": ("vae-mnist", [*MLP, "model.prior={kind: aggregated, components: 5}"]),
    "vae, implicit": ("vae-mnist", [*MLP, "model.prior={kind: implicit, hidden: [16], updates: 2}"]),
    "vae, conditional": ("conditional-mnist", MLP),
    "vae, conditional mixture": ("conditional-mnist", [*MLP, "model.prior.components=3"]),
    "mmd": ("vae-mnist", [*MLP, "model.divergence={kind: mmd}"]),
    "mmd, rbf, mixture": ("vae-mnist", [*MLP, "model.divergence={kind: mmd, kernel: rbf}",
                                        "model.prior={kind: mixture, components: 3}"]),
    "mmd, conditional mixture": ("conditional-mnist", [*MLP, "model.divergence={kind: mmd}",
                                                       "model.prior.components=3"]),
    "sliced": ("vae-mnist", [*MLP, "model.divergence={kind: sliced}"]),
    "sliced, vamp": ("vae-mnist", [*MLP, "model.divergence={kind: sliced}", "model.prior={kind: vamp, components: 5}"]),
    "critic": ("vae-mnist", [*MLP, "model.divergence={kind: critic, hidden: [16], updates: 2}"]),
    "critic, gan, mixture": ("vae-mnist", [*MLP, "model.divergence={kind: critic, hidden: [16], updates: 2, loss: gan}",
                                           "model.prior={kind: mixture, components: 3}"]),
    "critic, conditional": ("conditional-mnist", [*MLP, "model.divergence={kind: critic, hidden: [16], updates: 2}"]),
    "per x": ("vae-mnist", [*MLP, "model.divergence={kind: per-x}"]),
    "ivae": ("ivae-sources", []),
    "ae": ("ae-mnist", FEW), "linear ae": ("linear-ae-mnist", FEW), "made": ("made-mnist", [*FEW, "model.hidden=[16]"]),
    "pixelcnn": ("pixelcnn-mnist", [*FEW, "training.batch_size=3"]),
    "rbm": ("rbm-mnist", FEW), "rbm, cd": ("rbm-mnist", [*FEW, "model.chain=cd"]),
    "sentence vae": ("lagging-basic", [*TEXT, "model.dropout=0.3", "model.word_keep=0.5"]),
    "sentence vae, aggressive": ("lagging-aggressive", TEXT),
    "language model": ("lagging-basic", ["data.size=100", "model.family=language-model", "model.dropout=0.3"]),
    "mvae": ("mvae-image-label", TWO),
    "mvae, some missing": ("mvae-image-label", [*TWO, "data.missing={kind: random}"]),
    "mvae, some missing, optimal variance": ("mvae-image-label", [
        *TWO, "data.missing={kind: random}", "model.likelihoods={image: gaussian-optimal}"]),
    "mmvae": ("mvae-image-label", [*TWO, "model.posterior.kind=mixture"]),
    "mopoe": ("mvae-image-label", [*TWO, "model.posterior.kind=mixture-of-products"]),
    "jmvae": ("jmvae-image-label", TWO), "dmvae": ("dmvae-image-label", FEW),
    "separate": ("mvae-image-label", ["model.family=separate-vaes", *FEW]),
    "concatenated": ("mvae-image-label", ["model.family=concatenated-vae", *FEW]),
    "mvae, random subsets": ("mvae-views", ["data.train_limit=60", "model.posterior.random_subsets=2"]),
    "mvae, texts": ("jmvae-image-label", [*SPOKEN, "model.posterior.kind=product"]),
    "mopoe, texts": ("jmvae-image-label", [*SPOKEN, "model.posterior.kind=mixture-of-products"]),
    "svg, learned prior": ("svg-lp-moving-mnist", DRAWN),
    "svg, learned prior, states": ("svg-lp-moving-states", DRAWN),
    "svg, optimal variance": ("svg-lp-moving-states", [*DRAWN, "model.likelihood.kind=gaussian-optimal"]),
    "svg, fixed prior": ("svg-fp-moving-mnist", DRAWN),
    "svg, fed back": ("svg-lp-moving-states", [*DRAWN, "model.feeding={kind: scheduled}"]),
    "recurrent predictor": ("recurrent-predictor-moving-mnist", DRAWN),
    "prednet": ("prednet-moving-mnist", DRAWN),
    "sv2p": ("sv2p-variant-moving-mnist", DRAWN),
    "sv2p, one stage": ("sv2p-variant-moving-mnist", [*DRAWN, "model.stages.kind=one"]),
    "sv2p, fed back": ("sv2p-invariant-moving-mnist", [*DRAWN, "model.stages.kind=one", "model.feeding.k=500"]),
    "video pixel network": ("video-pixel-network-shape", DRAWN),
    "wasserstein of clips": ("conditional-wasserstein-states", DRAWN),
    "wasserstein of clips, some pairs": ("conditional-wasserstein-states", [*DRAWN, "training.batch_size=61"]),
    "wasserstein of clips, critic": ("conditional-wasserstein-states", [
        *DRAWN, "model.divergence={kind: critic, hidden: [16]}"]),
}


def course(config: RunConfig, dataset: Dataset, ranks: Ranks | None) -> Course:
    feed = Feed(dataset, "train", CPU)
    if ranks is not None:
        feed = SharedFeed(dataset, "train", CPU, ranks.part(config.training.batch_size))
    found = Course(config, build(config, dataset), feed, CPU, ranks)
    generator = torch.Generator().manual_seed(0)
    found.model.begin(lambda n: feed.at(torch.randperm(len(feed), generator=generator)[:n]))
    found.model.calibrate()
    for name, member in found.trainer.auxiliaries.members.items():  # which are Adams by themselves
        found.trainer.auxiliaries.optimizers[name] = torch.optim.SGD(member.parameters, lr=1e-2)
    return found


def steps(course: Course) -> list[list[float]]:
    """The terms of some steps, half-way through the training, where schedules have moved."""
    step, end = course.total // 2, course.total // 2 + STEPS
    while step < end:
        step += course.advance(step)
    return course.log[:STEPS].tolist()


def case(name: str, ranks: Ranks) -> dict[str, Any]:
    began, (preset_name, settings) = time.process_time(), CASES[name]
    config = changed(preset(preset_name), [*COMMON, *settings])
    dataset = config.data.load()
    try:
        shared = course(config, dataset, ranks)
        found = steps(shared)
    except Unsharable as error:
        return {"case": name, "refused": str(error)}
    if ranks.rank:
        return {}
    one = course(config, dataset, None)
    start = {key: tensor.clone() for key, tensor in one.model.state_dict().items()}
    wanted = steps(one)
    moved = max(float((tensor - start[key]).abs().max()) for key, tensor in one.model.state_dict().items())
    apart = max(float((tensor - shared.model.state_dict()[key]).abs().max())
                for key, tensor in one.model.state_dict().items())
    terms = max(abs(a - b) / (1 + abs(b)) for line, other in zip(found, wanted, strict=True)
                for a, b in zip(line, other, strict=True))
    return {"case": name, "seconds": time.process_time() - began, "moved": moved, "apart": apart, "terms": terms,
            "generator": torch.equal(one.generator.get_state(), shared.generator.get_state()),
            "draws": {key: [str(axis.axis) + (axis.layout or "")[:1] for axis in axes]
                      for key, axes in shared.trainer.noise.known.items()}}


def main(arguments: list[str]) -> None:
    torch.set_num_threads(1)
    config = changed(preset("vae-mnist"), ["training.device=cpu"])
    with Ranks.join(config.training) as ranks:
        for name in arguments[1:] or CASES:
            found = case(name, ranks)
            if ranks.rank == 0:
                with Path(arguments[0]).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
