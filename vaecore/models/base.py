"""The contract of every family of models, and how one is built from what is given.

Shapes: B observations, K samples, r latent size, D observed size. A batch maps modality names to tensors
(B, *shape), COVARIATE to (B, m) where the data set has one, and OBSERVED to (B, M) where modalities are missing.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_type_hints

import torch
from torch import Tensor, nn

from vaecore.data import COVARIATE
from vaecore.modalities import Image, Modality, Text, Vector
from vaecore.models.capabilities import ChoosesLikelihood
from vaecore.models.evidence import Evidence, Objective
from vaecore.probability.auxiliary import Auxiliary
from vaecore.probability.densities import Density
from vaecore.probability.gaussian import Point
from vaecore.probability.likelihoods import Observation
from vaecore.probability.posteriors import Posterior
from vaecore.probability.priors import Fitted, FittedConfig, PriorConfig
from vaecore.schema import FIELDS, Strict, parse, problem

Batch = Mapping[str, Tensor]
Approach = Literal["independent components", "autoregressive", "energy-based", "variational autoencoder"]
NUMBERS_AT_ONCE = 20_000_000  # that a decoder gives, 80 MB
# What families call the parts of p(x|z); of clips what predicts the next frame is one of them.
DECODER = ("decoder", "decoders", "predictor", "generator", "likelihood", "likelihoods")
Modalities = Mapping[str, Modality]
Shape = tuple[int, ...]
KIND_BY_AXES = {1: "vector", 2: "trajectory", 3: "image", 4: "video"}
Given = Modality | Shape | Mapping[str, Modality | Shape]  # what a family is to be built for


class NoPrior(ValueError):
    """Samples are asked of a model without a prior; the message says what to do."""


class Family(nn.Module):
    """A model of one family. Posteriors are keyed by latent name, observations by modality name.

    In a loop of one's own: `model(x)` is the ELBO of a batch, `model.loss(x)` a scalar to go down.
    """

    choice: ClassVar[type[Strict] | None] = None  # a part of its configuration that says which model it is
    point_codes: ClassVar[bool] = False  # whether a code is a point: then no log p(x) can be bounded by codes

    def __init__(self, modalities: Modalities) -> None:
        super().__init__()
        self.modalities = dict(modalities)
        self.covariate: Modality | None = None  # set where the model reads it
        self.reads_covariate = False  # whether q(z|x, u) reads it too

    def forward(self, batch: Batch | Tensor | Sequence[Tensor], generator: torch.Generator | None = None) -> Evidence:
        """The ELBO of a batch by its terms: `model(x).elbo()` is (B,), in nats.

        A family of one modality takes its observations as they are, (B, *shape), or as a `DataLoader` of a
        `TensorDataset` gives them, in a list of one; others take a mapping of names.
        """
        return self.elbo(batch, generator)

    def loss(self, batch: Batch | Tensor | Sequence[Tensor], beta: float = 1.0,
             generator: torch.Generator | None = None) -> Tensor:
        """What training minimises, a scalar in nats; `beta` weighs the KL. Takes what `forward` takes."""
        return self.objective(self.as_batch(batch), generator).terms().loss(beta)

    def as_batch(self, given: Batch | Tensor | Sequence[Tensor]) -> Batch:
        """Observations by the name of their modality; raises `ValueError` for shapes that are not this model's."""
        title = type(self).__name__
        if not isinstance(given, Mapping):
            tensors = [given] if isinstance(given, Tensor) else list(given)
            if len(self.modalities) != 1 or len(tensors) != 1 or self.covariate is not None:
                names = [*self.modalities, *([COVARIATE] if self.covariate is not None else [])]
                raise ValueError(f"{title} reads {', '.join(names)}, and got {len(tensors)} tensor"
                                 f"{'s' * (len(tensors) != 1)} without a name. Give a mapping, as "
                                 f"{{{', '.join(f'{name!r}: ...' for name in names)}}}.")
            given = dict(zip(self.modalities, tensors, strict=True))
        if not any(name in given for name in self.modalities):
            raise ValueError(f"{title} reads {', '.join(self.modalities)}, and the batch has "
                             f"{', '.join(map(str, given)) or 'nothing'}. Give one of the former.")
        for name, modality in self.modalities.items():
            if name in given and (given[name].ndim != 1 + len(modality.shape) or (
                    not modality.any_length and given[name].shape[1:] != modality.shape)):
                raise ValueError(f"{title} reads {name} of shape {('B', *modality.shape)}, and got "
                                 f"{tuple(given[name].shape)}.".replace("'B'", "B"))
        return given

    @property
    def prior_moves(self) -> bool:
        """Whether each observation has a prior of its own, p(z|u) or p(z | frames before).

        Then a posterior mean that varies may only follow its prior: what is active is told by the KL.
        """
        return False

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        """p(z) a latent, or p(z|u) with the covariate of `batch`; empty for a family without one."""
        return {}

    def sample(self, count: int, generator: torch.Generator | None = None, covariate: Tensor | None = None
               ) -> dict[str, Tensor]:
        """`count` observations (count, *shape) a modality: codes from the prior, then the decoder's means.

        A text has no mean and is left out. `covariate` (count, m) is needed where the prior is conditional. Raises
        `NoPrior` without a prior, and `TypeError` of a family of texts alone, which `SentenceCheckpoint` draws.
        """
        drawn = [name for name, modality in self.modalities.items() if not isinstance(modality, Text)]
        if not drawn:
            raise TypeError("a sentence has no mean: `vaecore.load(RUN)` and `vaecore sentences sample` draw words.")
        prior = self.prior(None if covariate is None else {COVARIATE: covariate})
        if not prior:
            raise NoPrior("This model has no prior to sample from: its decoder needs codes of observations. Fit one to "
                          "them, by `vaecore fit-prior RUN`, or take a family with a prior, such as vae.")
        codes = {name: p.sample(count, generator) for name, p in prior.items()}
        parts = [self.decode({name: z[rows] for name, z in codes.items()})
                 for rows in torch.split(torch.arange(count), self.at_once(500))]
        return {name: torch.cat([part[name].mean for part in parts]) for name in drawn}

    def codes(self, count: int, generator: torch.Generator | None = None) -> Tensor | None:
        """Codes (count, r) by the law that the model gives them where it is no `prior` of a bound; None without one."""
        return None

    def begin(self, train: Callable[[int], Batch]) -> None:
        """Take what the model needs of the training set before its first step: `train(n)` are n random observations."""

    def calibrate(self) -> None:
        """Bring up to date what evaluation needs and steps do not keep, as a log normaliser; before each evaluation.

        The same weights give the same result, and it never learns from data.
        """

    def normaliser(self) -> tuple[float, float] | None:
        """log Z in nats and its standard error, as of the last `calibrate`; None where no density has one."""
        return None

    def auxiliaries(self) -> dict[str, Auxiliary]:
        """Networks inside that learn by a loss of their own, by name."""
        return {}

    @property
    def importance_samples(self) -> int:
        """Codes of each observation in the importance-weighted bound that training maximises; 0 where it is the ELBO.

        The `bound` of an objective is that bound then.
        """
        return 0

    def divergence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                   ) -> Tensor | None:
        """What the objective charges in place of the KL, a scalar in nats; None where that is the KL."""
        return None

    @property
    @abstractmethod
    def latents(self) -> dict[str, int]:
        """Latent names and their sizes r."""

    @abstractmethod
    def encode(self, batch: Batch) -> dict[str, Posterior]:
        """q(z|x) a latent."""

    @abstractmethod
    def decode(self, z: Mapping[str, Tensor]) -> dict[str, Observation]:
        """p(x|z) a modality, from codes (B, r) a latent."""

    @abstractmethod
    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        """The terms of equation (9) for a batch whose posteriors are known."""

    def elbo(self, batch: Batch | Tensor | Sequence[Tensor], generator: torch.Generator | None = None) -> Evidence:
        """The terms of equation (9) for a batch, which may be given as in `forward`."""
        batch = self.as_batch(batch)
        return self.evidence(batch, self.encode(batch), generator)

    def objective(self, batch: Batch, generator: torch.Generator | None = None) -> Objective:
        """What training minimises; one ELBO unless a family says otherwise."""
        posteriors = self.encode(batch)
        return Objective([(1.0, self.evidence(batch, posteriors, generator))],
                         divergence=self.divergence(batch, posteriors, generator))

    def errors(self, batch: Batch, posteriors: Mapping[str, Posterior]) -> dict[str, Tensor]:
        """Squared error of the decoded posterior mean, per observed number: (B,) a modality; a text has none."""
        decoded = self.decode({name: posterior.mean for name, posterior in posteriors.items()})
        return {name: (p.mean - batch[name]).square().flatten(1).mean(1) for name, p in decoded.items()
                if not isinstance(self.modalities[name], Text)}

    def at_step(self, step: int, total: int) -> None:
        """Told before each training step which one of `total` it is, for families whose objective changes with it.

        What a model is in evaluation never depends on it.
        """

    def varies(self, total: int) -> str:
        """What Python decides anew at each of `total` training steps, in words; empty where one stands for all."""
        return ""

    def inference_parameters(self) -> list[nn.Parameter]:
        """phi, the parameters of q(z|x); all others are theta, those of p(x|z)."""
        return [p for name, p in self.named_parameters() if name.startswith("encoder.")]

    def decoder_tensors(self) -> set[str]:
        """What makes p(x|z) of a code, by its names in `state_dict`: what a fork may begin anew."""
        return {name for name in self.state_dict() if name.partition(".")[0] in DECODER}

    def at_once(self, most: int) -> int:
        """How many codes to decode together: `most`, or fewer where that would take more than 80 MB of numbers."""
        return max(1, min(most, NUMBERS_AT_ONCE // sum(m.decoded_size for m in self.modalities.values())))

    def fit(self, train: Batch) -> bool:
        """Solve in closed form on the whole training set (N, *shape); False where there is none."""
        return False

    @property
    def sampling_passes(self) -> int:
        """Passes through the network that one sample takes, one after another."""
        return 1

    @property
    def inference_passes(self) -> int:
        """Passes that take an observation to its code, or to log p(x) where there is no code."""
        return 1

    @property
    def parameter_count(self) -> int:
        """Numbers learned, in closed form or by gradient."""
        return sum(p.numel() for p in self.parameters())


class ModelConfig(Strict):
    """A choice of family. A family is one subclass in one file, with `family` as its tag."""

    title: ClassVar[str]  # what a person calls it
    has_kl: ClassVar[bool] = True  # whether there is a KL from a prior, hence a bound on log p(x)
    reads: ClassVar[tuple[type[Modality], ...]] = (Image, Vector)
    multimodal: ClassVar[bool] = False  # whether it models several modalities, or exactly one
    exact: ClassVar[bool] = False  # whether the reconstruction is log p(x) itself
    closed_form: ClassVar[bool] = False  # whether it is solved at once: batch size, epochs and learning rate are unused
    equations: ClassVar[str] = ""  # by which numbers the lecture writes it down, as "5–16"
    likelihood_name: ClassVar[str] = ""  # of a family whose likelihood is not a choice
    approach: ClassVar[Approach | None] = None  # which of the lecture's four it is; None for one without p(x)
    usual: ClassVar[Literal["", "few", "many"]] = ""  # the first choice for what it reads: where rows are few, or not

    def scored_by(self) -> str:
        """The likelihood in words: numbers in nats compare only under the same."""
        return self.likelihood.tag if isinstance(self, ChoosesLikelihood) else self.likelihood_name

    def enough(self, modalities: Modalities, rows: int) -> None:
        """Raise `ConfigError` where `rows`, training observations that have every modality, cannot be learned from."""

    def unread(self, modalities: Modalities) -> set[str]:
        """Fields, dotted from here, that make no difference for these modalities as the others stand."""
        return set()

    @abstractmethod
    def build(self, modalities: Modalities, covariate: Modality | None = None) -> Family:
        """An untrained model for these modalities; raises `ConfigError` where they do not fit.

        `covariate` is what the data set has to condition a prior on; most families have no use for it.
        """


def show_choice(module: type[Family]) -> None:
    """Give a family's module the docstring of its choice, whose fields are keywords of the module: for `help()`."""
    given = get_type_hints(module.__init__)["config"]
    [choice] = [kind for kind in (get_args(given) or [given]) if kind is not type(None)]
    what, _, fields = inspect.cleandoc(choice.__doc__ or choice.title).partition(FIELDS)
    own = inspect.cleandoc(module.__dict__.get("__doc__") or "")
    if module.choice is not None:  # a part of the configuration whose fields are keywords as well
        fields = f"{inspect.cleandoc(module.choice.__doc__ or '').partition(FIELDS)[2].strip()}\n{fields.strip()}"
    shared = "family" not in choice.model_fields  # what several families have in common: no words about this one
    cited = choice.equations and f"Equations of the lecture: {choice.equations}."
    parts = ["" if shared else what.strip(), own, cited,
             f"Keywords, or fields of a `{choice.__name__}`:", fields.strip()]
    module.__doc__ = "\n\n".join(filter(None, parts)) + "\n"


C = TypeVar("C", bound=ModelConfig)


def described(choice: type[C], config: C | None, fields: Mapping[str, Any],
              modalities: Given) -> tuple[C, dict[str, Modality]]:
    """What a family is built from, however it was said: `VAE((1, 28, 28), latent_size=10)` or with a `VAEConfig`.

    A shape says by its axes what it is of: (D,) numbers, (C, H, W) an image, (T, D) or (T, C, H, W) a clip. Raises
    `ConfigError` for fields and modalities that the family does not have.
    """
    if config is not None and fields:
        raise problem(next(iter(fields)), next(iter(fields.values())), "a whole configuration is given as well.",
                      f"Give a {choice.__name__} or its fields, not both.")
    config = parse(choice, dict(fields)) if config is None else config
    if isinstance(modalities, Mapping):
        found = {name: _modality(given) for name, given in modalities.items()}
    else:
        found = {(only := _modality(modalities)).kind: only}
    if len(found) != 1 and not choice.multimodal:
        raise problem("modalities", list(found), f"{choice.title} models one, and {len(found)} are given.",
                      "Give one shape.")
    for name, modality in found.items():
        if not isinstance(modality, choice.reads):
            raise problem("modalities", modality.kind, f"{choice.title} reads no {modality.plural}, and {name} is "
                          f"{modality.article}.",
                          f"Use {' or '.join(kind.plural for kind in choice.reads)}.")
    return config, found


def _modality(given: Modality | Shape) -> Modality:
    if isinstance(given, Modality):
        return given
    if len(given) not in KIND_BY_AXES:
        raise problem("modalities", given, f"an observation of shape {tuple(given)} is nothing that a family reads.",
                      "Use (D,), (C, H, W), (T, D) or (T, C, H, W), or a Modality.")
    return Modality(KIND_BY_AXES[len(given)], tuple(given))


def only_modality(modalities: Modalities) -> tuple[str, Modality]:
    """The only modality of a family of one, with its name."""
    [(name, modality)] = modalities.items()
    return name, modality


class Autoencoding(Family):
    """A family with one modality and one deterministic code: no KL, the reconstruction is the objective.

    Where a prior was fitted to its codes afterwards it can be sampled from; log p(x) it has none, as a code is a point.
    """

    point_codes: ClassVar[bool] = True

    def __init__(self, modalities: Modalities, latent_size: int, prior: PriorConfig | None = None) -> None:
        super().__init__(modalities)
        self.modality, self.shape = only_modality(modalities)
        self.latent_size = latent_size
        self.latent_prior = Fitted(latent_size, prior) if isinstance(prior, FittedConfig) else None

    def prior(self, batch: Batch | None = None) -> dict[str, Density]:
        return {} if self.latent_prior is None else {"z": self.latent_prior.density}

    @property
    def latents(self) -> dict[str, int]:
        return {"z": self.latent_size}

    @abstractmethod
    def code(self, x: Tensor) -> Tensor:
        """The encoding, (B, *shape) -> (B, r)."""

    def encode(self, batch: Batch) -> dict[str, Posterior]:
        return {"z": Point(self.code(batch[self.modality]))}

    def evidence(self, batch: Batch, posteriors: Mapping[str, Posterior], generator: torch.Generator | None = None
                 ) -> Evidence:
        z = {name: posterior.mean for name, posterior in posteriors.items()}
        return Evidence({name: p.log_prob(batch[name]) for name, p in self.decode(z).items()}, {})
