"""Who a visitor is by their claims, and what their requests get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from pages.shared.access import cookie, guard, roles
from tests.asking import ask
from vaecore import permission

SECRET, HERE = "k" * 40, "https://lab.example"
ADA = {"is_logged_in": True, "name": "Ada", "email": "ada@lab.org", "email_verified": True, "origin": HERE}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The secrets of a laboratory with sign-in."""
    found: dict[str, Any] = {"auth": {"client_id": "lab"}, "roles": {
        "member": ["ada@lab.org", "*@core.lab.org"], "viewer": ["*@lab.org"]}}
    monkeypatch.setattr(roles, "_secrets", lambda: found)
    monkeypatch.setattr(cookie, "get_cookie_secret", lambda: SECRET)
    monkeypatch.setattr(cookie, "get_origin_from_redirect_uri", lambda: HERE)
    return found


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(("claims", "role"), [
    ({}, "member"), ({"email": "ADA@lab.org"}, "member"), ({"email": "eve@core.lab.org"}, "member"),
    ({"email": "bob@lab.org"}, "viewer"), ({"email_verified": "true"}, "member"),
    ({"email": "eve@other.org"}, "nobody"), ({"email": "ada@lab.org.evil.org"}, "nobody"),
    ({"email": "xada@lab.org"}, "viewer"), ({"email": "*@core.lab.org"}, "member"), ({"email": 3}, "nobody"),
    ({"email_verified": False}, "nobody"), ({"email_verified": None}, "nobody"), ({"email_verified": 1.5}, "nobody"),
    ({"is_logged_in": False}, "nobody"), ({"is_logged_in": "yes"}, "nobody")])
def test_a_role_is_read_from_the_claims_and_the_lists(claims: Mapping[str, Any], role: str) -> None:
    assert roles.known({**ADA, **claims}).role == role


def test_another_claim_is_compared_where_the_secrets_say_so(secrets: dict[str, Any]) -> None:
    secrets["roles"] |= {"claim": "sub", "member": ["17"]}
    assert roles.known({**ADA, "sub": "17"}).role == "member"
    assert roles.known({**ADA, "sub": "18"}).role == "nobody"
    assert roles.known(ADA).role == "nobody"


def test_a_pattern_without_brackets_is_one_pattern(secrets: dict[str, Any]) -> None:
    secrets["roles"] = {"member": "ada@lab.org", "viewer": "*@lab.org"}
    assert [roles.known({**ADA, "email": email}).role for email in ("ada@lab.org", "bob@lab.org", "evil@x.com")] == [
        "member", "viewer", "nobody"]
    secrets["roles"] = {"member": {"*": True}, "viewer": True}
    assert roles.known(ADA).role == "nobody"


def test_without_lists_nobody_enters(secrets: dict[str, Any]) -> None:
    del secrets["roles"]
    assert roles.known(ADA).role == "nobody"


def test_without_sign_in_everybody_is_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_secrets", dict)
    assert roles.visitor().role == "member" and roles.refusal() == ""


def signed(claims: Mapping[str, Any], secret: str = SECRET) -> str:
    return f"{USER_COOKIE_NAME}={create_signed_value(secret, USER_COOKIE_NAME, json.dumps(claims)).decode()}"


def answer(path: str, cookies: str = "", method: str = "GET", cached: str = "public, max-age=9"
           ) -> tuple[int, dict[str, str]]:
    """What a server with one route of ours, /ours, says to a request."""
    async def content(_: Request) -> PlainTextResponse:
        return PlainTextResponse("here", headers={"Cache-Control": cached})

    async def everything(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("here", headers={"Cache-Control": cached})(scope, receive, send)

    app = guard.Guard(everything, [Route("/ours/{run:path}", content)])
    found = ask(app, path, method, **({"cookie": cookies} if cookies else {}))
    return found.status, found.headers


BOB = {**ADA, "email": "bob@lab.org"}


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(("path", "method", "claims", "status"), [
    ("/ours/gallery/vae", "GET", None, 403), ("/ours/gallery/vae", "GET", BOB, 200), ("/ours/x", "HEAD", None, 403),
    ("/ours/x", "POST", None, 403), ("/ours/x", "GET", {**ADA, "email": "eve@other.org"}, 403),
    ("/ours/x", "GET", {**ADA, "origin": "https://elsewhere"}, 403), ("/media/a.png", "GET", None, 403),
    ("/media/a.png", "GET", BOB, 200), ("/", "GET", None, 200), ("/_stcore/health", "GET", None, 200),
    ("/_stcore/upload_file/s/f", "PUT", None, 403), ("/_stcore/upload_file/s/f", "PUT", BOB, 403),
    ("/_stcore/upload_file/s/f", "PUT", ADA, 200), ("/_stcore/upload_file/s/f", "OPTIONS", None, 200)])
def test_every_request_is_asked_for_its_role(path: str, method: str, claims: Mapping[str, Any] | None, status: int
                                             ) -> None:
    assert answer(path, signed(claims) if claims else "", method)[0] == status


@pytest.mark.usefixtures("secrets")
def test_a_cookie_counts_only_with_the_signature_of_this_server() -> None:
    assert answer("/ours/x", signed(ADA, "another secret, as long as the real one is"))[0] == 403
    assert answer("/ours/x", f"{USER_COOKIE_NAME}={json.dumps(ADA)}")[0] == 403
    assert answer("/ours/x", signed(["no claims"]))[0] == 403  # type: ignore[arg-type]


@pytest.mark.usefixtures("secrets")
def test_what_needs_a_sign_in_is_not_kept_by_a_shared_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, kept in (("public, max-age=9", "private, max-age=9"), ("no-cache", "no-cache, private"),
                       ("no-store", "no-store")):
        assert answer("/ours/x", signed(ADA), cached=told)[1]["cache-control"] == kept
    monkeypatch.setattr(roles, "_secrets", dict)
    assert answer("/ours/x")[1]["cache-control"] == "public, max-age=9"


def test_nothing_is_uploaded_in_read_only_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_secrets", dict)
    assert answer("/_stcore/upload_file/s/f", method="PUT")[0] == 200
    monkeypatch.setenv(permission.READ_ONLY, "1")
    assert answer("/_stcore/upload_file/s/f", method="PUT")[0] == 403
    assert answer("/ours/x")[0] == 200


@pytest.mark.parametrize(("address", "said"), [
    ("127.0.0.1", False), ("localhost", False), ("::1", False), ("127.3.4.5", False), ("0.0.0.0", True), ("::", True),
    ("lab.example", True), (None, True)])
def test_a_server_that_others_reach_says_so(address: str | None, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.st, "get_option", lambda _: address)
    monkeypatch.setattr(roles, "_secrets", dict)
    told = guard.exposed()
    assert bool(told) is said
    if said:
        assert (address or "every address") in told and "train, upload and remove" in told
