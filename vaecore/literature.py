"""Values that others have published, each with its setting and its source, and how a run here differs from these.

A published number says something of ours only where network, data, pixels, samples and test set are the same; where
they are not, it is shown with what differs (`beside`). `tag` says how the value is known: S was read in the source, a
paper's text or its authors' files; T in a third party's table. What is only remembered is not in here. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vaecore.store import Run

Tag = Literal["S", "T"]
Quantity = Literal["log_p", "frechet", "perplexity", "mig", "ssim_clips", "psnr_clips"]
TITLES: dict[Quantity, tuple[str, str, int]] = {  # what it is called, its unit, digits
    "log_p": ("log p(x)", "nats", 2), "frechet": ("Fréchet distance", "", 2),
    "perplexity": ("perplexity", "", 2), "mig": ("MIG", "", 2),
    "ssim_clips": ("SSIM of clips", "", 3), "psnr_clips": ("PSNR of clips", "dB", 2)}
PIXELS = {"binary-dynamic": "binary, drawn anew at each visit", "binary-fixed": "binary, drawn once", "grey": "grey"}
OF_THE_DATA = ("log_p", "frechet", "mig")  # of data that are not even alike they say nothing
MOST_SHOWN = 3  # of each quantity
SINGLE_CODE = ("vae", "made", "pixelcnn", "rbm")  # families whose log p(x) of an image is one quantity


@dataclass(frozen=True)
class Setting:
    """How a number was found, in the fields that can make it another; what is None or empty was not said."""

    data: str  # the data set's name here, or what it is called there
    pixels: str = ""  # as our `data.pixels`
    network: str = ""  # in words
    fields: Mapping[str, Any] = field(default_factory=dict)  # the same as our `model.network`, where we have it
    latents: int | None = None
    samples: int | None = None  # K of importance sampling
    split: str = "test"
    observations: int | None = None  # of the split; None for all
    epochs: int | None = None
    likelihood: str = ""  # p(x|z): as our `model.likelihood.kind`, and what else there is to say of it
    features: str = ""  # whose Fréchet distance it is


@dataclass(frozen=True)
class Published:
    """A value of somebody else's model."""

    model: str  # as its authors call it
    families: tuple[str, ...]  # ours of the same kind
    quantity: Quantity
    value: float
    setting: Setting
    source: str
    tag: Tag
    error: float | None = None  # as it is given there
    bound: bool = False  # the value is a bound: of log p(x) from below
    like: str = ""  # the data set here that is most like theirs

    def said(self) -> str:
        """The value as a person reads it, with its unit."""
        _, unit, digits = TITLES[self.quantity]
        spread = f" ± {self.error:g}" if self.error else ""
        return f"{'≥ ' if self.bound else ''}{self.value:.{digits}f}{spread} {unit}".strip().replace("-", "−")


@dataclass(frozen=True)
class Ours:
    """A run in the fields of a `Setting`, with its values by quantity."""

    family: str
    setting: Setting
    values: Mapping[str, float]


@dataclass(frozen=True)
class Beside:
    """A published value beside ours: `differs` says in words where the settings part; nothing where they are the same.
    """

    published: Published
    ours: float
    differs: tuple[str, ...]

    @property
    def words(self) -> str:
        """Whether the two compare, in a sentence."""
        return "Same setting." if not self.differs else f"Not the same setting: {'; '.join(self.differs)}."


def beside(run: Run) -> list[Beside]:
    """What was published of the kind of a run, the nearest setting first."""
    return compared(ours(run))


def compared(here: Ours) -> list[Beside]:
    """Published values for a run to be held against, the nearest setting first, a few of each quantity."""
    found = [Beside(each, here.values[each.quantity], _differs(each, here)) for each in TABLE
             if each.quantity in here.values and here.family in each.families
             and (each.quantity not in OF_THE_DATA or here.setting.data in (each.setting.data, each.like))]
    nearest = sorted(found, key=lambda each: -_agreements(each.published.setting, here.setting))
    return [each for quantity in TITLES
            for each in [one for one in nearest if one.published.quantity == quantity][:MOST_SHOWN]]


