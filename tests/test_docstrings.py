"""What `help()` shows: the fields that a family declares, and first lines that say something out of their place."""

from __future__ import annotations

import pytest

import vaecore
from vaecore import models, schema
from vaecore.data import DATASETS
from vaecore.models import FAMILIES, Family

MODULES = [kind for name in models.__all__ if isinstance(kind := getattr(models, name), type)
           and issubclass(kind, Family) and kind is not Family]


@pytest.mark.parametrize("module", MODULES, ids=lambda kind: kind.__name__)
def test_help_of_a_family_shows_its_fields(module: type[Family]) -> None:
    words = module.__doc__ or ""
    first = words.split("\n")[0]
    assert len(first) > 15 and first[0].isupper() and first.endswith(".")
    [choice] = [name for name in dir(models) if f"fields of a `{name}`:" in words] or [""]
    declared = getattr(models, choice, None) or models.FAMILIES["svg-lp"].__mro__[1]  # shared by both priors
    for name, info in declared.model_fields.items():
        assert (f"- `{name}`: {info.description}" in words) == bool(info.description), name


def test_the_words_of_a_field_are_its_declaration() -> None:
    words = vaecore.VAE.__doc__ or ""
    assert "- `latent_size`: Size r of the latent z. In dimensions. Default 20, at least 1, at most 4,096.\n" in words
    assert "\n\nEquations of the lecture: 5–16.\n\n" in words
    assert "- `network`: Encoder and decoder. One of conv, resconv, mlp, linear. Default conv.\n" in words
    choice = vaecore.VAEConfig.__doc__ or ""
    assert choice.startswith("A variational autoencoder.\n\nFields:\n\n- `latent_size`: Size r of the latent z.")


@pytest.mark.parametrize("choice", [*FAMILIES.values(), *DATASETS.values()], ids=lambda kind: kind.__name__)
def test_help_of_a_choice_shows_its_fields(choice: type[schema.Strict]) -> None:
    assert (choice.__doc__ or "").count("\n- `") == sum(bool(info.description) for info in choice.model_fields.values())
