"""The hand's pure functions, called in a browser: seeded numbers, the walk, draws of p(x|z), and a code that moves."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest

from pages.components.hand import Direction, pack
from tests.browser.conftest import Call
from vaecore.explore.exported import as_csv
from vaecore.explore.told import Travelling

WALK = "hand/walk.js"
POSITION = "hand/position.js"


def mulberry32(seed: int, count: int) -> list[float]:
    """The generator as its author wrote it down, in arithmetic modulo 2^32; the middle of each of its steps."""
    state, found = seed & 0xFFFFFFFF, []
    for _ in range(count):
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = ((state ^ state >> 15) * (1 | state)) & 0xFFFFFFFF
        t = (t + ((t ^ t >> 7) * (61 | t) & 0xFFFFFFFF) & 0xFFFFFFFF) ^ t
        found.append(((t ^ t >> 14) + 0.5) / 2**32)
    return found


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**31 - 1])
def test_uniform_numbers_are_those_of_mulberry32(call: Call, seed: int) -> None:
    assert call("lib/random.js", "s => [...m.uniforms(s, 5)]", seed) == pytest.approx(mulberry32(seed, 5), abs=1e-12)


def test_normal_numbers_are_normal_and_the_seeds_own(call: Call) -> None:
    drawn = np.array(call("lib/random.js", "() => Array.from({ length: 400 }, (_, s) => [...m.normals(s, 25)])"))
    u = mulberry32(7, 2)
    assert drawn[7, 0] == pytest.approx(math.sqrt(-2 * math.log(u[0])) * math.cos(2 * math.pi * u[1]))
    assert abs(drawn.mean()) < 0.04 and drawn.std() == pytest.approx(1, abs=0.03)
    kurtosis = float(((drawn / drawn.std())**4).mean())
    assert kurtosis == pytest.approx(3, abs=0.2)
    assert np.abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.04, "neighbouring seeds have no bond"


# -- the walk ----------------------------------------------------------------------------------------


def test_a_walk_stays_in_the_prior_and_is_smooth(call: Call) -> None:
    """At all times of variance 1; in a tenth of a second it moves little; the same seed takes the same way."""
    places = np.array(call(WALK, "() => { const w = m.gaussianWalk(3, 200); "
                           "return [0, 0.1, 50, 5000].map(t => [...w(t)]); }"))
    for place in places:
        assert abs(place.mean()) < 0.25 and place.std() == pytest.approx(1, abs=0.15)
    assert np.abs(places[1] - places[0]).max() < 0.15
    assert np.abs(np.corrcoef(places[0], places[2])[0, 1]) < 0.25, "it goes far"
    assert call(WALK, "() => [...m.gaussianWalk(3, 200)(50)]") == places[2].tolist()
    assert call(WALK, "() => [...m.gaussianWalk(4, 200)(50)]") != places[2].tolist()
    assert call(WALK, "() => [...m.gaussianWalk(3, 200)(50, 0.5)]") == pytest.approx((places[2] / 2).tolist(), abs=1e-6)


def test_a_walk_through_drawn_codes_passes_them_without_a_kink(call: Call) -> None:
    bank = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    way = np.array(call(WALK, "b => { const w = m.bankWalk(5, Float32Array.from(b), 3, new Float32Array(24)); "
                        "return Array.from({ length: 401 }, (_, i) => [...w(i / 20)]); }", bank.ravel().tolist()))
    for passed in way[::80]:  # every four seconds
        assert np.abs(bank - passed).max(1).min() < 1e-5, "one of the codes"
    steps = np.diff(way, axis=0)
    assert np.abs(np.diff(steps, axis=0)).max() < 0.02, "it turns gently, at the codes too"
    far = call(WALK, "b => { const w = m.bankWalk(2 ** 31 - 2, Float32Array.from(b), 3, new Float32Array(24)); "
               "return [0, 4, 8, 12, 16, 20].map(t => [...w(t)]); }", bank.ravel().tolist())
    assert len({tuple(code) for code in far}) > 2, "under the largest seed it does not stand still"


def test_a_seed_is_a_draw(call: Call) -> None:
    assert call(WALK, "() => [...m.drawn(9, 3, null)]") == pytest.approx(
        call("lib/random.js", "() => [...m.normals(9, 3)]"), abs=1e-6)
    assert call(WALK, "() => [...m.drawn(5, 2, Float32Array.of(0, 1, 2, 3, 4, 5), new Float32Array(6))]") == [4, 5]
    assert call(WALK, "() => [...m.drawn(1, 2, Float32Array.of(0, 0, 4, 4), Float32Array.of(0, 0, 2, 6), 0.5)]") == [
        3, 5], "half as far from the mean of its own Gaussian"


# -- draws of p(x|z) ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("law", "mean", "sigma"), [("bernoulli", 0.3, None), ("gaussian", 0.5, 0.1),
                                                    ("laplace", 0.5, 0.08), ("logistic", 0.5, 0.1)])
def test_a_draw_has_the_mean_and_spread_of_its_law(call: Call, law: str, mean: float, sigma: float | None) -> None:
    draw = f"""seed => [...m.drawing("{law}", seed, true)(new Float32Array(4000).fill({mean}),
                                                         new Float32Array(4000).fill({sigma or 0}))]"""
    drawn = np.array(call("hand/draws.js", draw, 1))
    wanted = math.sqrt(mean * (1 - mean)) if sigma is None else sigma
    assert drawn.mean() == pytest.approx(mean, abs=0.02) and drawn.std() == pytest.approx(wanted, rel=0.08)
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert call("hand/draws.js", draw, 1) == drawn.tolist() != call("hand/draws.js", draw, 2)
    if law == "bernoulli":
        assert set(drawn) == {0, 1}
    if law == "laplace":
        assert np.abs(drawn - mean).mean() == pytest.approx(sigma / math.sqrt(2), rel=0.08)
    if law == "logistic":
        np.testing.assert_allclose(drawn * 255, np.round(drawn * 255), atol=1e-4)


def test_a_draw_of_a_label_is_one_class_by_its_chance(call: Call) -> None:
    drawn = np.array(call("hand/draws.js", """() => Array.from({ length: 600 }, (_, seed) =>
      [...m.drawing("categorical", seed, false)(Float32Array.of(0.2, 0.5, 0.3))])"""))
    assert (drawn.sum(1) == 1).all()
    np.testing.assert_allclose(drawn.mean(0), [0.2, 0.5, 0.3], atol=0.06)
    assert call("hand/draws.js", "() => m.drawing(null, 1, false)") is None


# -- a code that moves -------------------------------------------------------------------------------


def moved(call: Call, script: str, directions: str = "[]") -> Any:
    return call(POSITION, f"""() => {{
      const p = new m.Position(4, {directions});
      const units = () => [...p.units].map(x => Math.round(1000 * x) / 1000);
      {script}
    }}""")


def test_a_direction_moves_the_code_and_leads_back(call: Call) -> None:
    found = moved(call, """
      const [d] = p.directions;
      p.place(0, 1);
      p.lock(3, true);
      p.along(d, 2);
      const there = units();
      p.along(d, -1);
      const other = units();
      p.along(d, 0);
      return [there, other, units(), [...p.amounts.values()]];""",
                  '[{ name: "smile", vector: Float32Array.of(0.5, 0, -1, 1) }]')
    assert found == [[2, 0, -2, 0], [0.5, 0, 1, 0], [1, 0, 0, 0], [0]]


def test_a_far_code_widens_its_slider_and_ends_stop_a_hand(call: Call) -> None:
    found = moved(call, """
      p.set([4.2, 0, 0, 0]);
      p.move(1, 9);
      p.move(0, 9);
      return [units(), [...p.reach]];""")
    assert found == [[5, 3, 0, 0], [5, 3, 3, 3]]


def test_locks_and_links_of_an_address(call: Call) -> None:
    found = moved(call, """
      p.lockText = "2,0,99,x,-1";
      p.linkText = "1,-3,-0,77,<b>";
      p.move(1, 1);
      p.set([9, 9, 9, 9]);
      return [units(), p.lockText, p.linkText, p.standsAt([0, 9, 0, 9]), p.standsAt([0, 8, 0, 9])];""")
    assert found == [[0, 9, 0, 9], "0,2", "-0,1,-3", True, False], "and what is no dimension is left out"


def test_the_hand_reads_what_is_packed(call: Call) -> None:
    rng = np.random.default_rng(0)
    latents = [{"name": "a", "size": 2}, {"name": "b", "size": 1}]
    modalities = [{"name": "x", "kind": "image", "shape": [1, 2, 3]}, {"name": "y", "kind": "vector", "shape": [4]},
                  {"name": "t", "kind": "text", "shape": [5]}]
    codes, bank = rng.standard_normal((3, 3)).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32)
    originals = {"x": rng.integers(0, 256, (3, 1, 2, 3)).astype(np.uint8),
                 "y": rng.standard_normal((3, 4)).astype(np.float32)}
    travelling = Travelling(codes, originals, bank, -bank, True, "")
    message = pack({"run": "ü", "latents": latents, "modalities": modalities}, travelling,
                   [Direction("up", "b", np.array([2.0]), "higher")])
    read = call("hand/hand.js", """e => {
      const d = m.decode(Uint8Array.from(atob(e), c => c.charCodeAt(0)));
      return [d.run, d.size, [...d.codes], [...d.bank], [...d.centres], [...d.directions[0].vector], [...d.originals.x],
        [...d.originals.y], d.latents.map(l => l.offset)];
    }""", base64.b64encode(message).decode())
    assert read == ["ü", 3, codes.ravel().tolist(), bank.ravel().tolist(), (-bank).ravel().tolist(), [0, 0, 2],
                    originals["x"].ravel().tolist(), originals["y"].ravel().tolist(), [0, 2]]


def test_originals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.explore.told.MOST_ORIGINALS", 100)
    told = {"latents": [{"name": "z", "size": 2}], "modalities": [{"name": "x", "shape": [1, 5, 5]}]}
    originals = {"x": np.zeros((9, 1, 5, 5), np.uint8)}
    message = pack(told, Travelling(np.zeros((9, 2), np.float32), originals, None, None, True, ""))
    length = int.from_bytes(message[:4], "little")
    assert b'"examples":4' in message[4:4 + length] and len(message) == 4 + length + 4 * (8 + 25)


def test_a_table_runs_nothing_in_a_spreadsheet(call: Call) -> None:
    """As Python's own, `explore/exported.py`."""
    names = ["=cmd|' /C calc'!A0", "-x", "+me", "@a", "\tb", "plain", 'b, "c"']
    text = call("hand/taking.js", "names => m.asCsv({ names, centre: [], scale: [] }, names.map(() => -1.5))", names)
    assert text == as_csv(names, np.full((1, len(names)), -1.5))
