"""Values that others have published, each with its setting and its source, and how a run here differs from these.

A published number says something of ours only where network, data, pixels, samples and test set are the same; where
they are not, it is shown with what differs (`beside`). `tag` says how the value is known: S was read in the source, a
paper's text or its authors' files; T in a third party's table. What is only remembered is not in here. No torch.

Likelihoods are log p(x) here, higher is better, also where their source prints -log p(x).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vaecore.store import Run

Tag = Literal["S", "T"]
TAGS: dict[Tag, str] = {"S": "read in the source", "T": "read in a third party's table"}
Quantity = Literal["log_p", "elbo", "frechet", "perplexity", "mutual_information", "active", "mig", "sap", "beta_vae",
                   "joint_coherence", "ssim_clips", "psnr_clips"]
TITLES: dict[Quantity, tuple[str, str, int]] = {  # what it is called, its unit, digits
    "log_p": ("log p(x)", "nats", 2), "elbo": ("ELBO", "nats", 2), "frechet": ("Fréchet distance", "", 2),
    "perplexity": ("perplexity", "", 2), "mutual_information": ("mutual information", "nats", 2),
    "active": ("active dimensions", "", 0), "mig": ("MIG", "", 2), "sap": ("SAP", "", 2),
    "beta_vae": ("β-VAE score", "", 2), "joint_coherence": ("joint coherence", "", 3),
    "ssim_clips": ("SSIM of clips", "", 3), "psnr_clips": ("PSNR of clips", "dB", 2)}
LIKELIHOODS = ("log_p", "elbo")
PIXELS = {"binary-dynamic": "binary, drawn anew at each visit", "binary-fixed": "binary, drawn once", "grey": "grey"}
SHORT = {"binary-dynamic": "dynamic", "binary-fixed": "static", "grey": "grey"}  # as papers call these pixels
OF_THE_DATA = ("log_p", "elbo", "frechet", "perplexity", "mig", "sap", "beta_vae",
               "ssim_clips", "psnr_clips")  # of data not even alike they say nothing
ENGLISH = ("sentences", "captions")  # the data sets here that are English
MOST_SHOWN = 3  # of each quantity, where there is little room
SINGLE_CODE = ("vae", "made", "pixelcnn", "rbm")  # families whose log p(x) of an image is one quantity
SAMPLED = "vae"  # the family whose log p(x) depends on K
CODED_TEXT = ("sentence-vae",)  # families of text whose log p(x) is bounded, and all of one LSTM
TEXT = (*CODED_TEXT, "language-model")
APPROACHES = {"independent components": ("ica",), "autoregressive": ("made", "pixelcnn"), "energy-based": ("rbm",),
              "variational autoencoder": ("vae",)}  # the lecture's, and our families of each


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
    batch: int | None = None
    objective: str = ""  # what was maximised: as `_objective` says it of ours
    given: str = ""  # what a likelihood is conditional on
    prior: str = ""  # p(z): as our `model.prior.kind`, or as it is called there
    likelihood: str = ""  # p(x|z): as our `model.likelihood.kind`, and what else there is to say of it
    features: str = ""  # whose Fréchet distance it is
    perplexity: str = ""  # what it is of; empty where that is exact

    @property
    def where(self) -> str:
        """The data, as papers call them: "dynamic MNIST"."""
        return " ".join(filter(None, [SHORT.get(self.pixels, ""), "MNIST" if self.data == "mnist" else self.data]))

    def short(self) -> str:
        """What papers say first: network, data, K."""
        return ", ".join(filter(None, [self.network, self.where, f"K = {self.samples:,}" if self.samples else ""]))

    def words(self) -> str:
        """All that was said of it, in a line."""
        said = [f"network {self.network}" if self.network else "", self.where, self.objective,
                f"prior {self.prior}" if self.prior else "",
                f"p(x|z) {self.likelihood}" if self.likelihood else "",
                f"code of {self.latents}" if self.latents else "", f"K = {self.samples:,}" if self.samples else "",
                f"{self.epochs:,} epochs" if self.epochs else "",
                f"features of {self.features}" if self.features else "",
                f"perplexity from {self.perplexity}" if self.perplexity else ""]
        return ", ".join(filter(None, said))


@dataclass(frozen=True)
class Published:
    """A value of somebody else's model."""

    model: str  # as its authors call it
    families: tuple[str, ...]  # ours of the same kind; none where it stands beside a claim alone
    quantity: Quantity
    value: float
    setting: Setting
    source: str
    tag: Tag
    error: float | None = None  # as it is given there
    bound: bool = False  # the value is a bound: of log p(x) from below
    like: tuple[str, ...] = ()  # the data sets here that are most like theirs
    claims: tuple[str, ...] = ()  # the claims that it belongs to

    def said(self) -> str:
        """The value as a person reads it, with its unit."""
        _, unit, digits = TITLES[self.quantity]
        spread = f" ± {self.error:g}" if self.error else ""
        return f"{'≥ ' if self.bound else ''}{self.value:,.{digits}f}{spread} {unit}".strip().replace("-", "−")

    def origin(self) -> str:
        """The source, how it was read, and the whole setting, in two sentences."""
        return f"{self.source}; {TAGS[self.tag]}. {self.setting.words()}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; of the setting what was said."""
        facts = asdict(self)
        facts["setting"] = {name: value for name, value in facts["setting"].items() if value not in (None, "", {})}
        return {name: value for name, value in facts.items() if value not in (None, "", ()) and value is not False}


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
    given: str = ""  # what ours is conditional on

    @property
    def same(self) -> bool:
        """Whether all that was said there is so here, and nothing that matters was left unsaid."""
        return not self.differs

    @property
    def words(self) -> str:
        """Whether the two compare, in a sentence."""
        return "Same setting." if self.same else f"Not the same setting: {'; '.join(self.differs)}."

    @property
    def title(self) -> str:
        """What our number is called."""
        title = TITLES[self.published.quantity][0]
        if not self.given or self.published.quantity not in LIKELIHOODS:
            return title
        return f"log p(x|{self.given})" if self.published.quantity == "log_p" else f"{title}, given {self.given}"

    def here(self) -> str:
        """Our value as a person reads it, with its unit."""
        _, unit, digits = TITLES[self.published.quantity]
        # Of a summary, as papers have it; an evaluation of some observations has another beside it on the page.
        whole = " over the whole test set" if self.published.quantity == "elbo" else ""
        return f"{self.ours:,.{digits}f} {unit}".strip().replace("-", "−") + whole

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**self.published.as_dict(), "ours": self.ours, "same_setting": self.same, "differs": list(self.differs)}


