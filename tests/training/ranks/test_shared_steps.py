"""Steps that processes share are those that one takes, of every family, divergence and prior."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed import Store

from tests.training.ranks.shared_steps import CASES
from vaecore.config import changed, preset
from vaecore.models import FAMILIES
from vaecore.schema import ConfigError
from vaecore.training.ranks.group import Ranks

SCRIPT = Path(__file__).with_name("shared_steps.py")
QUICK = ["vae", "vae, five samples", "vae, pixels drawn anew", "vae, free bits", "vae, implicit", "vae, aggressive",
         "vae, optimal variance", "mvae, some missing, optimal variance",
         "mmd, conditional mixture", "sliced, vamp", "critic", "rbm, cd", "sentence vae, aggressive",
         "mvae", "mvae, some missing", "mopoe, texts", "dmvae", "svg, learned prior, states", "svg, fed back",
         "sv2p, fed back", "wasserstein of clips"]
APART = 1e-4  # of how far the numbers moved; single precision keeps 1e-7 of a number, steps are small beside them
TERMS = 1e-4  # relative


def shared(folder: Path, names: Sequence[str], size: int = 2) -> dict[str, dict[str, Any]]:
    """What came of these cases, in as many processes; all meet once."""
    env = {**os.environ, "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "GLOO_SOCKET_IFNAME": "lo",
           "VAECORE_RENDEZVOUS": str(folder / "store"), "PYTHONPATH": str(Path(__file__).parents[3])}
    ranks = [subprocess.Popen([sys.executable, str(SCRIPT), str(folder / "found"), *names], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)})
             for rank in range(size)]
    try:
        for rank in ranks:
            said, _ = rank.communicate(timeout=1_800)
            assert rank.returncode == 0, said.decode()[-2_000:]
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    lines = [json.loads(line) for line in (folder / "found").read_text().splitlines()]
    return {line["case"]: line for line in lines}


def check(found: dict[str, Any]) -> None:
    assert "refused" not in found, found
    assert found["moved"] > 1e-4, found
    assert found["apart"] < APART * max(found["moved"], 1e-2), found
    assert found["terms"] < TERMS, found
    assert found["generator"], "the generators of one process and of several have drawn differently"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return shared(tmp_path_factory.mktemp("ranks"), QUICK)


@pytest.mark.parametrize("name", QUICK)
def test_two_processes_take_the_steps_of_one(name: str, quick: dict[str, dict[str, Any]]) -> None:
    check(quick[name])


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_so_they_do_of_everything_that_takes_steps(size: int, tmp_path: Path) -> None:
    for found in shared(tmp_path, list(CASES), size).values():
        check(found)


def test_every_family_with_steps_is_tried() -> None:
    tried = {changed(preset(name), settings).model.family for name, settings in CASES.values()}
    assert tried == {name for name, family in FAMILIES.items() if not family.closed_form}


def test_too_few_rows_for_so_many_processes_are_refused_in_words() -> None:
    with pytest.raises(ConfigError, match=r"training\.batch_size.*Use at least 3, or at most 2 processes"):
        Ranks(0, 3, 1, torch.device("cpu"), Store()).part(2)


@pytest.mark.parametrize(("count", "size"), [(7, 2), (64, 3), (5, 5)])
def test_parts_are_all_rows_in_order_and_as_equal_as_can_be(count: int, size: int) -> None:
    parts = [Ranks(rank, size, 1, torch.device("cpu"), Store()).part(count) for rank in range(size)]
    rows = torch.arange(3 * count).view(-1, 1)  # three a row, as of frames
    assert torch.equal(torch.cat([part.own(rows) for part in parts]), rows)
    assert max(part.length for part in parts) - min(part.length for part in parts) <= 1
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert parts[0].all_of(3 * parts[0].length) == 3 * count
