"""The route to lines of a comparison: what it answers, at which steps, and what it refuses."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette

from pages.components import same_routes
from tests.asking import Answer, ask
from vaecore import memory
from vaecore.explore import Checkpoint
from vaecore.explore.same import codes_same
from vaecore.store import Run, Store

GALLERY = Path(__file__).parents[3] / "trained" / "gallery"


def get(address: str, **headers: str) -> Answer:
    """What the route answers."""
    return ask(Starlette(routes=same_routes.routes()), address, **headers)


@pytest.fixture(autouse=True)
def kept(root: Path) -> None:
    """The VAE of the store has kept its weights at step 10."""
    memory.pool.forget()
    shutil.copytree(GALLERY / "mvae", root / "gallery" / "mvae")
    path = root / "runs" / "vae"
    shutil.rmtree(path / "kept", ignore_errors=True)
    (path / "kept").mkdir()
    shutil.copy(path / "weights.safetensors", path / "kept" / "step-00000010.safetensors")


def read(content: bytes) -> list[tuple[dict[str, Any], np.ndarray | None]]:
    """Each step's header and its pictures (N, H, W)."""
    length = int.from_bytes(content[:4], "little")
    at, found = 4 + length, []
    for told in json.loads(content[4:at])["strips"]:
        png, at = content[at:at + told["bytes"]], at + told["bytes"]
        strip = np.asarray(Image.open(io.BytesIO(png))) if png else None
        found.append((told, strip if strip is None else np.stack(np.split(strip, told["count"], 1))))
    return found


def test_pictures_are_those_of_the_checkpoint(root: Path) -> None:
    model = Checkpoint.load(Store(root).find("runs/vae"))
    [(told, pictures)] = read(get("/same/noise/vae?n=4&seed=3").content)
    np.testing.assert_array_equal(pictures, model.decode(codes_same(model, model.order, 4, seed=3)))
    assert told["step"] is None and (told["width"], told["height"], told["count"]) == (8, 8, 4)
    [(_, originals)] = read(get("/same/original/vae?of=vae&n=3&seed=0").content)
    np.testing.assert_array_equal(originals, model.originals(slice(3)))


def test_each_of_the_weights_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, draw = list[Any](), same_routes._strip
    monkeypatch.setattr(same_routes, "_strip", lambda *told: drawn.append(told) or draw(*told))
    answer = get("/same/data/vae?of=ae&n=2&seed=0&at=10,11,12,last")
    assert [told["step"] for told, _ in read(answer.content)] == [10, None]
    assert get("/same/data/vae?of=ae&n=2&seed=0&at=9").content[4:] and len(drawn) == 1, \
        "the same weights, so they are drawn once"
    again = get("/same/data/vae?of=ae&n=2&seed=0&at=10,11,12,last",
                       if_none_match=answer.headers["etag"])
    assert again.status == 304


def test_words_of_a_label() -> None:
    [(told, pictures)] = read(get("/same/generated/gallery/mvae?given=image&target=label&n=3&seed=0").content)
    assert pictures is None and len(told["words"]) == 3


@pytest.mark.parametrize(("address", "status", "reason"), [
    ("noise/nowhere?n=3&seed=0", 404, "no such run"), ("noise/../../etc?n=3&seed=0", 404, ""),
    ("magic/vae?n=3&seed=0", 404, "no such line"), ("noise/vae?n=0&seed=0", 400, "n is 1 to 20"),
    ("noise/vae?n=21&seed=0", 400, ""), ("noise/vae?n=3&seed=-1", 400, ""), ("noise/vae?n=3&seed=0&at=soon", 400, ""),
    ("noise/vae?n=3&seed=0&at=" + ",".join(["1"] * 49), 400, "at most 48"),
    ("future/vae?n=3&seed=0", 409, "nothing for"), ("data/vae?of=vectors&n=3&seed=0", 409, "shape"),
    ("data/vae?of=gallery/mvae&n=3&seed=0", 409, "nothing for"),
    ("generated/gallery/mvae?given=x&target=y&n=3&seed=0", 409, "no modality")])
def test_what_is_refused(address: str, status: int, reason: str) -> None:
    answer = get(f"/same/{address}")
    assert answer.status == status and reason in answer.text


def test_damage_is_said(root: Path) -> None:
    path = Run(root / "runs" / "ae").path / "examples.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    answer = get("/same/noise/ae?n=3&seed=0")
    assert answer.status == 409 and "examples.safetensors" in answer.text


def test_of_a_step_that_is_damaged_the_others_are_drawn(root: Path) -> None:
    (root / "runs" / "vae" / "kept" / "step-00000020.safetensors").write_bytes(b"no weights")
    answer = get("/same/noise/vae?n=3&seed=0&at=10,20,last")
    assert answer.status == 200 and [told["step"] for told, _ in read(answer.content)] == [10, None]
    assert b"step-00000020.safetensors" in answer.content
    answer = get("/same/noise/vae?n=3&seed=0&at=20")
    assert answer.status == 409 and "step-00000020.safetensors" in answer.text


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    get("/same/noise/vae?n=4&seed=0")
    monkeypatch.setattr(memory.pool, "most", lambda most=memory.pool.size + 8_000: most)
    for seed in range(20):
        get(f"/same/noise/vae?n=4&seed={seed}")
    assert 3 < len(memory.pool) < 12 and memory.pool.size <= memory.pool.most()
