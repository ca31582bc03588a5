"""The fields of a record, each declared once under its key: columns of the page's table and of `vaecore runs`, words of
queries, of `--json` and of the address are these keys. No torch.

A number says what it is: exact, a bound, an estimate, or no log p at all. Numbers of unlike kinds have fields of their
own: a bound is never in one column with log p(x). What an evaluation found is declared in its part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from vaecore.evaluate.meaning import ACTIVE, PERPLEXITY, Kind
from vaecore.evaluate.parts.coherence import Coherence
from vaecore.evaluate.parts.cost import Cost
from vaecore.evaluate.parts.disentanglement import Disentanglement
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.probe import Probe
from vaecore.evaluate.parts.reconstruction import Reconstruction
from vaecore.evaluate.parts.samples import Samples
from vaecore.evaluate.results import UNSET, Better, of

Sort = Literal["text", "words", "number", "whole", "seconds", "date", "flag"]


@dataclass(frozen=True)
class Field:
    """A field of a record: what it is called, how its values read, and what a number is."""

    key: str
    title: str
    help: str = ""
    sort: Sort = "text"  # of its values; "words" are several
    unit: str = ""
    digits: int | None = None  # after the point
    better: Better = ""
    kind: Kind | Literal[""] = ""  # of a number in nats: exact, a bound, an estimate, no log p
    evaluated: bool = False  # found by an evaluation, and so by its settings
    compares: Literal["", "data", "likelihood"] = ""  # only among runs of the same data, and under one likelihood

    @property
    def numeric(self) -> bool:
        """Whether values of the field are numbers."""
        return self.sort in ("number", "whole", "seconds")

    def said(self, value: Any) -> str:
        """A value as a person reads it."""
        if value is None or value == "" or value == () or (isinstance(value, float) and math.isnan(value)):
            return UNSET
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%d %H:%M")
        if isinstance(value, tuple | list):
            return ", ".join(map(str, value))
        if self.unit == "share" and isinstance(value, int | float):
            return f"{value:.1%}"
        if isinstance(value, int):
            return f"{value:,}"
        if isinstance(value, float):
            return (f"{value:,.{self.digits}f}" if self.digits is not None else f"{value:,.4g}").replace("-", "−")
        return str(value)


def _text(key: str, title: str, help: str, sort: Sort = "text") -> Field:
    return Field(key, title, help, sort)


def _declared(key: str, model: type[BaseModel], name: str, title: str = "", **change: Any) -> Field:
    """A number as it is declared in a part of an evaluation."""
    found = of(model, name)
    told: dict[str, Any] = {"unit": found.unit, "digits": found.digits, "better": found.better, "compares": "data",
                            "help": found.help, **change}
    if told["digits"] is None:
        told["digits"] = 2 if found.unit == "nats" else 3
    return Field(key, title or found.title, sort="number", evaluated=True, **told)


WORDS = (
    _text("id", "Run", "The run's folder; it never changes. gallery/… came with the project."),
    _text("title", "Name", "What the run is called; its id where nobody named it."),
    _text("state", "State", "What it is doing: new, queued, running, finished, failed, stopped, lost, unknown, or "
          "unreadable."),
    _text("family", "Family", "Kind of model."),
    _text("data", "Data", "Data set."),
    _text("changed", "Changed", "What differs from its preset, in short words."),
    _text("preset", "Preset", "The preset of its family and data that it differs from least."),
    Field("seed", "Seed", "Seed of the weights, the order of the data and the sampling noise.", "whole"),
    Field("latents", "r", "Dimensions of the latent code.", "whole"),
)
NUMBERS: dict[str, Field] = {each.key: each for each in (
    Field("elbo", "ELBO", "Nats per observation, test set: log p(x|z) less KL, a lower bound on log p(x), or on log "
          "p(x|u) where the prior reads u; of families with a KL.", "number", "nats", 2, "higher", "bound",
          compares="likelihood"),
    Field("log_p", "log p(x)", "Nats per observation, whole test set, of families that know it themselves. Home and "
          "Families have it over the observations of an evaluation.", "number", "nats", 2, "higher", "exact",
          compares="likelihood"),
    Field("log_p_given_z", "log p(x|z)", "Nats per observation, test set, at the code of each: no bound on log p(x), "
          "of families without a prior.", "number", "nats", 2, "higher", "no log p", compares="likelihood"),
    Field("reconstruction", "Reconstruction", "E log p(x|z) in nats per observation, test set: ELBO without its KL.",
          "number", "nats", 2, "higher", "no log p", compares="likelihood"),
    Field("kl", "KL", "Nats per observation, test set, of q(z|x) from the prior: what the code costs.", "number",
          "nats", 2, compares="likelihood"),
    _declared("log_p_is", Likelihood, "log_likelihood", "log p(x) by IS", kind="estimate", better="higher",
              compares="likelihood",
              help="Nats per observation, by importance sampling with K samples: an estimate from below that rises "
                   "with K; of log p(x|u) where the prior reads u."),
    _declared("bits", Likelihood, "bits_per_dimension", compares="likelihood"),
    Field("mse", "MSE", "Mean squared error of the reconstruction, test set, for each pixel or number.", "number",
          digits=5, better="lower", compares="data"),
    Field("perplexity", "Perplexity", PERPLEXITY, "number", "", 2, "lower", compares="data"),
    Field("active", "Active", ACTIVE, "whole"),
    _declared("frechet", Samples, "frechet", "Fréchet", better="lower"),
    _declared("precision", Samples, "precision", better="higher"),
    _declared("recall", Samples, "recall", better="higher"),
    _declared("probe", Probe, "accuracy", "Probe", better="higher"),
    _declared("psnr", Reconstruction, "psnr", "PSNR"),
    _declared("ssim", Reconstruction, "ssim", "SSIM", better="higher"),
    Field("coherence", "Coherence", "Of what is generated in one modality from another alone, the share that a judge "
          "finds to be of the right class: a mean over all directions.", "number", "share", 3, "higher", evaluated=True,
          compares="data"),
    _declared("joint_coherence", Coherence, "joint", "Joint coherence", better="higher"),
    _declared("mig", Disentanglement, "mig", better="higher"),
    _declared("sap", Disentanglement, "sap", better="higher"),
    _declared("beta_vae", Disentanglement, "beta_vae", better="higher"),
    _declared("mcc", Disentanglement, "mcc", better="higher"),
    Field("ssim_clips", "SSIM of clips", "Structural similarity of predicted frames to the true ones: of the best of "
          "the futures of each clip.", "number", "", 3, "higher", evaluated=True, compares="data"),
    Field("psnr_clips", "PSNR of clips", "Of predicted frames: of the best of the futures of each clip.", "number",
          "dB", 2, "higher", evaluated=True, compares="data"),
    _declared("infer_seconds", Cost, "inference_seconds", "Infer", digits=6, compares=""),
    _declared("sample_seconds", Cost, "sampling_seconds", "Sample", digits=6, compares=""),
)}
FACTS = (
    Field("steps", "Steps", "Updates of the weights; 0 where solved in closed form.", "whole"),
    Field("epochs", "Epochs", "Passes over the training set.", "number", digits=1),
    Field("parameters", "Parameters", "Numbers learned from the data.", "whole"),
    Field("seconds", "Seconds", "Of training, evaluations included.", "seconds", "s", 1),
    _text("device", "Device", "Where it was trained."),
    _text("on", "Runs on", "Where it was last asked to run: here, in this machine's queue, or slurm, on a cluster."),
    Field("made", "Made", "When its configuration was written.", "date"),
    _text("parent", "Parent", "The run whose weights it began with."),
    _text("experiment", "Experiment", "The experiment or sweep that it belongs to."),
    _text("tags", "Tags", "Words that somebody gave it.", "words"),
    _text("note", "Note", "What somebody wrote about it."),
    Field("pinned", "Pinned", "Kept at the top.", "flag"),
    Field("archived", "Archived", "Put away: not listed unless it is asked for.", "flag"),
    _text("place", "Place", "Where it lies: own, gallery, or the name of another store."),
    _text("likelihood", "Likelihood", "The likelihood that scores its observations."),
)
FIELDS: dict[str, Field] = {each.key: each for each in (*WORDS, *NUMBERS.values(), *FACTS)}
