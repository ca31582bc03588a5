"""The health address: what it says, to whom, how often it asks the disk, and that it tells no secrets."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

import app as server
import vaecore
from pages.components import health, networks
from pages.shared.access import guard, roles
from tests.asking import Answer, ask
from vaecore import permission

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of its own, that nobody has looked at yet."""
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("VAECORE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv(permission.READ_ONLY, raising=False)
    monkeypatch.setattr(health, "_watch", watch := health._Watch())
    yield tmp_path / "store"
    watch.aside.shutdown(wait=False)


def asked() -> tuple[Answer, dict[str, Any]]:
    found = ask(Starlette(routes=health.routes()), "/healthz")
    told: dict[str, Any] = json.loads(found.content)
    return found, told


def test_a_server_that_works_says_so(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, told = asked()
    assert found.status == 200 and found.headers["cache-control"] == "no-store"
    assert told == {"ok": True, "version": vaecore.__version__, "read_only": False, "store": "ok"}
    monkeypatch.setenv(permission.READ_ONLY, "1")
    assert asked()[1] == {**told, "read_only": True}
    assert list(store.iterdir()) == []


def test_a_store_that_went_is_told_without_its_path(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH", 0.0)
    assert asked()[0].status == 200
    shutil.rmtree(store)
    found, told = asked()
    assert found.status == 503 and not told["ok"]
    assert told["store"] == "the store cannot be read (No such file or directory)"
    assert str(store) not in found.text and "/" not in found.text
    store.mkdir()
    assert asked()[0].status == 200


@pytest.mark.usefixtures("store")
def test_only_a_store_that_is_written_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bool] = []
    monkeypatch.setattr(health, "store_fault", lambda _, written: looks.append(written) or "")
    asked()
    monkeypatch.setenv(permission.READ_ONLY, "1")
    asked()
    assert looks == [True, False]


def test_the_disk_is_asked_once_a_second_however_many_ask(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    monkeypatch.setattr(health, "store_fault", lambda root, **_: looks.append(root) or "")
    monkeypatch.setattr(health, "FRESH", 1e9)
    for _ in range(20):
        assert asked()[0].status == 200
    assert looks == [store]
    monkeypatch.setattr(health, "FRESH", 0.0)
    asked()
    assert looks == [store, store]


def test_a_disk_that_hangs_is_asked_by_one_thread_and_answers_nobody_late(
        store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, looks = threading.Event(), list[Path]()
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "FRESH", 0.0)
    monkeypatch.setattr(health, "store_fault", lambda root, **_: looks.append(root) or (hangs.wait(60) and ""))
    try:
        for _ in range(5):
            found, told = asked()
            assert found.status == 503 and told["store"] == f"the store {health.SLOW}"
        assert looks == [store]
    finally:
        hangs.set()
    assert health._watch.look is not None and health._watch.look.result(10) == ""
    monkeypatch.setattr(health, "PATIENCE", 30.0)
    assert asked()[0].status == 200


@pytest.mark.usefixtures("store")
def test_who_has_not_signed_in_may_ask_it_and_nothing_else_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_secrets", lambda: {"auth": {"client_id": "lab"}})
    routes = [*networks.routes(), *health.routes()]
    app = Starlette(routes=routes, middleware=[Middleware(guard.Guard, routes=networks.routes())])
    assert ask(app, "/healthz").status == 200
    assert ask(app, "/networks/decoder/gallery/vae").status == 403
    assert not any(route in server.routes for route in health.routes())  # those that the server guards


def test_it_lies_below_the_base_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.serve.st, "get_option", lambda _: "/lab/")
    assert [route.path for route in health.routes()] == ["/lab/healthz"]
