"""The route to networks: a graph with an entity tag, the server's own answers, and refusals in words."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from starlette.applications import Starlette

from pages.components import networks
from tests.pages import demo
from vaecore.explore.export import kept
from vaecore.store import Run, Store
from vaecore.training.checkpoints import load_model


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def ask(path: str, *, data: bytes | None = None, method: str = "", **headers: str) -> Answer:
    """What the routes answer to GET, or to POST where there are data, or to another method."""
    sent: list[Any] = []
    path, _, query = path.partition("?")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data or b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method or ("GET" if data is None else "POST"), "path": path,
             "query_string": query.encode(), "headers": told}
    with ThreadPoolExecutor(1) as aside:  # Playwright keeps a loop in the thread of tests that it has driven
        aside.submit(asyncio.run, Starlette(routes=networks.routes())(scope, receive, send)).result()
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with copies of some shipped runs, under a cache of its own."""
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path))
    monkeypatch.setenv("VAECORE_CACHE", str(tmp_path / "cache"))
    for name in ("pca", "made", "lagging-basic"):
        shutil.copytree(demo.ROOT / "trained" / "gallery" / name, tmp_path / "gallery" / name)
    return Store(tmp_path)


def test_a_graph_comes_with_its_tag_and_once(store: Store) -> None:
    address = networks.network_address(store.find("pca"), "decoder")
    first = ask(address)
    assert first.status == 200 and first.headers["content-type"] == "application/octet-stream"
    assert first.headers["cache-control"] == networks.FOR_GOOD
    assert first.body == kept.kept(store.find("pca"), "decoder").bytes
    plain = address.partition("?")[0]
    assert plain == "/networks/decoder/gallery/pca"
    again = ask(plain, if_none_match=first.headers["etag"])
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["cache-control"] == "no-cache"  # what is asked without its version may change
    assert ask(f"{plain}?v=old").headers["cache-control"] == "no-cache"
    assert ask(plain, if_none_match='"another"').status == 200