def beside(run: Run) -> list[Beside]:
    """What was published of the kind of a run beside its own values: quantity by quantity, the nearest setting first.
    """
    return compared(ours(run))


def compared(here: Ours) -> list[Beside]:
    """Published values for a run to be held against: quantity by quantity, the nearest setting first."""
    found = [Beside(each, here.values[each.quantity], _differs(each, here), here.setting.given) for each in TABLE
             if each.quantity in here.values and here.family in each.families
             and (each.quantity not in OF_THE_DATA or here.setting.data in (each.setting.data, *each.like))]
    nearest = sorted(found, key=lambda each: (not each.same, -_agreements(each.published.setting, here.setting)))
    return [each for quantity in TITLES for each in nearest if each.published.quantity == quantity]


def nearest(found: Iterable[Beside], most: int = MOST_SHOWN) -> list[Beside]:
    """The first few of each quantity, where there is room for no more."""
    shown: list[Beside] = []
    for each in found:
        if sum(one.published.quantity == each.published.quantity for one in shown) < most:
            shown.append(each)
    return shown


def of_claim(claim: str) -> list[Published]:
    """What the paper of a claim, or one that tried the same, states in numbers."""
    return [each for each in TABLE if claim in each.claims]


def of_approaches(data: Mapping[str, Any] | None) -> dict[str, list[Published]]:
    """Likelihoods that were published of each of the lecture's approaches, of the same pixels first.

    `data` is that part of a configuration: the values are of these data.
    """
    name, pixels = (str(_part({"data": data}, "data").get(field, "")) for field in ("name", "pixels"))
    there = [each for each in TABLE if each.quantity == "log_p" and each.setting.data == name]
    return {approach: sorted((each for each in there if set(families) & set(each.families)),
                             key=lambda each: each.setting.pixels != pixels)
            for approach, families in APPROACHES.items()}


