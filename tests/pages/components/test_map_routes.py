"""What a latent map fetches by itself: right bytes under its own key, refusals for all else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from pages.components import map_routes
from pages.components.map_routes import codes_address, map_address
from tests.training.runs import small
from vaecore.explore import Checkpoint
from vaecore.explore.maps.at_hand import AtHand, at_hand
from vaecore.store import Run


def get(address: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what the routes answer."""
    path, _, query = address.partition("?")
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    with ThreadPoolExecutor(1) as aside:  # Playwright keeps a loop in the thread of tests that it has driven
        aside.submit(asyncio.run, Starlette(routes=map_routes.routes())(scope, receive, send)).result()
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


@pytest.fixture
def run(start: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Run:
    folder = start(small())
    monkeypatch.setenv("VAECORE_STORE", str(folder.parents[1]))
    return Run(folder)


@pytest.fixture
def here(run: Run) -> AtHand:
    return at_hand(Checkpoint.load(run), "test")


def test_codes_and_numbers_are_those_of_the_split(run: Run, here: AtHand) -> None:
    address = codes_address(run, here)
    assert address is not None
    status, headers, body = get(address)
    assert status == 200 and headers["cache-control"] == "private, max-age=31536000, immutable"
    codes = np.frombuffer(body, "<f2").reshape(here.encoded.means.shape)
    np.testing.assert_allclose(codes, here.encoded.means, atol=4e-3)
    for name, wanted in (("kl", here.encoded.measures["kl"]), ("z3", here.encoded.means[:, 3])):
        np.testing.assert_array_equal(np.frombuffer(get(map_address(run, here, f"number-{name}"))[2], "<f4"), wanted)


def test_pages_of_thumbnails_are_pictures(run: Run, here: AtHand) -> None:
    address = map_address(run, here, "sprites-{page}")
    status, headers, body = get(address.format(page=0))
    assert status == 200 and headers["content-type"] == "image/webp" and body[8:12] == b"WEBP"
    assert get(address.format(page=9))[0] == 404


def test_another_key_is_answered_and_not_kept(run: Run, here: AtHand) -> None:
    status, headers, _ = get(map_address(run, here, "codes").partition("?")[0] + "?v=other")
    assert status == 200 and headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("split", "what", "name"), [
    ("test", "number-z4", "run"), ("test", "number-run", "run"), ("test", "number-z²", "run"), ("test", "other", "run"),
    ("test", "sprites-²", "run"), ("test", "sprites--1", "run"), ("test", "sprites-99999999999", "run"),
    ("test", "codes-x", "run"), ("elsewhere", "codes", "run"), ("test", "codes", "nothing"),
    ("test", "codes", "../../etc/passwd"), ("test", "codes", "%2e%2e/run")])
@pytest.mark.usefixtures("run")
def test_nothing_else_is_answered(split: str, what: str, name: str) -> None:
    assert get(f"/map/{split}/{what}/{name}")[0] == 404


def test_too_many_codes_are_not_sent(run: Run, here: AtHand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_routes, "MAX_CODES_BYTES", 2 * here.encoded.means.size - 1)
    assert codes_address(run, here) is None and get(map_address(run, here, "codes"))[0] == 404


def test_a_run_that_cannot_be_read_says_why(run: Run, here: AtHand) -> None:
    address = map_address(run, here, "codes")
    run.weights.write_bytes(b"nonsense")
    status, _, body = get(address)
    assert status == 409 and "run" in json.loads(body)["reason"]
