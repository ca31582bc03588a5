"""Densities and classes of codes in the browser are those of Python."""

import base64

import numpy as np
import torch

from tests.browser.conftest import Call
from vaecore.explore.seen import of_posteriors, word
from vaecore.probability.gaussian import DiagonalGaussian

ASK = """({ bytes, codes }) => {
  const seen = m.parse(Uint8Array.from(atob(bytes), c => c.charCodeAt(0)));
  return codes.map(z => [seen.logDensity(z), seen.unusual(z), [...seen.classes(z)], seen.word(seen.unusual(z))]);
}"""


def test_density_unusual_classes_and_words_are_those_of_python(call: Call) -> None:
    generator = torch.Generator().manual_seed(0)
    q = DiagonalGaussian(torch.randn(400, 3, generator=generator), torch.rand(400, 3, generator=generator) - 3)
    labels = np.arange(400) % 5 - 1  # every fifth without a label
    seen = of_posteriors(q, labels, tuple("abcd"), "four hundred")
    codes = (2 * torch.randn(50, 3, generator=generator)).numpy()
    told = call("lib/density.js", ASK, {"bytes": base64.b64encode(seen.packed()).decode(), "codes": codes.tolist()})
    np.testing.assert_allclose([row[0] for row in told], seen.log_density(codes), atol=1e-4)
    np.testing.assert_allclose([row[1] for row in told], seen.unusual(codes), atol=1e-9)
    np.testing.assert_allclose([row[2] for row in told], seen.classes(codes), atol=1e-4)
    assert [row[3] for row in told] == [word(share) for share in seen.unusual(codes)]


def test_what_lies_far_from_all_data_is_drawn_faintly(call: Call) -> None:
    assert call("lib/density.js", "shares => shares.map(m.strength)", [0, 0.9, 1]) == [1, 1, 0.18]
    middle = call("lib/density.js", "m.strength", 0.95)
    assert 0.18 < middle < 1