def rows(found: Iterable[Published]) -> list[dict[str, str]]:
    """Published values in words as the rows of a table, those of one model in one setting and source in one row."""
    table: dict[tuple[str, str, str], dict[str, str]] = {}
    for each in found:
        known = replace(each.setting, features="", samples=None)  # of one of its numbers alone
        row = table.setdefault((each.model, known.words(), each.source), {
            "model": each.model, "data": each.setting.where, "setting": replace(known, data="", pixels="").words()})
        title, unit, _ = TITLES[each.quantity]
        row[f"{title}, {unit}" if unit else title] = each.said().removesuffix(unit).strip()
        row |= {"source": each.source, "tag": each.tag}
    last = ("source", "tag")
    return [{name: row[name] for name in (*(name for name in row if name not in last), *last)}
            for row in table.values()]


def lines(found: Sequence[Beside]) -> list[str]:
    """What stands beside a run as lines of text, the nearest of each quantity."""
    shown = nearest(found)
    told = [f"{each.title}: {each.here()} here; published {each.published.said()}, "
            f"{each.published.model}, {each.published.setting.short()} "
            f"[{each.published.tag}: {each.published.source}]. {each.words}" for each in shown]
    more = len(found) - len(shown)
    return told + ([f"and {more} more of other settings, with --json"] if more else [])


