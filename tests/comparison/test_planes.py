"""Rate, distortion, spectrum, active units: numbers of the files, groups that share a plane, words for the rest."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vaecore.charts.plane import DIMENSIONS, Spectrum, pack_spectra
from vaecore.comparison.planes import alike, table, title, uses
from vaecore.store import Run


def made(folder: Path, *, data: str = "digits", likelihood: str = "bernoulli", kl: Any = None, has_kl: bool = True,
         variance: Any = None, **test: object) -> Run:
    """A run of the numbers that `summary.json` gives it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({
        "data": {"name": data}, "model": {"family": "vae", "likelihood": {"kind": likelihood}}, "seed": 0}))
    (folder / "about.json").write_text(json.dumps({"has_kl": has_kl, "family": "VAE"}))
    told = {"elbo": -1.0, "reconstruction": {"image": -70.0}, "kl": {"z": kl or []},
            "code_variance": {"z": variance or []}, "code_mean": {"z": [0.0] * len(kl or [])}, **test}
    (folder / "summary.json").write_text(json.dumps({"data": data, "test": told}))
    return Run(folder)


def test_rate_distortion_and_spectrum_are_those_of_the_file(tmp_path: Path) -> None:
    run = made(tmp_path / "a", kl=[0.5, 3.0, 0.001, 1.5], variance=[0.2, 0.9, 0.005, 0.011], active=3)
    [use], left = uses([run])
    assert (use.rate, use.distortion, left) == (pytest.approx(5.001), 70.0, [])
    assert use.bound == pytest.approx(-75.001) and use.names == ("z1", "z3", "z0", "z2")
    assert use.kl == (3.0, 1.5, 0.5, 0.001) and use.size == 4
    assert [use.active(threshold) for threshold in (0.001, 0.01, 0.1, 0.95)] == [4, 3, 2, 0]
    assert [use.within(share) for share in (0.5, 0.9, 0.99, 1.0)] == [1, 3, 3, 4]
    row = table([use], 0.1).rows[0]
    assert (row["active"], row["size"], row["most"], row["elbo"]) == (2, 4, 3, use.bound)
    assert "0.1" in next(column.help for column in table([use], 0.1).columns if column.key == "active")


def test_units_that_a_moving_prior_counts_otherwise_are_not_counted_anew(tmp_path: Path) -> None:
    """There a code may vary and tell nothing: its count stands at the threshold it was made with, and at no other."""
    [use], _ = uses([made(tmp_path / "a", kl=[0.0, 2.0], variance=[1.0, 1.0], active=1)])
    assert use.active() == 1 and use.active(0.1) is None
    [old], _ = uses([made(tmp_path / "b", kl=[0.0, 2.0], active=1)])
    assert old.active() == 1 and old.active(0.1) is None, "made before variances were kept"


def test_families_without_a_rate_are_left_out_in_words(tmp_path: Path) -> None:
    runs = [made(tmp_path / "ae", has_kl=False, kl=None), made(tmp_path / "vae", kl=[1.0])]
    (tmp_path / "ae" / "summary.json").write_text(json.dumps({"test": {"elbo": -3, "reconstruction": {"x": -3}}}))
    waiting = made(tmp_path / "new", kl=[1.0])
    (tmp_path / "new" / "summary.json").unlink()
    found, left = uses([*runs, waiting])
    assert [use.run for use in found] == ["vae"]
    assert [each.run for each in left] == ["ae", "new"]
    assert "no KL" in left[0].why and "not been tested" in left[1].why


def test_a_latent_without_a_kl_by_dimension_has_no_spectrum(tmp_path: Path) -> None:
    run = made(tmp_path / "a", kl=[4.0], code_mean={"z": [0.0, 0.0, 0.0]}, variance=[1.0, 1.0, 0.0], active=2)
    [use], _ = uses([run])
    assert use.kl == () and use.rate == 4.0 and use.within(0.9) is None and use.active() == 2


def test_numbers_that_are_none_have_no_place(tmp_path: Path) -> None:
    found, left = uses([made(tmp_path / "a", kl=[math.inf, 1.0]), made(tmp_path / "b", kl=["x"])])
    assert found == [] and len(left) == 2


def test_runs_of_unlike_data_or_likelihood_are_never_in_one_plane(tmp_path: Path) -> None:
    runs = [made(tmp_path / "a", kl=[1.0]), made(tmp_path / "b", kl=[1.0], data="mnist"),
            made(tmp_path / "c", kl=[2.0]), made(tmp_path / "d", kl=[2.0], likelihood="gaussian")]
    groups = alike(uses(runs)[0])
    assert [[use.run for use in group] for group in groups] == [["a", "c"], ["b"], ["d"]]
    assert "gaussian" in title(groups[2]) and "mnist" in title(groups[1]).lower()


def test_spectra_are_packed_with_their_names() -> None:
    long = Spectrum("long", "long", [f"z{i}" for i in range(300)], np.linspace(3, 0, 300).tolist(), 290)
    sent = pack_spectra([Spectrum("a", "a", ["z1", "z0"], [2.0, 0.25], 2), long], places={"a": 3})
    length = int.from_bytes(sent[:4], "little")
    header = json.loads(sent[4:4 + length])
    assert (header["kind"], header["places"], header["xRange"]) == ("spectra", {"a": 3}, [0.5, DIMENSIONS + 0.5])
    assert [(each["points"], each["size"], each["active"]) for each in header["paths"]] == [(2, 2, 2), (256, 300, 290)]
    assert header["paths"][0]["names"] == ["z1", "z0"] and header["yRange"][1] > 3
    np.testing.assert_array_equal(np.frombuffer(sent, "<f4", 2, 4 + length), np.float32([2, 0.25]))
    with pytest.raises(ValueError, match="1 names"):
        pack_spectra([Spectrum("a", "a", ["z0"], [1.0, 2.0])])
