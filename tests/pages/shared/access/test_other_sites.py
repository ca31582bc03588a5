"""A page of another site, in the browser of somebody who may look or change, gets nothing and changes nothing."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import streamlit as st
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pages.shared.access import guard, roles
from tests.asking import Answer, ask

HERE = "127.0.0.1:8501"


def app() -> guard.Guard:
    """A server with one route of ours, /ours, and some of Streamlit's."""
    async def everything(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("here")(scope, receive, send)

    return guard.Guard(everything, [Route("/ours/{run:path}", lambda _: Response())])


def asked(path: str = "/ours/x", method: str = "GET", host: str = HERE, **headers: str) -> Answer:
    return ask(app(), path, method, host=host, **headers)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options of the server; it listens to this machine alone."""
    options: dict[str, Any] = {"server.address": "127.0.0.1"}
    real = st.get_option
    monkeypatch.setattr(guard.st, "get_option", lambda name: options.get(name, real(name)))
    monkeypatch.setattr(roles, "_secrets", dict)
    return options


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("host", "status"), [
    (HERE, 200), ("localhost:8501", 200), ("LOCALHOST", 200), ("lab.localhost", 200), ("[::1]:8501", 200),
    ("localhost.", 200), ("10.0.0.7:80", 200), ("evil.example:8501", 403), ("localhost.evil.example", 403),
    ("evil.example@localhost", 200), ("127.0.0.1.evil.example", 403), ("", 403), ("[", 403), ("a b", 403),
    ("evillocalhost", 403), ("<script>", 403)])
@pytest.mark.parametrize("path", ["/ours/x", "/", "/_stcore/health"])
def test_a_name_that_was_turned_to_this_machine_is_not_answered(host: str, status: int, path: str) -> None:
    answer = asked(path, host=host)
    assert answer.status == status
    if status == 403:
        assert "--server.allowedHosts" in answer.text and answer.headers["content-type"] == "application/json"


def test_the_names_of_a_server_behind_a_proxy_are_said(listening: dict[str, Any], monkeypatch: pytest.MonkeyPatch
                                                       ) -> None:
    assert asked(host="lab.example.org").status == 403
    listening["server.allowedHosts"] = ["lab.example.org", "*.lab.example"]
    assert [asked(host=host).status for host in ("Lab.example.org", "a.lab.example", "evil.example")] == [200, 200, 403]
    listening |= {"server.allowedHosts": [], "server.address": None}
    assert asked(host="any.example").status == 200, "it cannot know what it is called, and is told to say so"
    listening["server.allowedHosts"] = ["lab.example.org"]
    assert asked(host="any.example").status == 403
    listening |= {"server.allowedHosts": [], "server.address": "127.0.0.1"}
    monkeypatch.setattr(roles, "_secrets", lambda: {"auth": {"redirect_uri": "https://lab.example.org/oauth2callback"}})
    assert roles.own_name() == "lab.example.org" and asked("/", host="lab.example.org").status == 200


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("headers", "status"), [
    ({}, 200), ({"origin": f"http://{HERE}"}, 200), ({"sec_fetch_site": "same-origin"}, 200),
    ({"sec_fetch_site": "none"}, 200), ({"sec_fetch_site": "cross-site"}, 403), ({"origin": "null"}, 403),
    ({"origin": "https://evil.example"}, 403), ({"origin": "http://127.0.0.1:8502"}, 403),
    ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_another_site_asks_of_our_addresses_is_refused(headers: dict[str, str], status: int, method: str) -> None:
    assert asked(method=method, **headers).status == status
    assert asked("/", **headers).status == 200, "a link to the laboratory may stand anywhere"


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("host", [HERE, "evil.example"])
def test_every_answer_forbids_the_browser_what_no_page_needs(host: str) -> None:
    told = asked("/", host=host).headers
    assert told["x-content-type-options"] == "nosniff" and told["x-frame-options"] == "SAMEORIGIN"
    policy = dict(rule.split(" ", 1) for rule in told["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'self'"
    assert policy["object-src"] == "'none'"
    assert not any(word in told["content-security-policy"] for word in ("http:", "https:", "*", "ws:"))


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("host", "origin", "reached"), [
    (HERE, f"http://{HERE}", True), ("evil.example:8501", "http://evil.example:8501", False),
    (HERE, "http://127.0.0.1:8888", False), (HERE, "https://evil.example", False), (HERE, "null", False)])
def test_a_websocket_of_another_site_is_closed_before_it_opens(host: str, origin: str, reached: bool) -> None:
    seen: list[Any] = []

    async def inner(*_: Any) -> None:
        seen.append("reached")

    async def sent(message: Any) -> None:
        seen.append(message["type"])

    async def none() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    scope = {"type": "websocket", "path": "/_stcore/stream", "headers": headers}
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, guard.Guard(inner, [])(scope, none, sent)).result()
    assert seen == (["reached"] if reached else ["websocket.close"])
