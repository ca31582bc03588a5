"""The numbers of a run, each with what it is and with whose it compares: of its training, and of its evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vaecore.evaluate.evaluation import Evaluation
from vaecore.evaluate.meaning import Kind
from vaecore.evaluate.parts.coherence import Coherence
from vaecore.evaluate.parts.cost import Cost
from vaecore.evaluate.parts.disentanglement import Disentanglement
from vaecore.evaluate.parts.likelihood import Likelihood
from vaecore.evaluate.parts.probe import Probe
from vaecore.evaluate.parts.reconstruction import Reconstructions
from vaecore.evaluate.parts.samples import Samples
from vaecore.evaluate.parts.video import Video
from vaecore.library.fields import NUMBERS
from vaecore.library.headline import Headline, sane


@dataclass(frozen=True)
class Found:
    """A number: its value, the ends of its interval, and the settings it was found with, in words.

    Two of one field compare only where their runs' data do, and their `setting` is the same.
    """

    value: float
    low: float | None = None
    high: float | None = None
    setting: str = ""
    kind: Kind | str = ""  # where it is another than its field says

    @property
    def half(self) -> float | None:
        """Half the width of its interval; None where it has none."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def numbers(facts: Headline, evaluations: Sequence[Evaluation]) -> dict[str, Found]:
    """Every number of a run by the key of its field, in the fields' order; what it has not is left out."""
    bound = {"ELBO": "elbo", "log p(x)": "log_p"}.get(facts.word, "log_p_given_z")
    told: dict[str, float | None] = {
        bound: facts.bound, "mse": facts.mse, "perplexity": facts.perplexity,
        **({"reconstruction": facts.reconstruction, "kl": facts.kl} if facts.has_kl else {}),
        **({"active": facts.active} if facts.has_code else {})}
    found = {key: Found(value) for key, value in told.items() if value is not None}
    newest = sorted(evaluations, key=lambda each: (each.split == "test", not each.partial))  # stable: the last counts
    for each in newest:
        found |= {key: number for key, number in _evaluated(each) if sane(number.value) is not None}
    if (exact := found.get("log_p")) and evaluations and (kind := evaluations[-1].meaning["evidence"].kind) != "exact":
        found["log_p"] = Found(exact.value, kind=kind)
    return {key: found[key] for key in NUMBERS if key in found}


def _evaluated(facts: Evaluation) -> Iterator[tuple[str, Found]]:
    """What an evaluation found, by the keys of fields."""
    if (like := facts.of(Likelihood)) and like.samples:
        low, high = like.interval or (None, None)
        setting = " · ".join([f"K = {like.samples:,}", like.depends(facts.split, facts.seed)])
        yield "log_p_is", Found(like.log_likelihood, low, high, setting, facts.meaning["likelihood"].kind)
    if like and like.bits_per_dimension is not None:
        yield "bits", Found(like.bits_per_dimension, setting=like.depends(facts.split, facts.seed))
    if drawn := facts.of(Samples):
        judge = " ".join(filter(None, (each[:8] for each in drawn.judge)))
        setting = f"{drawn.depends(facts.split, facts.seed)} · judge {judge or 'unknown'}"
        low, high = drawn.frechet_interval or (None, None)
        yield "frechet", Found(drawn.frechet, low, high, setting)
        yield "precision", Found(drawn.precision, setting=setting)
        yield "recall", Found(drawn.recall, setting=setting)
    if probe := facts.of(Probe):
        yield "probe", Found(probe.said, setting=probe.depends(facts.split, facts.seed))
    if (rebuilt := facts.of(Reconstructions)) and len(rebuilt.modalities) == 1:
        [one] = rebuilt.modalities.values()
        yield "psnr", Found(_number(one.psnr), setting=facts.split)
        yield "ssim", Found(_number(one.ssim), setting=facts.split)
    if across := facts.of(Coherence):
        setting = across.depends(facts.split, facts.seed)
        shares = [share for subset in across.subsets if len(subset.given) == 1
                  for name, share in subset.coherence.items() if name not in subset.given]
        if shares:
            yield "coherence", Found(sum(shares) / len(shares), setting=setting)
        yield "joint_coherence", Found(_number(across.joint), setting=setting)
    if factors := facts.of(Disentanglement):
        for each, score in factors.scores():
            if each.name != "mig_full":
                yield each.name, Found(score, setting=factors.depends(facts.split, facts.seed))
    if clips := facts.of(Video):
        yield from _of_clips(clips, facts)
    if cost := facts.of(Cost):
        setting = (f"{cost.processor[:60]} · {cost.threads or '?'} thread{'s' * (cost.threads != 1)} · "
                   f"{cost.together or '?'} at a time")
        yield "infer_seconds", Found(cost.inference_seconds, setting=setting)
        yield "sample_seconds", Found(_number(cost.sampling_seconds), setting=setting)


def _of_clips(clips: Video, facts: Evaluation) -> Iterator[tuple[str, Found]]:
    for name, key in (("ssim", "ssim_clips"), ("psnr", "psnr_clips")):
        curves = clips.metrics.get(name)
        if curves and curves.best_of:
            count, value = curves.best_of[-1]
            setting = f"best of {count} · {clips.depends(facts.split, facts.seed)}"
            yield key, Found(value, setting=setting)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
