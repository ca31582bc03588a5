"""Judging a checkpoint on a whole split: its evidence, and how far the ELBO is from log p(x)."""

from vaecore.evaluate.latent_usage import diagnose
from vaecore.evaluate.likelihood import Likelihood, log_likelihood
from vaecore.evaluate.report import evaluate_run

__all__ = ["Likelihood", "diagnose", "evaluate_run", "log_likelihood"]