def ours(run: Run) -> Ours:
    """A run in the fields of a setting: from its configuration and its newest whole evaluation of the test set."""
    from vaecore.evaluate.kept import results
    from vaecore.evaluate.parts.likelihood import Likelihood
    from vaecore.library import record
    from vaecore.naming import complete

    known = record(run)
    values = complete(run.values())
    model, data, training = (values.get(part) or {} for part in ("model", "data", "training"))
    tested = [each for each in results(run) if each.split == "test" and not each.partial]
    like = next((found for each in reversed(tested) if (found := each.of(Likelihood))), None)
    numbers = {key: known.numbers[key].value for key in ("frechet", "perplexity", "mig", "ssim_clips", "psnr_clips")
               if key in known.numbers}
    one_image = known.headline is not None and str(model.get("family")) in SINGLE_CODE
    told = known.numbers.get("log_p_is") or known.numbers.get("log_p")
    if like is not None and one_image and told is not None and told.kind != "no log p":
        numbers["log_p"] = like.log_likelihood
    network = model.get("network")
    setting = Setting(
        data=str(data.get("name", "")), pixels=str(data.get("pixels", "")), network=_network(model),
        fields=network if isinstance(network, dict) else {}, latents=known.latents,
        samples=like.samples or None if like else None, observations=like.observations if like else None,
        likelihood=str((model.get("likelihood") or {}).get("kind", "")), features="our own classifier",
        epochs=int(training["epochs"]) if isinstance(training.get("epochs"), int | float) else None)
    return Ours(str(model.get("family", "")), setting, numbers)


def _network(model: Mapping[str, Any]) -> str:
    """The network of a configuration in a few words."""
    network = model.get("network") if isinstance(model.get("network"), dict) else model
    assert isinstance(network, Mapping)
    layers = next((network[name] for name in ("channels", "hidden", "layers") if network.get(name)), None)
    said = "-".join(map(str, layers)) if isinstance(layers, list | tuple) else str(layers or "")
    return " ".join(filter(None, [str(network.get("kind", "")), said, str(network.get("activation", ""))]))[:80]


def _agreements(a: Setting, b: Setting) -> int:
    """In how many fields two settings are said to be the same."""
    network = bool(a.fields) and all(b.fields.get(name) == value for name, value in a.fields.items())
    names = ("data", "pixels", "latents", "samples", "observations", "epochs")
    return network + sum(1 for name in names if getattr(a, name) and getattr(a, name) == getattr(b, name))


def _differs(there: Published, here: Ours) -> tuple[str, ...]:
    a, b = there.setting, here.setting
    found = []
    if a.data != b.data:
        found.append(f"data {a.data} (here {b.data})")
    if a.pixels and a.pixels != b.pixels:
        found.append(f"pixels {PIXELS.get(a.pixels, a.pixels)} (here {PIXELS.get(b.pixels, b.pixels or 'none')})")
    if a.network and not (a.fields and all(b.fields.get(name) == value for name, value in a.fields.items())):
        found.append(f"network {a.network} (here {b.network or 'another'})")
    if a.likelihood and a.likelihood.split(",")[0] != b.likelihood:
        found.append(f"p(x|z) {a.likelihood} (here {b.likelihood or 'another'})")
    if a.features and a.features != b.features:
        found.append(f"features of {a.features} (here {b.features})")
    for words, theirs, mine in (("code of", a.latents, b.latents), ("K =", a.samples, b.samples),
                                ("epochs", a.epochs, b.epochs)):
        if theirs is not None and theirs != mine:
            found.append(f"{words} {theirs:,} (here {mine or 'none':{',' if mine else ''}})")
    if there.quantity == "log_p" and a.observations != b.observations:
        sizes = [f"the first {count:,}" if count else "all" for count in (a.observations, b.observations)]
        found.append(f"{sizes[0]} test observations (here {sizes[1]})")
    if there.bound:
        found.append("a bound there")
    unsaid = [words for words, value in (("network", a.network), ("code", a.latents), ("K", a.samples)) if not value]
    if there.quantity == "log_p" and unsaid:
        found.append(f"{', '.join(unsaid)} not said there")
    return tuple(found)


# -- the table -------------------------------------------------------------------------------------

_README = "yoonholee/pytorch-vae, README, its own run of Burda et al. (2016)"
_TANH = Setting("mnist", "binary-dynamic", "784-200-200-50, tanh",
                {"kind": "mlp", "hidden": [200, 200], "activation": "tanh"}, 50, 5_000, epochs=3_280)
_LADDER = "addtt/ladder-vae-pytorch, README"
_PRIORS = "notes on Xu et al., RealNVP priors for VAEs"
_OPTIMUS = "Li et al. (2020), OPTIMUS, table 1"


def _ladder(layers: int, value: float) -> Published:
    return Published(f"Ladder VAE, {layers} layers", ("vae",), "log_p", value, Setting(
        "mnist", "binary-fixed", f"{layers} convolutional layers, free bits, learned top prior", latents=32,
        samples=1_000), _LADDER, "S", bound=True)


def _fixed(model: str, value: float, pixels: str = "binary-fixed", source: str = _PRIORS,
           latents: int | None = None) -> Published:
    return Published(model, ("vae",), "log_p", value, Setting("mnist", pixels, latents=latents), source, "T")


