"""What is shipped in trained/gallery: a recipe for each checkpoint, a preset and what was changed in it.

`python -m scripts.gallery` trains, evaluates and ships them. A new one is a `Recipe` in the list below, and a sentence
in `pages/home/purposes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pages.home.purposes import PURPOSES

if TYPE_CHECKING:
    from vaecore.config import RunConfig


Begins = Literal["fork", "fork, decoder anew", "prior fitted"]  # of another recipe; the last takes no training


@dataclass(frozen=True)
class Recipe:
    """One checkpoint: how it is made."""

    name: str
    preset: str
    minutes: float  # of one core that the training is expected to take
    changes: tuple[str, ...] = ()  # in the preset, as `--set` takes them
    beside: str = ""  # the published model it is held against, as `vaecore.literature` calls it
    experiment: str = ""
    exactly: bool = False  # whether log p(x) is also estimated with K = 5,000 on the whole test set, as papers do
    evaluated: bool = True
    ships: bool = True  # False where only another recipe needs it
    of: str = ""  # the recipe with whose finished training it begins
    how: Begins = "fork"  # what becomes of that

    @property
    def why(self) -> str:
        """What a visitor looks at it for, in a sentence; nothing of what is not to be looked at."""
        return PURPOSES.get(self.name, "")

    def config(self) -> RunConfig:
        """The configuration with which it is trained, by one thread."""
        from vaecore.config import changed, preset

        return changed(preset(self.preset), (ONE_THREAD, *self.changes)).resolve()


ONE_THREAD = "training.threads=1"  # two of them share two cores better than one of two threads
FULL = "data.source=full"
FEW = ("training.snapshots=3", "training.checkpoints=0")  # what is not shipped need not be kept
REFERENCE = (FULL, *FEW)
WASSERSTEIN = (*REFERENCE, "model.latent_size=16", "model.divergence.kind=mmd", "model.divergence.weight=100",
               "training.beta.kind=constant")
FITTED = "model.prior.kind=fitted"
AUTOENCODER = (FULL, "model.network.channels=[16, 32]", "training.epochs=12", "training.batch_size=128",
               "training.rate.kind=cosine")
CONVOLUTIONS = ("model.network.kind=conv", "model.network.channels=[16, 32]", "model.network.dense=128",
                "model.network.activation=elu")
LONG = ("model.latent_size=32", "training.learning_rate=0.002", "training.epochs=150")
PICTURES = ("model.networks.image.kind=conv", "model.networks.image.channels=[16, 32]",  # of several modalities
            "model.networks.image.dense=64", "model.networks.image.activation=elu")
TEXTS = (*FEW, "data.vocabulary_size=4000", "model.embedding=64", "model.hidden=160")
SHARP = "model.networks.image.dense=128"
# Until the validation set gets no better: a long fall of the rate, and patience on the way.
UNTIL_IT_STOPS = (FULL, "training.batch_size=100", "training.patience=10", "training.evaluate_every=2")

RECIPES: tuple[Recipe, ...] = (
    # Images as a few numbers.
    Recipe("pca", "pca-mnist", 0.1, (FULL,), evaluated=False),
    Recipe("ae", "ae-mnist", 7, AUTOENCODER, evaluated=False),
    Recipe("ae-fitted", "ae-mnist", 1, (*AUTOENCODER, FITTED), of="ae", how="prior fitted"),
    Recipe("vae", "vae-mnist", 5, (FULL, "model.network.channels=[16, 32]", "training.epochs=40",
                                   "training.batch_size=128", "training.rate.kind=cosine"), evaluated=False),
    Recipe("vae-gaussian", "vae-gaussian-mnist", 7, AUTOENCODER, evaluated=False),
    Recipe("vae-plane", "vae-2d-mnist", 6, (FULL, *FEW, "model.network.kind=mlp", "model.network.hidden=[256, 128]",
                                            "model.network.activation=relu", "training.batch_size=128",
                                            "training.epochs=200", "training.evaluate_every=5",
                                            "training.rate.kind=cosine"), evaluated=False),
    Recipe("vae-fashion", "vae-fashion", 8, ("model.network.channels=[16, 32]", "training.epochs=30",
                                             "training.rate.kind=cosine"), evaluated=False),
    Recipe("vae-sprites", "vae-coloured-sprites", 10, ("training.snapshots=3", "training.epochs=150")),
    Recipe("vae-cyclical", "cyclical-mnist", 1, (FULL, "model.network.hidden=[256]", "training.epochs=8",
                                                 "training.evaluate_every=0.25"), evaluated=False),
    # One data set, black-and-white digits drawn anew at each visit, for priors and for the four families.
    Recipe("vae-binary", "vae-mnist-reference", 15, REFERENCE, beside="VAE", exactly=True),
    Recipe("vae-vamp", "vae-mnist-reference", 24, (*REFERENCE, "model.prior.kind=vamp", "model.prior.components=100"),
           beside="VAE", exactly=True),
    Recipe("vae-conditional", "vae-mnist-reference", 12, (*REFERENCE, "model.prior.kind=conditional")),
    Recipe("wae", "vae-mnist-reference", 20, WASSERSTEIN),
    Recipe("vae-iwae-5", "vae-mnist-reference", 25, (*REFERENCE, "model.bound.kind=iwae", "model.bound.samples=5",
                                                     "training.epochs=150"), beside="IWAE, 5 samples", exactly=True),
    Recipe("vae-iwae-50", "vae-mnist-reference", 82, (*REFERENCE, "model.bound.kind=iwae", "model.bound.samples=50",
                                                      "training.epochs=100", "training.evaluate_every=2"),
           beside="IWAE, 64 samples", exactly=True),
    Recipe("vae-fitted", "vae-mnist-reference", 1, (*REFERENCE, FITTED), beside="VAE", exactly=True, of="vae-binary",
           how="prior fitted"),
    Recipe("vae-conv", "vae-mnist-reference", 24, (*REFERENCE, *CONVOLUTIONS, *LONG), beside="VAE", exactly=True),
    Recipe("vae-conv-mixture", "vae-mnist-reference", 25, (*REFERENCE, *CONVOLUTIONS, *LONG, "model.prior.kind=mixture",
                                                           "model.prior.components=10"), beside="VAE", exactly=True),
    Recipe("ica", "ica-mnist", 1, (FULL,)),
    Recipe("made", "made-mnist", 14, (*UNTIL_IT_STOPS, "model.hidden=[500]", "training.epochs=100"), exactly=True),
    Recipe("pixelcnn", "pixelcnn-mnist", 95, (FULL, "model.channels=24", "model.layers=6", "training.epochs=15"),
           exactly=True),
    Recipe("rbm", "rbm-mnist", 34, (*UNTIL_IT_STOPS, "model.hidden=500", "training.epochs=150",
                                    "training.evaluate_every=15", "model.temperatures=20000"), exactly=True),
    Recipe("ivae", "ivae-sources", 6),
    # Several modalities. A large alpha costs joint likelihood (C7), and crosses best: both, to show the trade.
    Recipe("jmvae", "jmvae-image-label", 10, (FULL, *PICTURES, "model.posterior.alpha=10", "training.batch_size=200",
                                              "training.epochs=60")),
    Recipe("jmvae-joint", "jmvae-image-label", 10, (FULL, *PICTURES, "model.posterior.alpha=0.1",
                                                    "training.batch_size=200", "training.epochs=60")),
    Recipe("mvae", "mvae-image-label", 14, (FULL, *PICTURES, SHARP, "training.epochs=60", "training.batch_size=100",
                                            "training.beta.kind=constant")),
    Recipe("mmvae", "mmvae-image-label", 12, (FULL, *PICTURES)),
    Recipe("dmvae", "dmvae-image-label", 12, (FULL, *PICTURES, "training.epochs=40")),
    Recipe("dmvae-styled", "dmvae-styled", 16, (FULL, *PICTURES, "training.epochs=30")),
    Recipe("mvae-speech", "mvae-speech", 3, PICTURES),
    Recipe("mmvae-speech", "mmvae-speech", 4, PICTURES),
    Recipe("mvae-views", "mvae-views", 2),
    Recipe("jive", "jive-omics", 1),
    # English sentences: one network and one budget for the language model, the VAE that collapses, and its remedies.
    Recipe("sentences-lm", "language-model-sentences", 6, TEXTS, beside="LSTM language model"),
    Recipe("sentences-plain", "sentence-vae-plain", 13, TEXTS),
    Recipe("sentences-cyclical", "sentence-vae-cyclical", 13, TEXTS, beside="VAE, cyclical annealing"),
    Recipe("sentences-ae", "sentence-ae", 7, TEXTS, evaluated=False, ships=False),
    Recipe("sentences-free-bits", "sentence-vae", 7, (*TEXTS, "training.beta.fraction=0.3",
                                                      "training.kl.kind=free-bits-masked", "training.kl.nats=0.25"),
           beside="VAE, autoencoder first, free bits", of="sentences-ae", how="fork, decoder anew"),
    # Clips; one data set and one budget for the predictor and both SVG, so that they compare.
    Recipe("predictor-mnist", "recurrent-predictor-moving-mnist-reference", 65, (FULL,)),
    Recipe("svg-fp-mnist", "svg-fp-moving-mnist-reference", 70, (FULL,)),
    Recipe("svg-lp-mnist", "svg-lp-moving-mnist-reference", 65, (FULL,)),
    Recipe("sv2p-invariant-mnist", "sv2p-invariant-moving-mnist", 7, (FULL,)),
    Recipe("sv2p-variant-mnist", "sv2p-variant-moving-mnist", 7, (FULL,)),
    Recipe("svg-lp-characters", "svg-lp-characters-reference", 30),
    # The lecture's picture. Captions are not for redistribution, so no model of them is shipped.
    Recipe("lagging-basic", "lagging-basic", 1, experiment="lagging", evaluated=False),
    Recipe("lagging-aggressive", "lagging-aggressive", 3, experiment="lagging", evaluated=False),
)


def named(names: list[str]) -> list[Recipe]:
    """The recipes of these names, all where none is named; raises `SystemExit` for one that there is not."""
    known = {recipe.name: recipe for recipe in RECIPES}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"There is no recipe '{unknown[0]}' in scripts/recipes.py. There are: {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names)] or list(RECIPES)