def test_it_is_made_once_and_read_from_the_cache(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.find("pca")
    first = kept.kept(run, "encoder")
    monkeypatch.setattr(kept, "made", lambda *_: pytest.fail("it was made again"))
    assert kept.kept(run, "encoder") == first
    assert not list((kept.cache_folder() / "networks").glob("*.lock"))


def test_a_kept_graph_that_is_cut_off_or_changed_is_made_again(store: Store) -> None:
    run = store.find("pca")
    first = kept.kept(run, "decoder")
    [path] = (kept.cache_folder() / "networks").glob("*.graph")
    whole = path.read_bytes()
    for damaged in (b"", whole[:20], whole[:-4], whole[:100] + bytes(8) + whole[108:], b"\xff\xff\xff\x7f" + whole):
        path.write_bytes(damaged)
        assert kept.kept(run, "decoder") == first
        assert path.read_bytes() == whole


def test_many_who_come_at_once_wait_for_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait find what was made, or why there is none, also where no disk takes it."""
    made, done = kept.made, []

    def slow(*asked: Any) -> bytes:
        done.append(asked)
        time.sleep(0.3)
        return made(*asked)

    monkeypatch.setattr(kept, "made", slow)
    monkeypatch.setattr(kept, "_unwritten", {})
    monkeypatch.setattr(kept, "_refused", {})

    def one(name: str) -> str:
        try:
            return kept.kept(store.find(name), "decoder").etag
        except kept.NoGraph as error:
            return str(error)

    for name in ("pca", "made"):
        done.clear()
        with ThreadPoolExecutor(12) as together:
            assert len(set(together.map(one, [name] * 12))) == 1 and len(done) == 1
    (store.root / "file").write_text("no folder can be made in here")
    monkeypatch.setenv("VAECORE_CACHE", str(store.root / "file"))
    done.clear()
    with ThreadPoolExecutor(12) as together:
        assert len(set(together.map(one, ["pca"] * 12))) == 1 and len(done) == 1


@pytest.mark.usefixtures("store")
def test_a_question_for_the_head_alone_is_answered_as_one_for_all() -> None:
    whole, head = ask("/networks/decoder/pca"), ask("/networks/decoder/pca", method="HEAD")
    assert (head.status, head.headers["etag"]) == (200, whole.headers["etag"])


def test_what_lies_in_place_of_weights_is_not_waited_for(store: Store) -> None:
    run = store.find("pca")
    run.weights.unlink()
    os.mkfifo(run.weights)  # opening it would wait for somebody to write
    assert "no file" in ask("/networks/decoder/pca").said["reason"]


def test_a_checkpoint_that_is_replaced_has_another_tag(store: Store) -> None:
    run = store.find("pca")
    before, address = ask("/networks/decoder/pca"), networks.network_address(run, "decoder")
    with safe_open(run.weights, "pt") as file:
        header = file.metadata()
    tensors = load_file(run.weights)
    tensors["centre"] += 1
    save_file(tensors, run.weights, header)
    after = ask("/networks/decoder/pca", if_none_match=before.headers["etag"])
    assert after.status == 200 and after.headers["etag"] != before.headers["etag"] and after.body != before.body
    assert networks.network_address(run, "decoder") != address
    zero = np.zeros(16, "<f4").tobytes()
    assert np.frombuffer(ask("/networks/decoder/pca", data=zero).body, "<f4")[:784] == pytest.approx(
        tensors["centre"].numpy(), abs=1e-6)


def test_the_server_computes_what_torch_computes(store: Store) -> None:
    model = load_model(store.find("pca").path)
    z = torch.randn(3, 16)
    answer = ask("/networks/decoder/pca", data=z.numpy().astype("<f4").tobytes(), x_batch="3")
    wanted = model.decode({"z": z})["image"]
    found = np.frombuffer(answer.body, "<f4")
    assert found[:3 * 784].reshape(3, 1, 28, 28) == pytest.approx(wanted.mean.numpy(), abs=1e-6)
    assert found[3 * 784:] == pytest.approx(float((0.5 * model.get_buffer("logvar")).exp()))  # sigma, a number a pixel
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("run", "word"), [("made", "MADE has no code"), ("lagging-basic", "sentences")])
def test_what_has_no_graph_says_why(run: str, word: str) -> None:
    for answer in (ask(f"/networks/decoder/{run}"), ask(f"/networks/decoder/{run}", data=b"")):
        assert answer.status == 409 and word in answer.said["reason"] and "inputs" not in answer.said


@pytest.mark.usefixtures("store")
def test_what_is_too_large_is_computed_by_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vaecore.explore.export.graph.MOST_PRODUCTS", 100)
    answer = ask("/networks/decoder/pca")
    assert answer.status == 409 and "at most 0 million: the server computes" in answer.said["reason"]
    assert answer.said["inputs"] == [["z", [16]]]
    assert answer.said["outputs"] == [["image.mean", [1, 28, 28]], ["image.sigma", [1, 28, 28]]]
    assert ask("/networks/decoder/pca", data=bytes(4 * 16)).status == 200


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("size", "batch", "status", "word"), [
    *((64, batch, 400, "1 to 256") for batch in ("0", "257", "-1", "many", "9" * 400)),
    (63, "1", 400, "64 bytes of float32, and 63 came"), (64, "2", 400, "128 bytes of float32, and 64 came"),
    (networks.MOST_BYTES + 1, "1", 413, "At most 33,554,432 bytes")])
def test_questions_are_bounded(size: int, batch: str, status: int, word: str) -> None:
    answer = ask("/networks/decoder/pca", data=bytes(size), x_batch=batch)
    assert answer.status == status and word in answer.said["reason"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("path", [
    "decoder/nobody", "decoder/../gallery/pca", "decoder/gallery/../../etc/passwd", "decoder//etc/passwd",
    "decoder/<img src=x onerror=alert(1)>", "decoder/gallery/pca/weights.safetensors", "decoder/claims/pca",
    "anything/pca", "decoder/"])
def test_only_runs_of_the_store_are_answered_for(path: str) -> None:
    answer = ask(f"/networks/{path}")
    assert answer.status == 404 and answer.headers["content-type"] == "application/json"
    assert "<" not in answer.body.decode()


def test_a_run_without_weights_or_with_broken_ones_says_so(store: Store) -> None:
    run = Run(store.root / "gallery" / "pca")
    run.weights.write_bytes(b"broken")
    assert (answer := ask("/networks/decoder/pca")).status == 409 and "weights.safetensors" in answer.said["reason"]
    run.weights.unlink()
    assert (answer := ask("/networks/decoder/pca")).status == 409 and "no weights yet" in answer.said["reason"]
