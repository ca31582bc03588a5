"""What is shipped in trained/gallery: a recipe for each checkpoint, a preset and what was changed in it.

`python -m scripts.gallery` trains, evaluates and ships them. A new one is a `Recipe` in the list below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vaecore.config import RunConfig


Begins = Literal["fork", "fork, decoder anew", "prior fitted"]  # of another recipe; the last takes no training


@dataclass(frozen=True)
class Recipe:
    """One checkpoint: how it is made, and why it is there."""

    name: str
    preset: str
    why: str  # a visitor looks at it, in a line
    minutes: float  # of one core that the training is expected to take
    changes: tuple[str, ...] = ()  # in the preset, as `--set` takes them
    beside: str = ""  # the published model it is held against, as `vaecore.literature` calls it
    experiment: str = ""
    exactly: bool = False  # whether log p(x) is also estimated with K = 5,000 on the whole test set, as papers do
    evaluated: bool = True
    ships: bool = True  # False where only another recipe needs it
    of: str = ""  # the recipe with whose finished training it begins
    how: Begins = "fork"  # what becomes of that

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
    Recipe("pca", "pca-mnist", "The lecture's beginning: what sixteen directions keep of a digit.", 0.1, (FULL,),
           evaluated=False),
    Recipe("ae", "ae-mnist", "An autoencoder of as many numbers: sharper than PCA, and no prior to sample from.", 7,
           AUTOENCODER, evaluated=False),
    Recipe("ae-fitted", "ae-mnist", "A mixture fitted to its codes: an autoencoder that can be sampled.", 1,
           (*AUTOENCODER, FITTED), of="ae", how="prior fitted"),
    Recipe("vae", "vae-mnist", "The VAE of the lecture, the place to start.", 5,
           (FULL, "model.network.channels=[16, 32]", "training.epochs=40", "training.batch_size=128",
            "training.rate.kind=cosine"), evaluated=False),
    Recipe("vae-gaussian", "vae-gaussian-mnist", "A VAE scored as PCA and the autoencoder are: all three in one unit.",
           7, AUTOENCODER, evaluated=False),
    Recipe("vae-plane", "vae-2d-mnist", "The whole latent space on a screen: what Home begins with.", 6,
           (FULL, *FEW, "model.network.kind=mlp", "model.network.hidden=[256, 128]", "model.network.activation=relu",
            "training.batch_size=128", "training.epochs=200", "training.evaluate_every=5",
            "training.rate.kind=cosine"), evaluated=False),
    Recipe("vae-fashion", "vae-fashion", "Clothes instead of digits.", 8,
           ("model.network.channels=[16, 32]", "training.epochs=30", "training.rate.kind=cosine"), evaluated=False),
    Recipe("vae-sprites", "vae-coloured-sprites", "Colour, and six causes that are known: what each dimension found.",
           10, ("training.snapshots=3", "training.epochs=150")),
    Recipe("vae-cyclical", "cyclical-mnist", "Cyclical annealing: beta rises four times, and falls to 0 between.", 1,
           (FULL, "model.network.hidden=[256]", "training.epochs=8", "training.evaluate_every=0.25"), evaluated=False),
    # One data set, black-and-white digits drawn anew at each visit, for priors and for the four families.
    Recipe("vae-binary", "vae-mnist-reference", "The prior N(0, I): all others are held against it.", 15,
           REFERENCE, beside="VAE", exactly=True),
    Recipe("vae-vamp", "vae-mnist-reference", "A prior of pseudo-inputs, which can be looked at.", 24,
           (*REFERENCE, "model.prior.kind=vamp", "model.prior.components=100"), beside="VAE", exactly=True),
    Recipe("vae-conditional", "vae-mnist-reference", "The prior depends on the label: a digit can be asked for.", 12,
           (*REFERENCE, "model.prior.kind=conditional")),
    Recipe("wae", "vae-mnist-reference", "The aggregate is pulled to the prior, not each posterior.", 20,
           WASSERSTEIN),
    Recipe("vae-iwae-5", "vae-mnist-reference", "The importance-weighted bound, with five codes each.", 25,
           (*REFERENCE, "model.bound.kind=iwae", "model.bound.samples=5", "training.epochs=150"),
           beside="IWAE, 5 samples", exactly=True),
    Recipe("vae-iwae-50", "vae-mnist-reference", "Fifty codes each, and a sixth of the steps.", 38,
           (*REFERENCE, "model.bound.kind=iwae", "model.bound.samples=50", "training.epochs=25",
            "training.evaluate_every=2"), beside="IWAE, 64 samples", exactly=True),
    Recipe("vae-fitted", "vae-mnist-reference", "A mixture fitted to the codes of vae-binary afterwards.", 1,
           (*REFERENCE, FITTED), beside="VAE", exactly=True, of="vae-binary", how="prior fitted"),
    Recipe("vae-conv", "vae-mnist-reference", "The same data through convolutions.", 24,
           (*REFERENCE, *CONVOLUTIONS, *LONG), beside="VAE", exactly=True),
    Recipe("vae-conv-mixture", "vae-mnist-reference", "Convolutions, and a mixture of ten Gaussians as the prior.", 25,
           (*REFERENCE, *CONVOLUTIONS, *LONG, "model.prior.kind=mixture", "model.prior.components=10"), beside="VAE",
           exactly=True),
    Recipe("ica", "ica-mnist", "Independent components: exact likelihood, no network.", 1, (FULL,)),
    Recipe("made", "made-mnist", "Autoregressive, one pass for the likelihood and 784 for a sample.", 14,
           (*UNTIL_IT_STOPS, "model.hidden=[500]", "training.epochs=100"), exactly=True),
    Recipe("pixelcnn", "pixelcnn-mnist", "Autoregressive by masked convolutions.", 95,
           (FULL, "model.channels=24", "model.layers=6", "training.epochs=15"), exactly=True),
    Recipe("rbm", "rbm-mnist", "An energy, learned and sampled by Markov chains.", 32,
           (*UNTIL_IT_STOPS, "model.hidden=500", "training.epochs=150", "training.evaluate_every=5"), exactly=True),
    Recipe("ivae", "ivae-sources", "Sources that are found again, because something else is known.", 6),
    # Several modalities. A large alpha costs joint likelihood (C7), and crosses best: both, to show the trade.
    Recipe("jmvae", "jmvae-image-label", "JMVAE with a large alpha: each encoder alone stands in for both.", 10,
           (FULL, *PICTURES, "model.posterior.alpha=10", "training.batch_size=200", "training.epochs=60")),
    Recipe("jmvae-joint", "jmvae-image-label", "JMVAE with a small alpha: a better joint likelihood, and worse "
           "crossing.", 10, (FULL, *PICTURES, "model.posterior.alpha=0.1", "training.batch_size=200",
                            "training.epochs=60")),
    Recipe("mvae", "mvae-image-label", "A product of experts: image, label, or both.", 14,
           (FULL, *PICTURES, SHARP, "training.epochs=60", "training.batch_size=100", "training.beta.kind=constant")),
    Recipe("mmvae", "mmvae-image-label", "A mixture of experts: what each modality knows, and nothing more.", 12,
           (FULL, *PICTURES)),
    Recipe("dmvae", "dmvae-image-label", "The class is shared, the handwriting is private.", 12,
           (FULL, *PICTURES, "training.epochs=40")),
    Recipe("dmvae-styled", "dmvae-styled", "Two pictures of one class: what they share, what each has alone.", 16,
           (FULL, *PICTURES, "training.epochs=30")),
    Recipe("mvae-speech", "mvae-speech", "Of two rich modalities a product of experts shares little.", 3, PICTURES),
    Recipe("mmvae-speech", "mmvae-speech", "A digit is spoken, a recording is drawn.", 4, PICTURES),
    Recipe("mvae-views", "mvae-views", "Six views of a digit: 62 ways to give some and draw the rest.", 2),
    Recipe("jive", "jive-omics", "Joint and individual variation of three blocks, each linear.", 1),
    # English sentences: one network and one budget for the language model, the VAE that collapses, and its remedies.
    Recipe("sentences-lm", "language-model-sentences", "The language model that their VAEs are measured against.", 6,
           TEXTS, beside="LSTM language model"),
    Recipe("sentences-plain", "sentence-vae-plain", "Without a remedy the code is not used.", 13, TEXTS),
    Recipe("sentences-cyclical", "sentence-vae-cyclical", "Beta rises four times.", 13, TEXTS,
           beside="VAE, cyclical annealing"),
    Recipe("sentences-ae", "sentence-ae", "What free bits begin with: beta is 0.", 7, TEXTS, evaluated=False,
           ships=False),
    Recipe("sentences-free-bits", "sentence-vae", "A new decoder over that encoder, and eight nats for free.", 7,
           (*TEXTS, "training.beta.fraction=0.3", "training.kl.kind=free-bits-masked", "training.kl.nats=0.25"),
           beside="VAE, autoencoder first, free bits", of="sentences-ae", how="fork, decoder anew"),
    # Clips; one data set and one budget for the predictor and both SVG, so that they compare.
    Recipe("predictor-mnist", "recurrent-predictor-moving-mnist-reference", "One future only, and it blurs.", 65,
           (FULL,)),
    Recipe("svg-fp-mnist", "svg-fp-moving-mnist-reference", "A fixed prior: many futures.", 70, (FULL,)),
    Recipe("svg-lp-mnist", "svg-lp-moving-mnist-reference", "A learned prior: it knows when the future is open.", 65,
           (FULL,)),
    Recipe("sv2p-invariant-mnist", "sv2p-invariant-moving-mnist", "One code for a whole clip.", 7, (FULL,)),
    Recipe("sv2p-variant-mnist", "sv2p-variant-moving-mnist", "A code for each frame.", 7, (FULL,)),
    Recipe("svg-lp-characters", "svg-lp-characters-reference", "Characters that walk: what is seen and what is done.",
           30),
    # The lecture's picture. Captions are not for redistribution, so no model of them is shipped.
    Recipe("lagging-basic", "lagging-basic", "The encoder lags behind, and the code is ignored.", 13,
           experiment="lagging", evaluated=False),
    Recipe("lagging-aggressive", "lagging-aggressive", "The encoder is let ahead, and the code is used.", 15,
           experiment="lagging", evaluated=False),
)


def named(names: list[str]) -> list[Recipe]:
    """The recipes of these names, all where none is named; raises `SystemExit` for one that there is not."""
    known = {recipe.name: recipe for recipe in RECIPES}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"There is no recipe '{unknown[0]}' in scripts/recipes.py. There are: {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names)] or list(RECIPES)