def _sentences(model: str, data: str, value: float, families: tuple[str, ...] = ("sentence-vae",)) -> Published:
    return Published(model, families, "perplexity", value, Setting(data, network="two-layer LSTM", latents=None if
                     families == ("language-model",) else 32), _OPTIMUS, "S")


TABLE: tuple[Published, ...] = (
    Published("VAE", ("vae", "made", "pixelcnn", "rbm"), "log_p", -87.01, _TANH, _README, "S"),
    Published("VAE, 5 samples", ("vae",), "log_p", -86.45, _TANH, _README, "S"),
    Published("VAE, 64 samples", ("vae",), "log_p", -86.07, _TANH, _README, "S"),
    Published("IWAE, 5 samples", ("vae",), "log_p", -85.18, _TANH, _README, "S"),
    Published("IWAE, 64 samples", ("vae",), "log_p", -84.37, _TANH, _README, "S"),
    Published("VAE", ("vae",), "log_p", -89.78, Setting(
        "mnist", "binary-fixed", "784-400", {"kind": "mlp", "hidden": [400]}, 40, 200, epochs=500), "pythae, README",
        "T", error=0.01),
    _ladder(3, -79.24), _ladder(6, -78.52), _ladder(12, -78.30),
    _fixed("ConvHVAE + Lars", -81.70), _fixed("ConvHVAE + VampPrior", -81.09), _fixed("PixelHVAE + VampPrior", -79.78),
    _fixed("BIVA", -78.59), _fixed("ConvVAE + RealNVP prior", -80.09, latents=40),
    _fixed("ResnetVAE + RealNVP prior", -79.84, latents=40),
    _fixed("ResnetVAE + RealNVP prior", -78.49, "binary-dynamic", latents=40),
    _fixed("IAF-VAE", -79.10, "binary-dynamic", "a third party's table of Kingma et al. (2016)"),
    _fixed("IAF-VAE", -79.88, source="a third party's table of Kingma et al. (2016)"),
    *(Published(f"VAE, p(x|z) with {words}", ("vae",), "log_p", value, Setting(
        "mnist", "grey", likelihood=f"gaussian, {words}"), "Rybkin et al. (2021), σ-VAE, table 3", "S", bound=True)
      for words, value in (("sigma fixed at 1", -740.5), ("the best beta", 796.2), ("one learned sigma", 896.1),
                           ("a sigma a pixel", 2_895.0))),
    *(Published(model, families, "frechet", value, Setting(
        "mnist", network="one for all", features="Inception, 10,000 pictures"), "Ghosh et al. (2020), table 1", "S")
      for model, families, value in (("VAE", ("vae",), 19.21), ("VAE of constant variance", ("vae",), 33.79), ("WAE", (
          "vae",), 20.42), ("Two-stage VAE", ("vae",), 18.81), ("RAE-L2", ("ae",), 22.22), ("AE", ("ae",), 58.73))),
    _sentences("LSTM language model", "PTB", 100.47, ("language-model",)),
    _sentences("LSTM language model", "SNLI", 21.44, ("language-model",)),
    _sentences("VAE, monotone annealing", "PTB", 101.40), _sentences("VAE, monotone annealing", "SNLI", 21.50),
    _sentences("VAE, cyclical annealing", "PTB", 108.81), _sentences("VAE, cyclical annealing", "SNLI", 23.67),
    _sentences("VAE, aggressive encoder", "PTB", 99.83), _sentences("VAE, aggressive encoder", "SNLI", 21.16),
    _sentences("VAE, autoencoder first, free bits", "PTB", 96.86),
    _sentences("VAE, autoencoder first, free bits", "SNLI", 21.64),
    Published("SVG", ("svg-lp", "svg-fp"), "psnr_clips", 14.50, Setting(
        "Moving MNIST, two digits, 5 frames to 20", network="64 pixels"), "notes on SLAMP and SRVP", "T"),
    Published("SVG", ("svg-lp", "svg-fp"), "ssim_clips", 0.7090, Setting(
        "Moving MNIST, two digits, 5 frames to 20", network="64 pixels"), "notes on SLAMP and SRVP", "T"),
    Published("SVG", ("svg-lp", "svg-fp"), "psnr_clips", 12.70, Setting(
        "KITTI, 10 frames to 20", network="64 pixels"), "Akan et al. (2021), SLAMP", "S"),
    Published("SVG", ("svg-lp", "svg-fp"), "ssim_clips", 0.329, Setting(
        "KITTI, 10 frames to 20", network="64 pixels"), "Akan et al. (2021), SLAMP", "S"),
    *(Published(model, ("vae",), "mig", value, Setting("dSprites", network="convolutional, mean of 10 runs"),
                "a third party's table of four papers", "T", like="sprites")
      for model, value in (("VAE", 0.10), ("β-VAE", 0.21), ("FactorVAE", 0.43), ("β-TCVAE", 0.45))),
)
