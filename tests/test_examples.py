"""The examples run, with small settings, and stay as short as they are meant to be."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py"))
LONGEST = 30  # lines


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_read_at_a_glance(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text()
    assert len(text.splitlines()) <= LONGEST
    assert text.startswith('"""') and 'if __name__ == "__main__":\n    main(' in text


def test_train_and_look(tmp_path: Path) -> None:
    output = tmp_path / "look.png"
    elbo = example("train_and_look").main("vae-digits", str(output), epochs=2, store=tmp_path, silent=True)
    assert -45 < elbo < -20  # nats of 64 pixels; untrained it is log 2 a pixel, -44.4
    with Image.open(output) as image:
        assert image.size == (4 * (16 * 9 - 1), 4 * (3 * 9 - 1))  # three rows of 16 digits of 8 × 8, gaps between


def test_own_loop() -> None:
    import torch

    from vaecore.data.digits import Digits

    torch.manual_seed(0)
    first, second, third = example("own_loop").main(epochs=3, latent_size=4, data=Digits())
    assert first < second < third < 0


def test_one_from_another(tmp_path: Path) -> None:
    output = tmp_path / "sevens.png"
    assert example("one_from_another").main("7", 8, str(output)) > 0.9
    with Image.open(output) as image:
        assert image.size == (4 * (8 * 29 - 1), 4 * 28)


@pytest.mark.usefixtures("forgotten")
def test_own_dataset(tmp_path: Path) -> None:
    elbo = example("own_dataset").main(epochs=2, store=tmp_path, silent=True)
    assert -44.4 < elbo < -20  # nats of 64 pixels; untrained it is log 2 a pixel, -44.4