def ours(run: Run) -> Ours:
    """A run in the fields of a setting: from its configuration and its newest whole evaluation of the test set."""
    from vaecore.evaluate.kept import results
    from vaecore.evaluate.parts.likelihood import Likelihood
    from vaecore.library import record
    from vaecore.naming import complete

    known = record(run)
    values = complete(run.values())
    model, data, training = (_part(values, name) for name in ("model", "data", "training"))
    tested = [each for each in results(run) if each.split == "test" and not each.partial]
    newest = next((each for each in reversed(tested) if each.of(Likelihood)), None)
    like = newest.of(Likelihood) if newest else None
    numbers: dict[str, float] = {key: known.numbers[key].value for key in TITLES
                                 if key not in LIKELIHOODS and key in known.numbers}
    one_image = known.headline is not None and str(model.get("family")) in SINGLE_CODE
    told = known.numbers.get("log_p_is") or known.numbers.get("log_p")
    if one_image and told is not None and told.kind != "no log p":
        if like is not None:
            numbers["log_p"] = like.log_likelihood
        if "elbo" in known.numbers:
            numbers["elbo"] = known.numbers["elbo"].value
    network = model.get("network")
    setting = Setting(
        data=str(data.get("name", "")), pixels=str(data.get("pixels", "")), network=_network(model),
        fields=network if isinstance(network, dict) else {}, latents=known.latents,
        samples=like.samples or None if like else None,
        observations=like.observations if newest and like and like.observations != newest.observations else None,
        epochs=_whole(training.get("epochs")), batch=_whole(training.get("batch_size")),
        objective=_objective(model, training), prior=str(_part(model, "prior").get("kind", "")),
        likelihood=str(_part(model, "likelihood").get("kind", "")), features="our own classifier",
        given="u" if newest and newest.conditional else "",
        perplexity="the ELBO" if model.get("family") in CODED_TEXT else "")
    return Ours(str(model.get("family", "")), setting, numbers)


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of a configuration, which may say anything in its place; empty where it is none."""
    part = values.get(name)
    return part if isinstance(part, Mapping) else {}


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _objective(model: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """What a configuration maximises, in the words of the table; empty for families without a bound."""
    if model.get("family") != "vae":
        return ""
    if _part(model, "divergence").get("kind", "kl") != "kl":
        return "WAE"
    bound = _part(model, "bound")
    count = _whole(bound.get("samples") if bound.get("kind") == "iwae" else model.get("n_samples")) or 1
    said = ("IWAE" if bound.get("kind") == "iwae" else "ELBO") + (f", {count} samples" if count > 1 else "")
    beta = _part(training, "beta")
    final = beta.get("value", beta.get("end", beta.get("start", 1.0)))
    plain = final == 1 and beta.get("kind") != "points" and _part(training, "kl").get("kind", "plain") == "plain"
    return said if plain else f"{said}, weighed KL"


def _network(model: Mapping[str, Any]) -> str:
    """The network of a configuration in a few words."""
    if model.get("family") in TEXT:
        return f"one-layer LSTM, {model.get('hidden')} units"[:80]
    network = _part(model, "network") or model
    layers = next((network[name] for name in ("channels", "hidden", "layers") if network.get(name)), None)
    said = "-".join(map(str, layers)) if isinstance(layers, list | tuple) else str(layers or "")
    return " ".join(filter(None, [str(network.get("kind", "")), said, str(network.get("activation", ""))]))[:80]


def _of(setting: Setting) -> str:
    """What a likelihood of this setting is of."""
    return f"p(x|{setting.given})" if setting.given else "p(x)"


def _alike(a: Setting, b: Setting) -> bool:
    """Whether the network there is known in our fields, and is the one here."""
    return bool(a.fields) and all(b.fields.get(name) == value for name, value in a.fields.items())


def _agreements(a: Setting, b: Setting) -> int:
    """In how many fields two settings are said to be the same."""
    names = ("data", "pixels", "latents", "samples", "observations", "epochs", "batch", "objective", "prior")
    return _alike(a, b) + sum(1 for name in names if getattr(a, name) and getattr(a, name) == getattr(b, name))


def _differs(there: Published, here: Ours) -> tuple[str, ...]:
    a, b = there.setting, here.setting
    found = []
    if a.data != b.data:
        found.append(f"data {a.data} (here {b.data})")
    if a.pixels and a.pixels != b.pixels:
        found.append(f"pixels {PIXELS.get(a.pixels, a.pixels)} (here {PIXELS.get(b.pixels, b.pixels or 'none')})")
    if a.network and not _alike(a, b):
        found.append(f"network {a.network} (here {b.network or 'another'})")
    if there.quantity in LIKELIHOODS and a.given != b.given:
        found.append(f"of {_of(a)} (here {_of(b)})")
    for words, theirs, mine in (("trained by", a.objective, b.objective), ("prior", a.prior, b.prior)):
        if theirs and theirs != mine:
            found.append(f"{words} {theirs} (here {mine or 'none'})")
    if a.likelihood and a.likelihood.split(",")[0] != b.likelihood:
        found.append(f"p(x|z) {a.likelihood} (here {b.likelihood or 'another'})")
    if a.features and a.features != b.features:
        found.append(f"features of {a.features} (here {b.features})")
    if there.quantity == "perplexity" and a.perplexity != b.perplexity:
        found.append(f"perplexity from {a.perplexity or 'log p(x)'} (here from {b.perplexity or 'log p(x)'})")
    for words, count, own in (("code of", a.latents, b.latents), ("K =", a.samples, b.samples),
                              ("epochs", a.epochs, b.epochs), ("batch of", a.batch, b.batch)):
        if count is not None and count != own:
            found.append(f"{words} {count:,} (here {own or 'none':{',' if own else ''}})")
    if there.quantity == "log_p" and a.observations != b.observations:
        sizes = [f"the first {count:,}" if count else "all" for count in (a.observations, b.observations)]
        found.append(f"{sizes[0]} test observations (here {sizes[1]})")
    if there.bound and there.quantity == "log_p":
        found.append("a bound there")
    if there.quantity in LIKELIHOODS and ", " in a.likelihood:
        found.append("p(x|z) said in words alone there")
    coded = here.family == SAMPLED and there.quantity in LIKELIHOODS
    unsaid = [words for words, value, matters in (
        ("network", a.network, True), ("code", a.latents, coded),
        ("K", a.samples, coded and there.quantity == "log_p")) if matters and not value]
    if unsaid:
        found.append(f"{', '.join(unsaid)} not said there")
    return tuple(found)


# -- the table -------------------------------------------------------------------------------------

_BURDA = "Burda et al. (2016)"
_RAINFORTH = "Rainforth et al. (2018)"
_LADDER = "addtt/ladder-vae-pytorch, README"
_PYTHAE = "pythae, README"
_PRIORS = "notes on Xu et al., RealNVP priors for VAEs"
_KINGMA = "a third party's table of Kingma et al. (2016)"
_HOTAJ = "EugenHotaj/pytorch-generative, README"
_DBM = "Salakhutdinov & Hinton (2009), Deep Boltzmann machines"
_GREY = Setting("mnist", "grey", "a small convolutional one")
_SVHN = Setting("SVHN", network="a small convolutional one")
_BAIR = Setting("BAIR robot pushing")
_GHOSH = "Ghosh et al. (2020), table 1"
_OPTIMUS = "Li et al. (2020), OPTIMUS, table 1"
_SLAMP = "Akan et al. (2021), SLAMP"
_MULTIVAE = "MultiVae, README"
_IMAGES_LABELS = Setting("MNIST images and labels, pixels drawn anew in training and once for the test", latents=64,
                         samples=1_000)
_NOTES = "notes on SLAMP and SRVP"
_TWO_DIGITS = "Moving MNIST, two digits, 5 frames to 20"
_FOUR = "a third party's table of four papers"
_TEN = "another third party's table, 10 runs each"


def _bounded(model: str, paper: str, quoted: float, found: float, objective: str) -> tuple[Published, Published]:
    """A bound of the same network, as the paper has it and as its repeater found it."""
    setting = Setting("mnist", "binary-dynamic", "784-200-200-50, tanh",
                      {"kind": "mlp", "hidden": [200, 200], "activation": "tanh"}, 50, 5_000, epochs=3_280, batch=20,
                      objective=objective, prior="standard", likelihood="bernoulli")
    repeater = "yoonholee/pytorch-vae"
    return (Published(model, ("vae",), "log_p", found, setting, f"{repeater}, README, its own run of {paper}", "S",
                      claims=("C26",)),
            Published(model, ("vae",), "log_p", quoted, setting, f"{paper}, as {repeater} quotes it", "T",
                      claims=("C26",)))


def _ladder(layers: int, elbo: float, log_p: float) -> tuple[Published, Published]:
    setting = Setting("mnist", "binary-fixed", f"{layers} convolutional layers of codes", latents=32, prior="learned",
                      objective="ELBO with free bits")
    return (Published(f"Ladder VAE, {layers} layers", ("vae",), "log_p", log_p,
                      replace(setting, samples=1_000), _LADDER, "S", bound=True),
            Published(f"Ladder VAE, {layers} layers", ("vae",), "elbo", elbo, setting, _LADDER, "S"))


def _mnist(model: str, value: float, pixels: str = "binary-fixed", source: str = _PRIORS, tag: Tag = "T",
           families: tuple[str, ...] = ("vae",), claims: tuple[str, ...] = (), *, bound: bool = False, **said: Any
           ) -> Published:
    return Published(model, families, "log_p", value, Setting("mnist", pixels, **said), source, tag, bound=bound,
                     claims=claims)


def _line(model: str, families: tuple[str, ...], setting: Setting, source: str,
          values: Mapping[Quantity, float | None], claims: tuple[str, ...] = (), tag: Tag = "S", like: str = "", *,
          bound: bool = False) -> tuple[Published, ...]:
    """A line of a table with several numbers: only of the Fréchet distance the features are said."""
    return tuple(Published(model, families, quantity, value,
                           setting if quantity == "frechet" else replace(setting, features=""), source, tag,
                           bound=bound and quantity == "log_p", like=(like,) if like else (), claims=claims)
                 for quantity, value in values.items() if value is not None)


def _sigma(model: str, setting: Setting, table: int, log_p: float | None, frechet: float, families: tuple[str, ...] = ()
           ) -> tuple[Published, ...]:
    return _line(model, families, replace(setting, features="Inception"), f"Rybkin et al. (2021), σ-VAE, table {table}",
                 {"log_p": log_p, "frechet": frechet}, ("C25",), bound=True)


def _ghosh(model: str, families: tuple[str, ...], data: str, own: float, mixture: float, claims: tuple[str, ...],
           objective: str = "") -> tuple[Published, Published]:
    setting = Setting(data, network="one for all", features="Inception, 10,000 pictures", objective=objective)
    return (Published(model, families, "frechet", own, replace(
                setting, prior="N(0, I), or N fitted afterwards"), _GHOSH, "S", claims=claims),
            Published(f"{model}, 10 Gaussians fitted afterwards", families, "frechet", mixture, replace(
                setting, prior="fitted"), _GHOSH, "S", claims=("C24",)))


def _optimus(model: str, claims: tuple[str, ...], *, perplexity: Mapping[str, float],
             information: Mapping[str, float] | None = None, active: Mapping[str, float] | None = None,
             families: tuple[str, ...] = CODED_TEXT) -> tuple[Published, ...]:
    """A line of the table: what stands beside a run is the perplexity, what stands beside claims is all of it."""
    size, estimated = (32, "log p(x) by importance sampling") if families == CODED_TEXT else (None, "")
    found: list[tuple[Quantity, Mapping[str, float]]] = [
        ("perplexity", perplexity), ("mutual_information", information or {}), ("active", active or {})]
    return tuple(Published(model, families if quantity == "perplexity" else (), quantity, value, Setting(
        data, network="two-layer LSTM", latents=size, perplexity=estimated), _OPTIMUS, "S", like=ENGLISH, claims=claims)
        for quantity, values in found for data, value in values.items())


def _dsprites(model: str, mig: float, sap: float, beta_vae: float) -> tuple[Published, ...]:
    return (*_line(model, ("vae",), Setting("dSprites", network="convolutional"), _FOUR, {"mig": mig}, (), "T",
                   "sprites"),
            *_line(model, ("vae",), Setting("dSprites", network="not the same in each paper"), _TEN,
                   {"sap": sap, "beta_vae": beta_vae}, (), "T", "sprites"))


TABLE: tuple[Published, ...] = (
    # Likelihoods of images: the VAE and its bounds
    *_bounded("VAE", _BURDA, -86.76, -87.01, "ELBO"),
    *_bounded("VAE, 5 samples", _BURDA, -86.47, -86.45, "ELBO, 5 samples"),
    *_bounded("VAE, 64 samples", _RAINFORTH, -86.21, -86.07, "ELBO, 64 samples"),
    *_bounded("IWAE, 5 samples", _BURDA, -85.54, -85.18, "IWAE, 5 samples"),
    *_bounded("IWAE, 64 samples", _RAINFORTH, -84.52, -84.37, "IWAE, 64 samples"),
    *_bounded("MIWAE, 8 of 8 samples", _RAINFORTH, -84.97, -84.69, "MIWAE, 8 of 8 samples"),
    Published("VAE", ("vae",), "log_p", -89.78, Setting(
        "mnist", "binary-fixed", "784-400", {"kind": "mlp", "hidden": [400]}, 40, 200, epochs=500, batch=100,
        objective="ELBO", prior="standard", likelihood="bernoulli"), _PYTHAE, "T", error=0.01),
    _mnist("IWAE, 50 samples", -86.82, source=_PYTHAE, objective="IWAE, 50 samples", claims=("C26",)),
    *_ladder(3, -82.14, -79.24), *_ladder(6, -80.74, -78.52), *_ladder(12, -80.50, -78.30),
    _mnist("ConvHVAE + Lars", -81.70, prior="Lars"),
    _mnist("ConvHVAE + VampPrior", -81.09, prior="vamp", claims=("C17",)),
    _mnist("PixelHVAE + VampPrior", -79.78, prior="vamp", claims=("C17",)), _mnist("BIVA", -78.59),
    _mnist("ConvVAE + RealNVP prior", -80.09, latents=40, prior="RealNVP"),
    _mnist("ResnetVAE + RealNVP prior", -79.84, latents=40, prior="RealNVP"),
    _mnist("ResnetVAE + RealNVP prior", -78.49, "binary-dynamic", latents=40, prior="RealNVP"),
    _mnist("IAF-VAE", -79.10, "binary-dynamic", _KINGMA), _mnist("IAF-VAE", -79.88, source=_KINGMA),
    # Other kinds of models
    *(_mnist(model, value, "binary-dynamic", _HOTAJ, "S", (family,)) for model, value, family in (
        ("PixelCNN", -81.45, "pixelcnn"), ("Gated PixelCNN", -81.50, "pixelcnn"), ("PixelSNAIL", -78.61, "pixelcnn"),
        ("MADE", -84.867, "made"), ("NADE", -85.65, "made"))),
    _mnist("MADE", -88.04, source="Germain et al. (2015), as pytorch-generative quotes it", families=("made",)),
    _mnist("Deep Boltzmann machine, 2 layers", -84.62, "", _DBM, "S", ("rbm",), bound=True),
    _mnist("Deep Boltzmann machine, 3 layers", -85.10, "", _DBM, "S", ("rbm",), bound=True),
    _mnist("Deep Boltzmann machine, 2 layers", -86.37, "", "yell/boltzmann-machines, README", "S", ("rbm",),
           bound=True),
    # Densities of grey images, and what sigma makes of them
    *_sigma("VAE, sigma fixed at 1", replace(_GREY, likelihood="gaussian, sigma 1"), 3, -740.5, 59.9, ("vae",)),
    *_sigma("VAE, the best beta", replace(_GREY, likelihood="gaussian, best beta"), 3, 796.2, 53.2, ("vae",)),
    *_sigma("VAE, one shared sigma", replace(_GREY, likelihood="gaussian-learned, one sigma"), 3, 896.1, 32.2,
            ("vae",)),
    *_sigma("VAE, a sigma a pixel", replace(_GREY, likelihood="gaussian-per-pixel, learned"), 3, 2_895.0, 132.5,
            ("vae",)),
    *_sigma("VAE, Bernoulli", replace(_GREY, likelihood="bernoulli"), 3, None, 32.2, ("vae",)),
    *_sigma("VAE, β = 0.001", _SVHN, 1, None, 44.5), *_sigma("VAE, β = 0.01", _SVHN, 1, 3_186.0, 27.9),
    *_sigma("VAE, β = 0.1", _SVHN, 1, 1_223.0, 28.3), *_sigma("VAE, β = 1", _SVHN, 1, -1_381.0, 70.4),
    *_sigma("VAE, β = 10", _SVHN, 1, None, 219.0), *_sigma("VAE, optimal sigma", _SVHN, 1, 3_333.0, 22.25),
    # Samples of images, and a prior fitted afterwards
    *_ghosh("VAE", ("vae",), "mnist", 19.21, 17.66, ("C19", "C24"), "ELBO"),
    *_ghosh("VAE of constant variance", ("vae",), "mnist", 33.79, 17.87, ("C24",)),
    *_ghosh("WAE", ("vae",), "mnist", 20.42, 9.39, ("C19", "C24"), "WAE"),
    Published("Two-stage VAE", ("vae",), "frechet", 18.81, Setting(
        "mnist", network="one for all", features="Inception, 10,000 pictures"), _GHOSH, "S", claims=("C24",)),
    *_ghosh("RAE-L2", ("ae",), "mnist", 22.22, 8.69, ("C24",)), *_ghosh("AE", ("ae",), "mnist", 58.73, 10.66, ("C24",)),
    *_ghosh("VAE", (), "CelebA", 48.12, 45.52, ("C24",)), *_ghosh("WAE", (), "CelebA", 53.67, 42.73, ("C24",)),
    *_ghosh("AE", (), "CelebA", 127.85, 45.10, ("C24",)),
    # Sentences
    *_optimus("LSTM language model", ("C15", "C27"), families=("language-model",),
              perplexity={"PTB": 100.47, "SNLI": 21.44, "Yelp": 42.60, "Yahoo": 60.75}),
    *_optimus("VAE, monotone annealing", ("C13", "C15", "C16", "C27"),
              perplexity={"PTB": 101.40, "SNLI": 21.50, "Yelp": 40.39, "Yahoo": 61.21},
              information={"PTB": 0.0, "SNLI": 1.45, "Yelp": 0.13, "Yahoo": 0.0},
              active={"PTB": 0, "SNLI": 2, "Yelp": 1, "Yahoo": 0}),
    *_optimus("VAE, cyclical annealing", ("C16", "C27"), perplexity={"PTB": 108.81, "SNLI": 23.67, "Yahoo": 66.93},
              information={"PTB": 1.27, "SNLI": 3.60, "Yahoo": 2.77}, active={"PTB": 5, "SNLI": 5, "Yahoo": 4}),
    *_optimus("Semi-amortised VAE", ("C27",), perplexity={"Yahoo": 60.40}, information={"Yelp": 1.70, "Yahoo": 2.70},
              active={"Yelp": 8, "Yahoo": 10}),
    *_optimus("VAE, aggressive encoder", ("C13", "C27"),
              perplexity={"PTB": 99.83, "SNLI": 21.16, "Yelp": 39.84, "Yahoo": 59.77},
              information={"PTB": 0.83, "SNLI": 1.38, "Yelp": 2.16, "Yahoo": 2.90},
              active={"PTB": 4, "SNLI": 5, "Yelp": 12, "Yahoo": 19}),
    *_optimus("VAE, autoencoder first, free bits", ("C27",),
              perplexity={"PTB": 96.86, "SNLI": 21.64, "Yelp": 47.97, "Yahoo": 59.28},
              information={"PTB": 5.31, "SNLI": 7.71, "Yelp": 7.89, "Yahoo": 8.08},
              active={"PTB": 32, "SNLI": 32, "Yelp": 32, "Yahoo": 32}),
    # Clips
    *_line("SVG", ("svg-lp", "svg-fp"), Setting(_TWO_DIGITS, network="for 64 pixels"), _NOTES,
           {"psnr_clips": 14.50, "ssim_clips": 0.709}, ("C12",), "T", "moving-mnist"),
    *_line("SRVP", ("svg-lp", "svg-fp"), Setting(_TWO_DIGITS, network="for 64 pixels"), _NOTES,
           {"psnr_clips": 16.93, "ssim_clips": 0.780}, ("C12",), "T", "moving-mnist"),
    *_line("SVG", ("svg-lp", "svg-fp"), Setting("KITTI, 10 frames to 20"), _SLAMP,
           {"psnr_clips": 12.70, "ssim_clips": 0.329}, ("C12",)),
    *_line("SVG", ("svg-lp", "svg-fp"), Setting("Cityscapes, 10 frames to 20"), _SLAMP,
           {"psnr_clips": 20.42, "ssim_clips": 0.606}, ("C12",)),
    *_sigma("SVG, as it was, a β-VAE", replace(_BAIR, likelihood="gaussian, best beta"), 2, 13_472.0, 34.64,
            ("svg-lp",)),
    *_sigma("SVG, one shared sigma", replace(_BAIR, likelihood="gaussian-learned, one sigma"), 2, 13_974.0, 34.24,
            ("svg-lp",)),
    *_sigma("SVG, optimal sigma", replace(_BAIR, likelihood="gaussian-optimal"), 2, 14_173.0, 34.13, ("svg-lp",)),
    *_sigma("SVG, sigma fixed at 1", replace(_BAIR, likelihood="gaussian, sigma 1"), 2, 10_379.0, 35.64, ("svg-lp",)),
    *_sigma("SVG, Bernoulli", replace(_BAIR, likelihood="bernoulli"), 2, None, 122.6, ("svg-lp",)),
    # Several modalities
    Published("JMVAE", (), "log_p", -86.86, _IMAGES_LABELS, f"Suzuki et al. (2016), as {_MULTIVAE} quotes it", "T",
              claims=("C7",)),
    Published("JMVAE", (), "log_p", -86.85, _IMAGES_LABELS, _MULTIVAE, "T", error=0.03, claims=("C7",)),
    Published("DMVAE", ("dmvae",), "joint_coherence", 0.447, Setting("MNIST and SVHN"),
              f"Lee & Pavlovic (2021), as {_MULTIVAE} quotes it", "T"),
    Published("DMVAE", ("dmvae",), "joint_coherence", 0.460, Setting("MNIST and SVHN"), _MULTIVAE, "T"),
    Published("MMVAE", ("dmvae",), "joint_coherence", 0.42, Setting("MNIST and SVHN"), _MULTIVAE, "T"),
    # Known factors
    *_dsprites("VAE", 0.10, 0.11, 0.69), *_dsprites("β-VAE", 0.21, 0.16, 0.86),
    *_dsprites("FactorVAE", 0.43, 0.21, 0.80), *_dsprites("β-TCVAE", 0.45, 0.22, 0.87),
)
